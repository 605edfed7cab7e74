// What a gang's source sends, in order and no faster than it may: little waits for the link, so
// that hypervisors take the link for what it is.
import type { RateLimit } from "../transport/rate.ts";
import type { SessionType } from "../wire/sessionframe.ts";
import type { SessionLink } from "./link.ts";

/** Bytes that wait for the link: as much as it takes in this time, but not less than that. */
const QUEUE_MS = 20;
const MIN_QUEUE_BYTES = 512 << 10;

export class SessionOutput {
  private readonly link: SessionLink;
  private readonly rate: RateLimit | undefined;
  private readonly signal: AbortSignal;
  private sending: Promise<unknown> = Promise.resolve();

  /** `signal` ends what waits for the rate. */
  constructor(link: SessionLink, rate: RateLimit | undefined, signal: AbortSignal) {
    this.link = link;
    this.rate = rate;
    this.signal = signal;
  }

  /** Whether nothing more should be begun. */
  get isFull(): boolean {
    const { queuedBytes, bytesPerMs } = this.link;
    return queuedBytes > Math.max(MIN_QUEUE_BYTES, bytesPerMs * QUEUE_MS);
  }

  /** Whether anything waits. */
  get isWaiting(): boolean {
    return this.link.queuedBytes > 0;
  }

  /** Sends a frame within the rate; resolves when `body` may be used again. */
  send(type: SessionType, guest: number, head: Uint8Array, body?: Uint8Array): Promise<void> {
    return this.inTurn(async () => {
      const byteLength = head.length + (body?.length ?? 0);
      if (this.rate) await this.rate.wait(byteLength, this.signal);
      await this.link.send(type, guest, head, body);
    });
  }

  /** With a rate, what waits for it must not be overtaken. */
  inTurn(action: () => Promise<void>): Promise<void> {
    if (!this.rate) return action();
    const done = this.sending.then(action);
    this.sending = done.catch(() => undefined);
    return done;
  }
}
