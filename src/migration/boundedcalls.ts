// Calls of a service that several hosts share and that may be slow or gone: each ends in bounded
// time, and one that keeps failing is left alone for a while. Knows nothing of what is asked.
import { PagefoldError, reasonOf } from "../core/errors.ts";
import type { Clock } from "./adaptiverate.ts";

/** Failures in a row after which the service is left alone. */
const FAILURES = 3;
/** How long it is. */
const REST_MS = 5000;
const GRACE_MS = 1;
/** Why a limit ends; without a reason each abort would make an error with a stack. */
const ANSWERED = "answered";

export interface BoundedCallsOptions {
  readonly clock: Clock;
  /** What is asked, as the user knows it. */
  readonly service: string;
  /** An answer that takes longer counts as a failure. */
  readonly limitMs: number;
  /** What becomes of the migration without it. */
  readonly effect: string;
  /** One line for the user; once per cause. */
  readonly notice: (message: string, cause: string) => void;
}

export interface Answer<T> {
  readonly value: T;
}

export class BoundedCalls {
  /** Calls that were not answered in time, or failed. */
  lost = 0;
  private readonly options: BoundedCallsOptions;
  private readonly told = new Set<string>();
  /** The limits of calls under way. */
  private readonly waits = new Set<AbortController>();
  private failures = 0;
  private failedAt = Number.NEGATIVE_INFINITY;
  private isProbing = false;
  private isClosed = false;

  constructor(options: BoundedCallsOptions) {
    this.options = options;
  }

  /** Whether a call made now would be asked. */
  get isOpen(): boolean {
    if (this.isClosed) return false;
    if (this.failures < FAILURES) return true;
    return !this.isProbing && this.options.clock.now() - this.failedAt >= REST_MS;
  }

  /**
   * The answer of `call`; undefined when it fails, takes too long, or is not made at all. What
   * comes too late goes to `late`. Never rejects.
   */
  async ask<T>(call: () => Promise<T>, late?: (value: T) => void): Promise<Answer<T> | undefined> {
    if (!this.isOpen) return undefined;
    const isProbe = this.failures >= FAILURES;
    if (isProbe) this.isProbing = true;
    const beganAt = this.options.clock.now();
    let isOver = false;
    const limit = new AbortController();
    this.waits.add(limit);
    const answered = this.made(call).then(
      (value) => {
        if (!isOver) return { value };
        if (!this.isClosed) late?.(value);
        return undefined;
      },
      (error: unknown) => {
        if (!isOver) this.failed(beganAt, codeOf(error), reasonOf(error));
        return "failed" as const;
      },
    );
    const outcome = await Promise.race([answered, this.limit(limit.signal)]);
    isOver = true;
    this.waits.delete(limit);
    limit.abort(ANSWERED);
    if (isProbe) this.isProbing = false;
    if (outcome === "failed" || this.isClosed) return undefined;
    if (outcome !== undefined) {
      this.failures = 0;
      return outcome;
    }
    this.failed(beganAt, "slow", `no answer in ${this.options.limitMs} ms`);
    return undefined;
  }

  /** What it says is of no use: it is left alone like one that fails. */
  leaveAlone(cause: string, reason: string): void {
    this.failures = FAILURES - 1;
    this.failed(this.options.clock.now(), cause, reason);
  }

  /** Ends all calls; those that come are not made. */
  close(): void {
    this.isClosed = true;
    for (const wait of this.waits) wait.abort(ANSWERED);
  }

  /** So that a call that throws at once is no different. */
  private async made<T>(call: () => Promise<T>): Promise<T> {
    return call();
  }

  private async limit(signal: AbortSignal): Promise<undefined> {
    const { clock, limitMs } = this.options;
    try {
      await clock.sleep(limitMs - GRACE_MS, signal);
      // Where it was us who had no time, the answer has come: let it be read before we judge.
      await clock.sleep(GRACE_MS, signal);
    } catch {
      // It has been answered.
    }
  }

  /** Calls that were under way together fail together: one pause of the service is one failure. */
  private failed(beganAt: number, cause: string, reason: string): void {
    const { clock, service, effect, notice } = this.options;
    if (this.isClosed) return;
    this.lost++;
    if (beganAt >= this.failedAt) {
      this.failures++;
      this.failedAt = clock.now();
    }
    if (this.failures < FAILURES || this.told.has(cause)) return;
    this.told.add(cause);
    notice(`${service}: ${reason}; ${effect}`, cause);
  }
}

/** Errors of one code have one cause, whatever address or number they name. */
function codeOf(error: unknown): string {
  return error instanceof PagefoldError ? error.code : "failed";
}
