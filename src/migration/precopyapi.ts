// The types of pre-copy: what a guest and a link must offer, how to migrate, and what is reported.
// The words for times and pages are those of Hines et al., SIGOPS OSR 43(3), 2009.
import { type ErrorCode, PagefoldError } from "../core/errors.ts";
import type { PageSource } from "../image/image.ts";
import type { Clock, RateLimits } from "./adaptiverate.ts";

/** A guest that runs, with somebody who notes which frames it writes. */
export interface LiveSource extends PageSource {
  /**
   * Sets the bits (bit i of byte i >> 3 is frame i) of all frames that were written since the last
   * call, in one step forgets them, and watches on. `into` comes cleared. A write may be reported
   * too often, never too seldom: one that is over when this is called is in it, or in an earlier
   * one. It is called while pages are read, but never twice at a time.
   */
  takeDirty(into: Uint8Array): Promise<void>;
  /** Stops the guest: when it resolves, nothing writes any more. */
  pause(): Promise<void>;
  /** Lets it run on. Called at most once, after `pause` was called, even if that failed. */
  resume(): Promise<void>;
}

/** What a round is to look out for. */
export interface RoundLimits {
  /** Not to be exceeded on the wire; undefined: as fast as it goes. */
  bytesPerSecond: number | undefined;
  signal: AbortSignal | undefined;
}

/** The way to the target. */
export interface RoundSink {
  /**
   * Sends the frames of `pages` whose bit is set, or all if there are no bits, which is so in the
   * first round alone. Bits are cleared while the round runs, when frames are read or put off; to
   * look at one just before its frame is read saves most, but any other way is right too: what
   * counts as sent is what was read. In the first round, frames that are put off read as zeros.
   * Resolves with the bytes on the wire when all of them have left and no read is under way.
   */
  round(pages: PageSource, dirty: Uint8Array | undefined, limits: RoundLimits): Promise<number>;
  /** Resolves when the target has everything and has checked it; the source is paused. */
  prepare?(signal?: AbortSignal): Promise<void>;
  /**
   * Hands the guest over; resolves when the target has said that it is its own. From the call on
   * it may be: if this rejects, the source stays paused and the outcome is in doubt, unless it is
   * with `NotHandedOver`.
   */
  commit(): Promise<void>;
  /** The migration goes no further, and the guest is the source's. Not called after a doubt. */
  abort?(reason: string): void;
}

/** It is certain that the target does not run the guest: the source goes on. */
export class NotHandedOver extends PagefoldError {
  constructor(reason: string, options?: ErrorOptions) {
    super("CONNECTION", reason, options);
  }
}

/** How to migrate. */
export interface PrecopyOptions {
  signal?: AbortSignal | undefined;
  /** What stop-and-copy may take, by the rate measured so far. Default: 300 ms. */
  downtimeLimitMs?: number | undefined;
  /** Rounds while the guest runs, at most. Default: 29. */
  maxRounds?: number | undefined;
  /** Rounds in a row that may leave no less than an earlier one. Default: 3. */
  maxStalledRounds?: number | undefined;
  /** Pages that may be sent while the guest runs, in times its memory. Default: 3. */
  maxVolume?: number | undefined;
  /** Whether frames that are written again before their turn are put off. Default: true. */
  putOff?: boolean | undefined;
  /** Frames read between two looks at the dirty bits within a round. Default: 4096. */
  lookFrames?: number | undefined;
  /** Adapts the rate of each round to the guest. Default: no limit. */
  rate?: RateLimits | undefined;
  /** Called after each round. */
  onRound?: ((round: RoundReport) => void) | undefined;
  /** Default: the clock of the machine. */
  clock?: Clock | undefined;
}

/** Why the guest was stopped. The first one that holds is named. */
export type StopReason =
  | "small remainder" // it can be sent within the limit of the downtime
  | "writable set" // all that remains is written in every round
  | "dirty rate" // the guest writes faster than the maximum rate
  | "no progress" // what remains does not shrink
  | "round limit"
  | "volume limit";

/** One round. The last one of a report is stop-and-copy. */
export interface RoundReport {
  pages: number;
  wireBytes: number;
  elapsedMs: number;
  /** Frames that were written while it ran. */
  dirtiedPages: number;
  /** Frames that were not sent because they were written again. */
  putOffPages: number;
  /** Frames of which the target lacks the newest content when the round is over. */
  remainingPages: number;
  /** The rate it had to keep, if any. */
  bytesPerSecond: number | undefined;
}

/** What a migration did. */
export interface PrecopyReport {
  stopReason: StopReason;
  rounds: RoundReport[];
  /** From the beginning until the guest was told to stop. */
  preparationTimeMs: number;
  /** From then until the target said that the guest is its own. */
  downtimeMs: number;
  /** From then until nothing depends on the source: 0, as no page is left there. */
  resumeTimeMs: number;
  /** The sum of the three. */
  totalMigrationTimeMs: number;
  /** In all rounds, so that a page counts as often as it was sent. */
  pagesTransferred: number;
  wireBytes: number;
  /** Frames that were written in each of the last three rounds before the guest was stopped. */
  writableSetPages: number;
}

/** Who has the guest after a migration failed. */
export type Remains =
  | "running" // it runs at the source, and nowhere else
  | "paused" // it is at the source and could not be resumed
  | "in doubt"; // the target may have it; it is paused at the source

/** A migration that failed. `cause` is what was thrown. */
export class PrecopyError extends PagefoldError {
  readonly remains: Remains;
  readonly rounds: readonly RoundReport[];

  constructor(
    message: string,
    code: ErrorCode,
    remains: Remains,
    rounds: readonly RoundReport[],
    options: ErrorOptions,
  ) {
    super(code, `pre-copy: ${message}`, options);
    this.remains = remains;
    this.rounds = rounds;
  }
}
