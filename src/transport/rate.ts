// A token bucket: how long to wait before the next bytes may leave, so that no more than a rate
// leaves over time and no more than a burst at once.
import { setTimeout as sleep } from "node:timers/promises";

/** 10 ms of the rate: less than what a timer overshoots would leave the link idle. */
const BURST_MS = 10;

export interface RateOptions {
  /** What may leave at once after a pause; 10 ms worth by default. */
  burstBytes?: number;
  /** Milliseconds that never go back. */
  now?: () => number;
}

export class RateLimit {
  private bytesPerMs = 0;
  private burstBytes = 0;
  private readonly fixedBurstBytes: number | undefined;
  private readonly now: () => number;
  /** Bytes that may leave now; negative while those who have taken are still waiting. */
  private balance: number;
  private countedMs: number;

  constructor(
    bytesPerSecond: number,
    { burstBytes, now = () => performance.now() }: RateOptions = {},
  ) {
    this.now = now;
    this.fixedBurstBytes = burstBytes;
    this.countedMs = now();
    this.balance = 0;
    this.setRate(bytesPerSecond);
    this.balance = this.burstBytes;
  }

  /** Holds from now on; `Infinity` is no limit. Waits that were given out already stay. */
  setRate(bytesPerSecond: number): void {
    if (!(bytesPerSecond > 0)) throw new RangeError(`a rate of ${bytesPerSecond} bytes/s`);
    this.refill();
    this.bytesPerMs = bytesPerSecond / 1000;
    this.burstBytes = this.fixedBurstBytes ?? this.bytesPerMs * BURST_MS;
    this.balance = Math.min(this.balance, this.burstBytes);
  }

  /**
   * Takes `byteLength` from the bucket and says how many milliseconds to wait before they are sent.
   * Those who come later wait for those before them.
   */
  take(byteLength: number): number {
    if (this.bytesPerMs === Number.POSITIVE_INFINITY) return 0;
    this.refill();
    this.balance -= byteLength;
    return this.balance >= 0 ? 0 : -this.balance / this.bytesPerMs;
  }

  /** Resolves when `byteLength` bytes may be sent; rejects with the signal's reason. */
  async wait(byteLength: number, signal?: AbortSignal): Promise<void> {
    const waitMs = this.take(byteLength);
    if (waitMs === 0) return;
    await sleep(waitMs, undefined, signal ? { signal } : undefined).catch((error) => {
      throw signal?.aborted ? signal.reason : error;
    });
  }

  private refill(): void {
    const nowMs = this.now();
    const earned = (nowMs - this.countedMs) * this.bytesPerMs;
    this.countedMs = nowMs;
    if (earned > 0) this.balance = Math.min(this.balance + earned, this.burstBytes);
  }
}
