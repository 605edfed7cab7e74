// Takes bytes from a socket in the amounts that a protocol asks for. What is not asked for stays in
// the socket, so a peer that sends much is held back.
import type { Duplex } from "node:stream";

/** Bytes that are dropped at a time. */
const SKIP_BYTES = 65_536;

export class SocketReader {
  private readonly socket: Duplex;

  constructor(socket: Duplex) {
    this.socket = socket;
  }

  /** The next `byteLength` bytes; undefined when the stream ends before. */
  async take(byteLength: number): Promise<Buffer | undefined> {
    if (byteLength === 0) return Buffer.alloc(0);
    const { socket } = this;
    for (;;) {
      const bytes: Buffer | null = socket.read(byteLength);
      if (bytes) return bytes.length === byteLength ? bytes : undefined;
      if (socket.destroyed || socket.readableEnded) return undefined;
      await this.change();
    }
  }

  /** Drops bytes. False when the stream ends before. */
  async skip(byteLength: number): Promise<boolean> {
    for (let left = byteLength; left > 0; left -= SKIP_BYTES) {
      if (!(await this.take(Math.min(left, SKIP_BYTES)))) return false;
    }
    return true;
  }

  private change(): Promise<void> {
    const { socket } = this;
    return new Promise((resolve) => {
      const events = ["readable", "end", "close", "error"] as const;
      const wake = (): void => {
        for (const event of events) socket.off(event, wake);
        resolve();
      };
      for (const event of events) socket.on(event, wake);
    });
  }
}
