// Pre-copy of one guest whose pages and dirty bits somebody else holds, after Clark et al., NSDI
// 2005, as commonly described: rounds while it runs, a stop rule, stop-and-copy, commit. Until the
// commit the source is the primary: whatever fails before it leaves the guest running there. It
// does not know how pages cross the link (`RoundSink`).
import { type ErrorCode, PagefoldError, reasonOf } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { AdaptiveRate, type Clock, MACHINE_CLOCK } from "./adaptiverate.ts";
import { LiveRound } from "./liveround.ts";
import {
  type LiveSource,
  NotHandedOver,
  PrecopyError,
  type PrecopyOptions,
  type PrecopyReport,
  type Remains,
  type RoundReport,
  type RoundSink,
  type StopReason,
} from "./precopyapi.ts";
import { WritableFrames } from "./wws.ts";

/** So few pages that another round is not worth its while, whatever they take. */
const FEW_PAGES = 50;
/** Rounds of stop-and-copy: devices may write a little after the processors have stopped. */
const LAST_ROUNDS = 3;
/** Part of its rate that a round must reach to count as held back by nothing else. */
const HELD_BACK = 0.9;

/**
 * Moves a guest. Rejects with a `PrecopyError`, which says who has the guest; after an abort that
 * left it running at the source, with the reason of the signal. The signal ends nothing after the
 * commit began.
 */
export async function precopy(
  source: LiveSource,
  sink: RoundSink,
  options: PrecopyOptions = {},
): Promise<PrecopyReport> {
  return new Precopy(source, sink, options).migrate();
}

class Precopy {
  private readonly source: LiveSource;
  private readonly sink: RoundSink;
  private readonly options: PrecopyOptions;
  private readonly clock: Clock;
  private readonly frames: WritableFrames;
  private readonly rate: AdaptiveRate | undefined;
  private readonly live: LiveRound;
  private readonly rounds: RoundReport[] = [];
  private step = "begin";
  /** When the guest was told to stop. */
  private pausedAt: number | undefined;
  private writableSetPages = 0;

  constructor(source: LiveSource, sink: RoundSink, options: PrecopyOptions) {
    this.source = source;
    this.sink = sink;
    this.options = options;
    this.clock = options.clock ?? MACHINE_CLOCK;
    this.rate = options.rate && new AdaptiveRate(options.rate);
    const { putOff = true, lookFrames = 4096 } = options;
    this.frames = new WritableFrames(source.frameCount, putOff);
    // Dirty bits are looked at within a round to put frames off, for nothing else.
    const every = putOff ? lookFrames : Number.POSITIVE_INFINITY;
    this.live = new LiveRound(source, this.frames, every, options.signal);
  }

  async migrate(): Promise<PrecopyReport> {
    const { signal } = this.options;
    const beganAt = this.clock.now();
    let stopReason: StopReason;
    try {
      signal?.throwIfAborted();
      stopReason = await this.copyWhileItRuns();
      await this.stopAndCopy();
      this.step = "prepare";
      await this.sink.prepare?.(signal);
      signal?.throwIfAborted();
    } catch (error) {
      throw await this.backOut(error);
    }
    this.step = "commit";
    try {
      await this.sink.commit();
    } catch (error) {
      if (error instanceof NotHandedOver) throw await this.backOut(error);
      const reason = `commit: ${reasonOf(error)}; in doubt: the target may have the guest`;
      throw this.failure(`${reason}, the source stays paused`, "in doubt", error);
    }
    return this.report(stopReason, beganAt);
  }

  private async copyWhileItRuns(): Promise<StopReason> {
    // Every frame is lacking anyway; what was written before does not count.
    await this.live.forgetDirty();
    let least = Number.POSITIVE_INFINITY;
    let stalledRounds = 0;
    for (;;) {
      const round = await this.round(false);
      this.rate?.next(round);
      stalledRounds = round.remainingPages < least ? 0 : stalledRounds + 1;
      least = Math.min(least, round.remainingPages);
      const reason = this.reasonToStop(round, stalledRounds);
      if (reason) return reason;
    }
  }

  private reasonToStop(last: RoundReport, stalledRounds: number): StopReason | undefined {
    const { downtimeLimitMs = 300, maxRounds = 29, maxStalledRounds = 3 } = this.options;
    const { maxVolume = 3 } = this.options;
    const affordable = this.pagesPerMs(last) * downtimeLimitMs;
    if (last.remainingPages <= Math.max(affordable, FEW_PAGES)) return "small remainder";
    if (this.frames.onlyHotLacking) return "writable set";
    if (this.rate?.isExceeded) return "dirty rate";
    if (stalledRounds >= maxStalledRounds) return "no progress";
    if (this.rounds.length >= maxRounds) return "round limit";
    if (this.pagesTransferred() > maxVolume * this.source.frameCount) return "volume limit";
    return undefined;
  }

