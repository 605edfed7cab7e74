// Takes bytes from a socket in the amounts that a protocol asks for. What is not asked for stays in
// the socket, so a peer that sends much is held back.
import type { Duplex } from "node:stream";

/** Bytes that are dropped at a time. */
const SKIP_BYTES = 65_536;

const EVENTS = ["readable", "end", "close", "error"] as const;

export class SocketReader {
  private readonly socket: Duplex;
  private wake: () => void = () => {};
  private readonly onChange = (): void => this.wake();

  constructor(socket: Duplex) {
    this.socket = socket;
    // Once for all: a stream tells every new listener of what it holds, even if that was too little
    // for the one before, and whoever comes back for each of these calls never lets the loop turn.
    for (const event of EVENTS) socket.on(event, this.onChange);
  }

  /** The next `byteLength` bytes; undefined when the stream ends before. */
  async take(byteLength: number): Promise<Buffer | undefined> {
    if (byteLength === 0) return Buffer.alloc(0);
    const { socket } = this;
    for (;;) {
      const bytes: Buffer | null = socket.read(byteLength);
      if (bytes) return bytes.length === byteLength ? bytes : undefined;
      if (socket.destroyed || socket.readableEnded) return undefined;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  /** Drops bytes. False when the stream ends before. */
  async skip(byteLength: number): Promise<boolean> {
    for (let left = byteLength; left > 0; left -= SKIP_BYTES) {
      if (!(await this.take(Math.min(left, SKIP_BYTES)))) return false;
    }
    return true;
  }

  /** Leaves the socket to somebody else. */
  release(): void {
    for (const event of EVENTS) this.socket.off(event, this.onChange);
  }
}
