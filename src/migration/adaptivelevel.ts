// Chooses how strongly to compress by how busy the link is: while it always has something to send,
// stronger; while it waits for the encoder, weaker. What is chosen stands in each cluster, so a
// recorded session can be replayed.
import type { LevelParameters } from "../pipeline/level.ts";

/** Weight of the last batch in the share of batches that find the link busy. */
const WEIGHT = 1 / 16;
/** Below and above these shares the level changes; then it stays for as many batches. */
const IDLE_SHARE = 0.2;
const BUSY_SHARE = 0.7;
const STAY_BATCHES = 16;

/** A level that follows the link. How similar pages are found does not change. */
export class AdaptiveLevel implements LevelParameters {
  readonly sampleBits: number;
  readonly minVotes: number;
  private readonly steps: readonly LevelParameters[];
  private index: number;
  private busyShare = 0.5;
  private stayed = 0;

  /** `steps` from weak to strong; begins with number `first`. */
  constructor(steps: readonly LevelParameters[], first: number) {
    this.steps = steps;
    this.index = first;
    this.sampleBits = steps[first].sampleBits;
    this.minVotes = steps[first].minVotes;
  }

  get clusterPages(): number {
    return this.steps[this.index].clusterPages;
  }

  get compress(): number {
    return this.steps[this.index].compress;
  }

  /** Number of the step that is used now. */
  get step(): number {
    return this.index;
  }

  /** Told for each batch whether the link still had something to send when it was ready. */
  observe(isBusy: boolean): void {
    this.busyShare += ((isBusy ? 1 : 0) - this.busyShare) * WEIGHT;
    if (++this.stayed < STAY_BATCHES) return;
    if (this.busyShare > BUSY_SHARE && this.index < this.steps.length - 1) this.move(1);
    else if (this.busyShare < IDLE_SHARE && this.index > 0) this.move(-1);
  }

  private move(by: number): void {
    this.index += by;
    this.stayed = 0;
    this.busyShare = 0.5;
  }
}
