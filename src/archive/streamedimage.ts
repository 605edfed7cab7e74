// One image of a stream that is read forwards: checks that its batches come in order, has them
// restored, and compares the whole image with its checksum after every round.
import type { LostRange } from "../api.ts";
import { PagefoldError } from "../core/errors.ts";
import { MAX_FRAMES } from "../core/limits.ts";
import { PAGE_BYTES } from "../core/page.ts";
import type { PageSink, PageSource } from "../image/image.ts";
import type { EndHead, ImageHead } from "../wire/imagehead.ts";
import { type PagesHead, RecordKind } from "../wire/records.ts";
import { resolveRuns } from "../wire/slotruns.ts";
import type { ClusterStore } from "./clusterstore.ts";
import { FrameFingerprints } from "./framefingerprints.ts";
import type { FrameWriter } from "./framewriter.ts";
import { framesOf } from "./index.ts";

/** Where the pages of an image go, and the base it was made against. */
export interface StreamTarget {
  readonly sink: PageSink;
  readonly base?: PageSource | undefined;
}

export class StreamedImage {
  readonly head: ImageHead;
  readonly target: StreamTarget;
  /** Frames that could not be had, in the order in which that was found out. */
  readonly lost: LostRange[] = [];
  /** Rounds that are complete. */
  rounds = 0;
  /** True between the first batch of a round and its END. */
  isOpen = true;
  private readonly fingerprints = new FrameFingerprints();
  /** Undefined while nobody knows it. */
  private frameCount: number | undefined;
  private readonly keepsGoing: boolean;
  private readonly store: ClusterStore;
  private nextFrame = 0;

  /** `keepsGoing`: what is missing or damaged is noted as lost; otherwise it throws. */
  constructor(head: ImageHead, target: StreamTarget, store: ClusterStore, keepsGoing: boolean) {
    this.head = head;
    this.target = target;
    this.store = store;
    this.keepsGoing = keepsGoing;
    const { byteLength, segmentBytes } = head;
    if (byteLength !== undefined) this.frameCount = framesOf(byteLength, segmentBytes);
  }

  /** Frames known so far: all of them, after the first round. */
  get knownFrames(): number {
    return this.frameCount ?? this.fingerprints.frameCount;
  }

  /** Restores a batch. */
  async pages(
    pages: PagesHead,
    writer: FrameWriter,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    this.isOpen = true;
    await this.fingerprints.fetch(this.store);
    const { firstFrame } = pages;
    const end = firstFrame + pages.frameCount;
    if (end > (this.frameCount ?? MAX_FRAMES)) {
      this.damaged(`frames ${firstFrame} to ${end - 1}, it has ${this.frameCount}`);
    }
    const isGap = this.rounds === 0 && firstFrame > this.nextFrame;
    if (firstFrame < this.nextFrame || (isGap && !this.keepsGoing)) {
      this.damaged(`frame ${firstFrame} where frame ${this.nextFrame} was expected`);
    }
    if (isGap) this.loseBatch(firstFrame);
    this.nextFrame = end;
    const runs = resolveRuns(pages);
    for (const { kind } of runs) {
      if (kind === RecordKind.SKIP && this.rounds === 0) this.damaged("skips in its first round");
      if (kind === RecordKind.BASE && !this.head.base) this.damaged("a base frame without base");
    }
    const { fingerprints, target } = this;
    const reading = { signal, base: this.head.base && target.base };
    const onLost = (frame: number, reason: string): void => this.lose(frame, 1, reason);
    const into = { sink: target.sink, fingerprints };
    await writer.write(runs, firstFrame, into, reading, this.keepsGoing ? onLost : undefined);
  }

  /** Between two rounds an image need not take memory. */
  async rest(): Promise<void> {
    if (!this.isOpen) await this.fingerprints.park(this.store);
  }

  /** Ends a round; MISMATCH unless the image is what the END says, or parts are lost anyway. */
  async end(end: EndHead, checksumOf: (frames: FrameFingerprints) => Uint8Array): Promise<void> {
    await this.fingerprints.fetch(this.store);
    const { head, rounds } = this;
    if (end.round !== rounds) this.damaged(`END of round ${end.round}, not of ${rounds}`);
    if (head.byteLength !== undefined && head.byteLength !== end.byteLength) {
      this.damaged(`begins with ${head.byteLength} and ends with ${end.byteLength} bytes`);
    }
    const frameCount = framesOf(end.byteLength, head.segmentBytes);
    const known = this.frameCount ?? this.fingerprints.frameCount;
    if (rounds > 0 ? known !== frameCount : this.nextFrame > frameCount) {
      this.damaged(`${known} frames, its END says ${frameCount}`);
    }
    if (rounds === 0 && this.nextFrame < frameCount) {
      if (!this.keepsGoing) this.damaged(`${this.nextFrame} frames, its END says ${frameCount}`);
      this.loseBatch(frameCount);
    }
    this.frameCount = frameCount;
    this.rounds++;
    this.isOpen = false;
    this.nextFrame = 0;
    if (this.lost.length > 0) return;
    if (Buffer.compare(checksumOf(this.fingerprints), end.checksum) === 0) return;
    const reason = `round ${end.round}: its content is not what its checksum says`;
    throw new PagefoldError("MISMATCH", `${head.name}: ${reason}`);
  }

  /** Notes everything that did not come before the stream ended; returns the image's bytes. */
  cutOff(): number {
    const byteLength = this.head.byteLength ?? this.knownFrames * PAGE_BYTES;
    this.frameCount = this.knownFrames;
    if (this.rounds === 0) this.loseBatch(this.frameCount);
    else if (this.isOpen) this.lose(0, this.frameCount, `round ${this.rounds} is cut off`);
    this.isOpen = false;
    return byteLength;
  }

  /** Notes that the image as a whole is not what it should be. */
  loseAll(reason: string): void {
    this.lose(0, this.knownFrames, reason);
  }

  private loseBatch(endFrame: number): void {
    const count = endFrame - this.nextFrame;
    if (count > 0) this.lose(this.nextFrame, count, "the batch that tells it is lost");
    this.nextFrame = endFrame;
  }

  private lose(firstFrame: number, frameCount: number, reason: string): void {
    const last = this.lost.at(-1);
    if (last && last.firstFrame + last.frameCount === firstFrame && last.reason === reason) {
      last.frameCount += frameCount;
    } else {
      this.lost.push({ name: this.head.name, firstFrame, frameCount, reason });
    }
  }

  private damaged(reason: string): never {
    throw new PagefoldError("DAMAGED", `${this.head.name}: ${reason}`);
  }
}
