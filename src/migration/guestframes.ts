// What the target has of each frame of a guest: pages that are sent again are deltas against it.
import { NO_ENTRY } from "../kernels/abi.ts";
import type { Batch, FrameList } from "../pipeline/batch.ts";

/** The pages of a batch, numbered from 0, and which frames of the guest they are. */
export class GuestFrames implements FrameList {
  readonly first = 0;
  readonly length: number;
  /** Forgotten when the batch has been emitted. */
  guestFrames: Uint32Array | undefined;

  constructor(pageCount: number, guestFrames: Uint32Array) {
    this.length = pageCount;
    this.guestFrames = guestFrames;
  }

  get last(): number {
    return this.length - 1;
  }

  at(page: number): number {
    return page;
  }
}

export class FrameEntries {
  /** By frame: table entry of the last content that was stored without references. */
  private entries = new Uint32Array(0);

  /** The entry that a page of a batch may be a delta against. */
  previous(batch: Batch, page: number): number | undefined {
    const frames = (batch.frames as GuestFrames).guestFrames;
    const entry = frames ? this.entries[frames[page]] : NO_ENTRY;
    return entry === NO_ENTRY ? undefined : entry;
  }

  /** Notes what became of the pages of an emitted batch; there are `frameCount` frames. */
  emitted(batch: Batch, frameCount: number, entryOf: (page: number) => number): void {
    const list = batch.frames as GuestFrames;
    const frames = list.guestFrames;
    if (!frames) return;
    if (this.entries.length < frameCount) {
      const larger = new Uint32Array(frameCount).fill(NO_ENTRY);
      larger.set(this.entries);
      this.entries = larger;
    }
    for (let page = 0; page < list.length; page++) {
      const entry = entryOf(page);
      if (entry !== NO_ENTRY) this.entries[frames[page]] = entry;
    }
    list.guestFrames = undefined;
  }

  /** Their content is another one now, of which nothing is kept. */
  forget(frames: readonly number[]): void {
    for (const frame of frames) if (frame < this.entries.length) this.entries[frame] = NO_ENTRY;
  }
}