  /** How fast stop-and-copy will be. */
  private pagesPerMs({ pages, wireBytes, elapsedMs, bytesPerSecond }: RoundReport): number {
    const ms = Math.max(elapsedMs, 1);
    // The first round is full of pages that cost next to nothing, such as zeros. Those that are
    // dirtied seldom do, so they are taken for the worst until a round of them was sent.
    const speed = (this.rounds.length === 1 ? wireBytes / PAGE_BYTES : pages) / ms;
    if (!this.rate || bytesPerSecond === undefined) return speed;
    const isHeldBack = (wireBytes / ms) * 1000 >= bytesPerSecond * HELD_BACK;
    return isHeldBack ? speed * (this.rate.maximum / bytesPerSecond) : speed;
  }

  private async stopAndCopy(): Promise<void> {
    this.step = "pause";
    this.options.signal?.throwIfAborted();
    this.writableSetPages = this.frames.hotPages;
    this.pausedAt = this.clock.now();
    await this.source.pause();
    await this.live.takeDirty();
    for (let n = 0; n < LAST_ROUNDS && this.frames.lackingPages > 0; n++) await this.round(true);
    const left = this.frames.lackingPages;
    if (left === 0) return;
    const reason = `${left} pages were not read, or written although the guest is paused`;
    throw new PagefoldError("CHANGED", reason);
  }

  private async round(isLast: boolean): Promise<RoundReport> {
    this.step = isLast ? "stop-and-copy" : `round ${this.rounds.length + 1}`;
    const { options, rate, live, frames } = this;
    const bytesPerSecond = isLast ? rate?.maximum : rate?.bytesPerSecond;
    const beganAt = this.clock.now();
    const dirty = live.begin(isLast);
    const bits = this.rounds.length === 0 ? undefined : dirty;
    const limits = { bytesPerSecond, signal: options.signal };
    const wireBytes = await this.sink.round(live, bits, limits);
    options.signal?.throwIfAborted();
    await live.end();
    const report: RoundReport = {
      pages: live.pagesRead,
      wireBytes,
      elapsedMs: this.clock.now() - beganAt,
      dirtiedPages: frames.writtenPages,
      putOffPages: frames.putOffPages,
      remainingPages: frames.lackingPages,
      bytesPerSecond,
    };
    this.rounds.push(report);
    options.onRound?.(report);
    return report;
  }

  /** What to throw, after the guest was resumed if that is needed. */
  private async backOut(error: unknown): Promise<unknown> {
    const { signal } = this.options;
    const what = `${this.step}: ${reasonOf(error)}`;
    this.sink.abort?.(what);
    let then = "the guest runs on at the source";
    if (this.pausedAt !== undefined) {
      try {
        await this.source.resume();
      } catch (refusal) {
        const reason = `it could not be resumed and stays paused: ${reasonOf(refusal)}`;
        return this.failure(`${what}; ${reason}`, "paused", error);
      }
      const ms = Math.round(this.clock.now() - this.pausedAt);
      then = `the guest runs again at the source, after ${ms} ms`;
    }
    if (signal?.aborted) return signal.reason;
    return this.failure(`${what}; ${then}`, "running", error);
  }

  private failure(message: string, remains: Remains, cause: unknown): PrecopyError {
    const known = cause instanceof PagefoldError ? cause.code : this.codeOfOthers();
    const code = remains === "in doubt" ? "DOUBT" : known;
    return new PrecopyError(message, code, remains, this.rounds, { cause });
  }

  /** Whose fault an error is that does not say so itself. */
  private codeOfOthers(): ErrorCode {
    return this.live.hasFailed || this.step === "pause" ? "INPUT" : "CONNECTION";
  }

  private pagesTransferred(): number {
    return this.rounds.reduce((sum, { pages }) => sum + pages, 0);
  }

  private report(stopReason: StopReason, beganAt: number): PrecopyReport {
    const endedAt = this.clock.now();
    const pausedAt = this.pausedAt ?? endedAt;
    return {
      stopReason,
      rounds: this.rounds,
      preparationTimeMs: pausedAt - beganAt,
      downtimeMs: endedAt - pausedAt,
      resumeTimeMs: 0,
      totalMigrationTimeMs: endedAt - beganAt,
      pagesTransferred: this.pagesTransferred(),
      wireBytes: this.rounds.reduce((sum, { wireBytes }) => sum + wireBytes, 0),
      writableSetPages: this.writableSetPages,
    };
  }
}
