// A connection as a worse link would be: slower, farther away, and broken or silent after a number
// of bytes. It shapes what is sent through it; wrap both ends to shape both ways.
import { setTimeout as sleep } from "node:timers/promises";
import { orAbort } from "../core/abort.ts";
import { PagefoldError } from "../core/errors.ts";
import type { Connection, Receiver } from "./connection.ts";
import { RateLimit } from "./rate.ts";

export interface LinkShape {
  bytesPerSecond?: number;
  /** From leaving here to arriving there. */
  delayMs?: number;
  /** Both directions break when as many bytes have been sent. */
  cutAfterBytes?: number;
  /** Nothing passes for `stallMs` when as many bytes have been sent; for ever by default. */
  stallAfterBytes?: number;
  stallMs?: number;
}

/** What leaves at once: 130 us of a Gigabit link. */
const QUANTUM_BYTES = 16 << 10;
/** What is on its way at most, as in the buffers of a network. */
const WINDOW_BYTES = 8 << 20;

export function shaped(inner: Connection, shape: LinkShape): Connection {
  return new ShapedConnection(inner, shape);
}

interface Waiting {
  parts: readonly Uint8Array[];
  byteLength: number;
  resolve(): void;
  reject(reason: unknown): void;
}

class ShapedConnection implements Connection {
  readonly peer: string;
  readonly closed: Promise<Error | undefined>;
  queuedBytes = 0;
  sentBytes = 0;
  private readonly inner: Connection;
  private readonly shape: LinkShape;
  private readonly limit: RateLimit;
  private readonly over = new AbortController();
  private readonly queue: Waiting[] = [];
  /** Resolves when all that is on its way has arrived. */
  private arrival: Promise<void> = Promise.resolve();
  private onItsWayBytes = 0;
  private isSending = false;
  private hasEnded = false;
  private hasStalled = false;

  constructor(inner: Connection, shape: LinkShape) {
    this.inner = inner;
    this.shape = shape;
    this.peer = inner.peer;
    this.limit = new RateLimit(shape.bytesPerSecond ?? Number.POSITIVE_INFINITY);
    this.closed = inner.closed;
    inner.closed.then((reason) => this.stop(reason));
  }

  get receivedBytes(): number {
    return this.inner.receivedBytes;
  }

  write(parts: readonly Uint8Array[]): Promise<void> {
    const written = new Promise<void>((resolve, reject) => {
      if (this.over.signal.aborted || this.hasEnded) return reject(this.lost());
      const byteLength = parts.reduce((sum, { length }) => sum + length, 0);
      this.queuedBytes += byteLength;
      this.queue.push({ parts, byteLength, resolve, reject });
      if (!this.isSending) void this.send();
    });
    written.catch(() => {});
    return written;
  }

  end(): void {
    this.hasEnded = true;
    if (!this.isSending) void this.send();
  }

  receive(receiver: Receiver): void {
    this.inner.receive(receiver);
  }

  pause(): void {
    this.inner.pause();
  }

  resume(): void {
    this.inner.resume();
  }

  destroy(reason?: Error): void {
    this.inner.destroy(reason);
    this.stop(reason);
  }

  /** Sends what is queued; one call runs at a time. It never rejects. */
  private async send(): Promise<void> {
    this.isSending = true;
    try {
      for (let next = this.queue.shift(); next; next = this.queue.shift()) {
        try {
          for (const part of next.parts) await this.sendPart(part);
          this.over.signal.throwIfAborted();
        } catch (error) {
          next.reject(error);
          throw error;
        }
        this.queuedBytes -= next.byteLength;
        next.resolve();
      }
      if (this.hasEnded) {
        await this.arrival;
        this.inner.end();
      }
    } catch (error) {
      this.destroy(error instanceof Error ? error : undefined);
    } finally {
      this.isSending = false;
    }
  }

  private async sendPart(part: Uint8Array): Promise<void> {
    const { cutAfterBytes = Number.POSITIVE_INFINITY, delayMs = 0 } = this.shape;
    for (let at = 0; at < part.length; ) {
      const { signal } = this.over;
      signal.throwIfAborted();
      const room = Math.min(QUANTUM_BYTES, this.bytesToStall(), cutAfterBytes - this.sentBytes);
      const piece = part.slice(at, at + Math.max(0, room));
      if (piece.length > 0) {
        await this.limit.wait(piece.length, signal);
        at += piece.length;
        this.sentBytes += piece.length;
        this.dispatch(piece, delayMs);
        if (delayMs === 0 || this.onItsWayBytes >= WINDOW_BYTES) await this.arrival;
      }
      if (this.sentBytes >= cutAfterBytes) {
        await this.arrival;
        throw new PagefoldError("CONNECTION", `${this.peer}: cut after ${this.sentBytes} bytes`);
      }
      if (this.bytesToStall() === 0) await this.stall();
    }
  }

  private dispatch(piece: Uint8Array, delayMs: number): void {
    const dueMs = performance.now() + delayMs;
    this.onItsWayBytes += piece.length;
    const before = this.arrival;
    this.arrival = (async () => {
      await before;
      const waitMs = dueMs - performance.now();
      if (waitMs > 0) await sleep(waitMs, undefined, { signal: this.over.signal });
      await this.inner.write([piece]);
      this.onItsWayBytes -= piece.length;
    })();
    this.arrival.catch(() => {}); // `send` waits for it, or the connection is over
  }

  private bytesToStall(): number {
    const { stallAfterBytes } = this.shape;
    if (stallAfterBytes === undefined || this.hasStalled) return Number.POSITIVE_INFINITY;
    return Math.max(0, stallAfterBytes - this.sentBytes);
  }

  private async stall(): Promise<void> {
    this.hasStalled = true;
    const { stallMs = Number.POSITIVE_INFINITY } = this.shape;
    const { signal } = this.over;
    if (stallMs < Number.POSITIVE_INFINITY) return sleep(stallMs, undefined, { signal });
    await orAbort(new Promise<never>(() => {}), signal);
  }

  private stop(reason: Error | undefined): void {
    if (this.over.signal.aborted) return;
    this.over.abort(reason ?? this.lost());
    for (const { reject } of this.queue.splice(0)) reject(this.over.signal.reason);
    this.queuedBytes = 0;
  }

  private lost(): PagefoldError {
    return new PagefoldError("CONNECTION", `${this.peer}: the connection is closed`);
  }
}
