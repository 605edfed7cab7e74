// Counts what a guest's stream has brought: pages, and passes over its memory. The stream does not
// say where a pass begins; frames come in rising order within one.
import type { GuestBatch } from "./guesthost.ts";

/** Where a stream stands. */
export type StreamStage = "waiting" | "memory" | "handover" | "postcopy";

export class StreamProgress {
  stage: StreamStage = "waiting";
  pageCount = 0;
  round = 0;
  /** Pages of the last round. */
  roundPages = 0;
  /** When the last memory had come, the target was told to take over, and its QEMU answered. */
  private ramEndAt: number | undefined;
  private committedAt: number | undefined;
  private answeredAt: number | undefined;
  private lastFrame = Number.POSITIVE_INFINITY;

  batch({ pageCount, frames }: GuestBatch): void {
    this.pageCount += pageCount;
    for (let page = 0; page < pageCount; page++) {
      if (frames[page] < this.lastFrame) {
        this.round++;
        this.roundPages = 0;
      }
      this.roundPages++;
      this.lastFrame = frames[page];
    }
    if (this.stage === "waiting") this.stage = "memory";
  }

  ramEnded(stage: "handover" | "postcopy"): void {
    this.stage = stage;
    this.ramEndAt ??= performance.now();
  }

  committed(): void {
    this.committedAt = performance.now();
  }

  answered(): void {
    this.answeredAt ??= performance.now();
  }

  /** From the last memory to the answer. */
  get handoverMs(): number | undefined {
    return between(this.ramEndAt, this.answeredAt);
  }

  /** From the release to the answer, or until now. */
  get doubtMs(): number | undefined {
    return between(this.committedAt, this.answeredAt ?? performance.now());
  }
}

function between(from: number | undefined, to: number | undefined): number | undefined {
  return from === undefined || to === undefined ? undefined : to - from;
}
