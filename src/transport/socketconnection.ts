// A connection over a socket of the system: tcp, unix, or TLS over either.
//
// Plain sockets write from the caller's memory (one writev for all parts, shared memory included)
// and read into one buffer that is used again. TLS copies: parts are joined, encrypted into a
// buffer of OpenSSL, and arrive decrypted in new pieces of at most 16 KiB.
import { type OnReadOpts, Socket, type SocketConstructorOpts } from "node:net";
import type { Connection, Receiver } from "./connection.ts";
import { linkError } from "./faults.ts";
import { HeldSocket } from "./hold.ts";

/** As much as one read of a fast local socket gives; with 64 KiB reading costs twice the time. */
const READ_BUFFER_BYTES = 512 << 10;

/** What `net` gives, and what a wrapper that reads into a buffer needs besides. */
type WithHandle = Socket & { _handle?: unknown };

export class SocketConnection implements Connection {
  readonly peer: string;
  readonly closed: Promise<Error | undefined>;
  receivedBytes = 0;
  sentBytes = 0;
  private readonly socket: Socket;
  private readonly hasBuffer: boolean;
  private receiver: Receiver | undefined;
  private isPaused = false;
  /** What came into the buffer although we had paused. */
  private held: Uint8Array | undefined;
  private failure: Error | undefined;

  /**
   * Takes over a connected socket that has read nothing yet. With `inlet` the socket was made to
   * read into that inlet's buffer.
   */
  constructor(socket: Socket, peer: string, inlet?: Inlet) {
    this.socket = socket;
    this.peer = peer;
    this.hasBuffer = inlet !== undefined;
    if (inlet) inlet.take = (piece) => this.take(piece);
    socket.setNoDelay(true);
    socket.on("error", (error) => {
      this.failure ??= linkError(peer, error);
    });
    this.closed = new Promise((resolve) => {
      socket.once("close", () => resolve(this.failure));
    });
  }

  get queuedBytes(): number {
    return this.socket.writableLength;
  }

  write(parts: readonly Uint8Array[]): Promise<void> {
    const full = parts.filter(({ length }) => length > 0);
    const last = full.pop();
    if (!last) return Promise.resolve();
    const written = new Promise<void>((resolve, reject) => {
      const { socket } = this;
      let byteLength = last.length;
      socket.cork();
      for (const part of full) {
        byteLength += part.length;
        socket.write(part);
      }
      socket.write(last, (error) => {
        // Of a socket that broke meanwhile node says that the write went well.
        if (error || socket.destroyed) return reject(this.lossOf(error));
        this.sentBytes += byteLength;
        resolve();
      });
      socket.uncork();
    });
    written.catch(() => {}); // whoever does not wait learns it from `closed`
    return written;
  }

  /** Has the socket held open beyond our life, if need be; see hold.ts. */
  hold(lastWords: string): Promise<HeldSocket> {
    return HeldSocket.open(this.socket, lastWords);
  }

  end(): void {
    this.socket.end();
  }

  receive(receiver: Receiver): void {
    this.receiver = receiver;
    this.socket.on("end", () => this.attempt(() => receiver.end()));
    // A socket with a buffer of its own emits no "data", but has to flow to emit "end".
    if (this.hasBuffer) this.socket.resume();
    else this.socket.on("data", (piece: Buffer) => this.deliver(piece));
  }

  pause(): void {
    this.isPaused = true;
    this.socket.pause();
  }

  resume(): void {
    this.isPaused = false;
    const { held } = this;
    this.held = undefined;
    if (held) this.deliver(held);
    if (!this.isPaused) this.socket.resume();
  }

  destroy(reason?: Error): void {
    this.failure ??= reason;
    this.socket.destroy();
  }

  private lossOf(error: unknown): Error {
    const reason = error ?? this.socket.errored ?? { code: "ERR_STREAM_DESTROYED" };
    return this.failure ?? linkError(this.peer, reason);
  }

  /**
   * A piece in our buffer; false stops the reading. A socket that is paused in the tick in which it
   * was resumed reads once more all the same.
   */
  private take(piece: Uint8Array): boolean {
    if (this.isPaused) this.held = piece;
    else this.deliver(piece);
    return !this.isPaused;
  }

  private deliver(piece: Uint8Array): void {
    if (this.socket.destroyed) return;
    this.receivedBytes += piece.length;
    this.attempt(() => this.receiver?.bytes(piece));
  }

  /** What a receiver throws ends the connection, not the process. */
  private attempt(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }
}

/** Where a socket puts what it reads, until a connection takes the pieces. */
export interface Inlet {
  options: { onread: OnReadOpts };
  take(piece: Uint8Array): boolean;
}

export function newInlet(): Inlet {
  const buffer = new Uint8Array(READ_BUFFER_BYTES);
  const inlet: Inlet = {
    options: {
      onread: {
        buffer,
        callback: (byteLength) => inlet.take(buffer.subarray(0, byteLength)),
      },
    },
    take: () => false,
  };
  return inlet;
}

/**
 * The connection of a socket that a server has accepted with `pauseOnConnect`. `net` lets only
 * connecting sockets read into a buffer, so a new socket takes the handle of the accepted one;
 * where a runtime has no such handle, the socket stays as it is and reads cost more.
 */
export function acceptedConnection(accepted: WithHandle, peer: string): SocketConnection {
  const handle = accepted._handle;
  if (handle === undefined || handle === null) return new SocketConnection(accepted, peer);
  const inlet = newInlet();
  accepted._handle = null;
  accepted.destroy();
  // Paused, or what arrives before `receive` would be lost.
  const options = { handle, allowHalfOpen: true, pauseOnCreate: true, ...inlet.options };
  return new SocketConnection(new Socket(options as SocketConstructorOpts), peer, inlet);
}
