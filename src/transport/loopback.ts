// Two connections joined in memory, for tests and simulations. Bytes are copied on the way, and
// what a receiver was given is overwritten afterwards, as a buffer that is used again would be.
import type { Connection, Receiver } from "./connection.ts";
import { linkError } from "./faults.ts";

export interface LoopbackOptions {
  /** What a direction holds before `write` waits; as much as a socket of the system, by default. */
  bufferBytes?: number;
}

const BUFFER_BYTES = 256 << 10;
const PIECE_BYTES = 64 << 10;
const USED = 0xdd;

/** What is written to one of the two arrives at the other. */
export function loopbackPair({
  bufferBytes = BUFFER_BYTES,
}: LoopbackOptions = {}): [Connection, Connection] {
  const left = new LoopbackConnection("loopback left", bufferBytes);
  const right = new LoopbackConnection("loopback right", bufferBytes);
  left.other = right;
  right.other = left;
  return [left, right];
}

interface Waiting {
  bytes: Uint8Array;
  resolve(): void;
  reject(reason: Error): void;
}

class LoopbackConnection implements Connection {
  readonly peer: string;
  readonly closed: Promise<Error | undefined>;
  /** Written and not taken: beyond what the buffer holds. */
  queuedBytes = 0;
  sentBytes = 0;
  receivedBytes = 0;
  other!: LoopbackConnection;
  private readonly bufferBytes: number;
  private readonly queue: Waiting[] = [];
  /** On their way to our receiver. */
  private readonly arrived: Uint8Array[] = [];
  private arrivedBytes = 0;
  private receiver: Receiver | undefined;
  private isPaused = false;
  private isScheduled = false;
  private hasEnded = false;
  private peerHasEnded = false;
  private sawEnd = false;
  private isClosed = false;
  private settle: (reason: Error | undefined) => void = () => {};

  constructor(peer: string, bufferBytes: number) {
    this.peer = peer;
    this.bufferBytes = bufferBytes;
    this.closed = new Promise((resolve) => {
      this.settle = resolve;
    });
  }

  write(parts: readonly Uint8Array[]): Promise<void> {
    const written = new Promise<void>((resolve, reject) => {
      if (this.isClosed || this.hasEnded) {
        return reject(linkError(this.peer, { code: "ERR_STREAM_DESTROYED" }));
      }
      const bytes = joined(parts);
      this.queuedBytes += bytes.length;
      this.queue.push({ bytes, resolve, reject });
      this.drain();
    });
    written.catch(() => {});
    return written;
  }

  end(): void {
    if (this.hasEnded || this.isClosed) return;
    this.hasEnded = true;
    this.drain();
  }

  receive(receiver: Receiver): void {
    this.receiver = receiver;
    this.schedule();
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    this.schedule();
  }

  destroy(reason?: Error): void {
    if (this.isClosed) return;
    this.close(reason);
    const isOrderly = this.other.sawEnd || this.other.isClosed;
    if (!isOrderly) this.other.close(linkError(this.other.peer, { code: "ECONNRESET" }));
  }

  /** Moves writes into the other side's buffer while there is room. */
  private drain(): void {
    const { other } = this;
    while (this.queue.length > 0 && other.arrivedBytes < this.bufferBytes) {
      const { bytes, resolve } = this.queue.shift() as Waiting;
      this.queuedBytes -= bytes.length;
      this.sentBytes += bytes.length;
      if (bytes.length > 0) other.arrived.push(bytes);
      other.arrivedBytes += bytes.length;
      resolve();
    }
    if (this.hasEnded && this.queue.length === 0) other.peerHasEnded = true;
    other.schedule();
  }

  private schedule(): void {
    if (this.isScheduled || this.isPaused || this.isClosed || !this.receiver) return;
    this.isScheduled = true;
    setImmediate(() => {
      this.isScheduled = false;
      this.deliver();
    });
  }

  private deliver(): void {
    try {
      while (!this.isPaused && !this.isClosed && this.receiver) {
        const piece = this.nextPiece();
        if (!piece) break;
        this.arrivedBytes -= piece.length;
        this.receivedBytes += piece.length;
        this.receiver.bytes(piece);
        piece.fill(USED);
      }
      if (this.isClosed) return;
      this.other.drain();
      if (this.isPaused || this.sawEnd || !this.peerHasEnded || this.arrived.length > 0) return;
      this.sawEnd = true;
      this.receiver?.end();
      this.closeIfDone();
      this.other.closeIfDone();
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }

  private nextPiece(): Uint8Array | undefined {
    const first = this.arrived.shift();
    if (!first || first.length <= PIECE_BYTES) return first;
    this.arrived.unshift(first.subarray(PIECE_BYTES));
    return first.subarray(0, PIECE_BYTES);
  }

  /** An orderly close: both sides have seen the other's end. */
  private closeIfDone(): void {
    if (this.sawEnd && this.other.sawEnd) this.close(undefined);
  }

  private close(reason: Error | undefined): void {
    if (this.isClosed) return;
    this.isClosed = true;
    const failure = reason ?? linkError(this.peer, { code: "ERR_STREAM_DESTROYED" });
    for (const { reject } of this.queue.splice(0)) reject(failure);
    this.queuedBytes = 0;
    this.settle(reason);
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
