// One batch on its way through the pipeline: which frames of which source it holds, and the slab
// that holds them until its clusters are written and nobody compares with it any more.
import type { FrameMap } from "../core/extent.ts";
import type { FrameCounts } from "../wire/imagehead.ts";

/** An image as the pipeline sees it. */
export interface FoldSource {
  /** For messages. */
  readonly name: string;
  /** Image number in the stream; −1 for a base image. */
  readonly image: number;
  /** An open file that can be read again, with its frames; undefined for other sources. */
  readonly file: { readonly fd: number; readonly map: FrameMap } | undefined;
}

/** Frames of a batch: `frames[i]` is in page i of the slab, in rising order. */
export interface Batch {
  /** Number among all batches of the session, base batches included. */
  readonly ordinal: number;
  readonly source: FoldSource;
  readonly frames: FrameList;
  readonly slabPtr: number;
}

/** Consecutive frames, or any rising ones. */
export interface FrameList {
  readonly length: number;
  /** What the batch speaks of: frames from `first` to `last`, those between the listed ones too. */
  readonly first: number;
  readonly last: number;
  /** Frames that are not listed are those of the base; otherwise they are what they were. */
  readonly isBased?: boolean;
  at(page: number): number;
}

export function consecutiveFrames(first: number, length: number): FrameList {
  return { length, first, last: first + length - 1, at: (page) => first + page };
}

export function listedFrames(frames: ArrayLike<number>): FrameList {
  return {
    length: frames.length,
    first: frames[0],
    last: frames[frames.length - 1],
    at: (page) => frames[page],
  };
}

/** Frames from `first` to `last`, of which those listed differ from the base. */
export function changedFrames(frames: readonly number[], first: number, last: number): FrameList {
  return { length: frames.length, first, last, isBased: true, at: (page) => frames[page] };
}

/** Remembers which frames each ordinal stood for, in few bytes, after the batch is gone. */
export class BatchLog {
  private readonly sources: FoldSource[] = [];
  private readonly lists: FrameList[] = [];

  add(source: FoldSource, frames: FrameList): number {
    this.sources.push(source);
    this.lists.push(frames);
    return this.sources.length - 1;
  }

  source(ordinal: number): FoldSource {
    return this.sources[ordinal];
  }

  frame(ordinal: number, page: number): number {
    return this.lists[ordinal].at(page);
  }
}

/** Hears of the batches of one image, in frame order. */
export interface BatchListener {
  readonly counts: FrameCounts;
  /** The slab of `batch` is valid during the call. */
  emitted(batch: Batch, numbers: BatchNumbers): void;
}

export interface BatchNumbers {
  readonly storedBytes: number;
  readonly unlistedPages: number;
}
