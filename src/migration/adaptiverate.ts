// How fast a round of pre-copy may send. After Clark et al., NSDI 2005, as commonly described: the
// first round runs at the minimum, each later one as fast as the guest dirtied memory in the one
// before plus a margin, and when that is over the maximum it is time to stop the guest. Rates are
// bytes per second on the wire; who holds a sender to them is transport/rate.ts.
import { setTimeout } from "node:timers/promises";
import { PagefoldError } from "../core/errors.ts";

/** Time as pre-copy sees it, so that tests can have one of their own. Milliseconds. */
export interface Clock {
  now(): number;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The clock of the machine. */
export const MACHINE_CLOCK: Clock = {
  now: () => performance.now(),
  sleep: async (ms, signal) => {
    await setTimeout(ms, undefined, { signal }).catch((error) => {
      // A timer rejects with an error of its own, which hides why it was aborted.
      throw signal?.aborted ? signal.reason : error;
    });
  },
};

/** Bounds of the adaptive rate, in bytes per second on the wire. */
export interface RateLimits {
  /** The rate of the first round, and of no round less. */
  minimum: number;
  /** The rate of stop-and-copy, and of no round more. */
  maximum: number;
  /** What a round has over the dirty rate of the one before. Default: 6.25 MB/s, 50 Mbit/s. */
  margin?: number | undefined;
}

const DEFAULT_MARGIN = 6_250_000;

/** What a round says about the next one. */
export interface RoundRate {
  pages: number;
  wireBytes: number;
  elapsedMs: number;
  /** Frames that were written while it ran. */
  dirtiedPages: number;
}

export class AdaptiveRate {
  readonly maximum: number;
  /** For the round that comes. */
  bytesPerSecond: number;
  /** Whether the guest dirties memory faster than the maximum can send it. */
  isExceeded = false;
  private readonly minimum: number;
  private readonly margin: number;
  /** Content shrinks on the wire, so the dirty rate counts as what its pages will cost there. */
  private bytesPerPage = 0;

  constructor({ minimum, maximum, margin = DEFAULT_MARGIN }: RateLimits) {
    if (!(minimum > 0 && minimum <= maximum && margin >= 0)) {
      const numbers = `minimum ${minimum}, maximum ${maximum}, margin ${margin}`;
      throw new PagefoldError("USAGE", `rate limits make no sense: ${numbers}`);
    }
    this.minimum = minimum;
    this.maximum = maximum;
    this.margin = margin;
    this.bytesPerSecond = minimum;
  }

  /** Learns from a round. */
  next({ pages, wireBytes, elapsedMs, dirtiedPages }: RoundRate): void {
    if (pages > 0) this.bytesPerPage = wireBytes / pages;
    const seconds = Math.max(elapsedMs, 1) / 1000;
    const wanted = (dirtiedPages * this.bytesPerPage) / seconds + this.margin;
    this.isExceeded = wanted > this.maximum;
    this.bytesPerSecond = Math.min(Math.max(wanted, this.minimum), this.maximum);
  }
}
