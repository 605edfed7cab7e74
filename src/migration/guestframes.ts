// What the target has of each frame of a guest: pages that are sent again are deltas against it.
import { NO_ENTRY } from "../kernels/abi.ts";
import type { Batch, FrameList } from "../pipeline/batch.ts";
import { HISTORY_LAG } from "../pipeline/history.ts";

/** The pages of a batch, numbered from 0, and which frames of the guest they are. */
export class GuestFrames implements FrameList {
  readonly first = 0;
  readonly length: number;
  /** Forgotten when the batch has been emitted. */
  guestFrames: Uint32Array | undefined;
  /** Whether its pages may be sent by name. */
  readonly mayBeNamed: boolean;

  constructor(pageCount: number, guestFrames: Uint32Array | undefined, mayBeNamed: boolean) {
    this.length = pageCount;
    this.guestFrames = guestFrames;
    this.mayBeNamed = mayBeNamed;
  }

  get last(): number {
    return this.length - 1;
  }

  at(page: number): number {
    return page;
  }
}

/** Frames of one chunk of the list: taken when one of them is sent. */
const CHUNK_BITS = 14;
const CHUNK_MASK = 2 ** CHUNK_BITS - 1;

/** What a batch, or what followed it, has changed. */
interface Change {
  readonly ordinal: number;
  readonly frames: ArrayLike<number>;
  readonly count: number;
  /** By frame; undefined before the batch was emitted. */
  entries: Uint32Array | undefined;
}

/**
 * By frame: table entry of the last content that was stored without references. A batch sees what
 * became of batches up to HISTORY_LAG before it and no later ones, however fast these were: what is
 * sent must not depend on the time that it takes.
 */
export class FrameEntries {
  private readonly chunks: (Uint32Array | undefined)[] = [];
  /** What later batches will see, in order. */
  private readonly changes: Change[] = [];

  /** The entry that a page of a batch may be a delta against. */
  previous(batch: Batch, page: number): number | undefined {
    const frames = (batch.frames as GuestFrames).guestFrames;
    if (!frames) return undefined;
    this.see(batch.ordinal - HISTORY_LAG);
    const frame = frames[page];
    const entry = this.chunks[frame >>> CHUNK_BITS]?.[frame & CHUNK_MASK] ?? NO_ENTRY;
    return entry === NO_ENTRY ? undefined : entry;
  }

  /** Pages of these frames are sent with the batch of this number. */
  sent(ordinal: number, frames: Uint32Array, count: number): void {
    this.changes.push({ ordinal, frames, count, entries: undefined });
  }

  /** Behind the batch of this number frames have got another content, of which nothing is kept. */
  forget(ordinal: number, frames: readonly number[]): void {
    const { length: count } = frames;
    if (count === 0) return;
    this.changes.push({ ordinal, frames, count, entries: new Uint32Array(count).fill(NO_ENTRY) });
  }

  /** Notes what became of the pages of an emitted batch. */
  emitted(batch: Batch, entryOf: (page: number) => number): void {
    const list = batch.frames as GuestFrames;
    const change = this.changes.find((one) => one.ordinal === batch.ordinal && !one.entries);
    if (change) change.entries = Uint32Array.from({ length: change.count }, (_, i) => entryOf(i));
    list.guestFrames = undefined;
    // Whoever looks from now on comes later; not all of them look.
    this.see(batch.ordinal - HISTORY_LAG);
  }

  private see(ordinal: number): void {
    for (let [first] = this.changes; first; [first] = this.changes) {
      const { entries } = first;
      if (first.ordinal > ordinal || !entries) return;
      // A page that became a delta leaves the content before it as the best there is.
      const isForgotten = !(first.frames instanceof Uint32Array);
      for (let i = 0; i < first.count; i++) {
        if (isForgotten || entries[i] !== NO_ENTRY) this.set(first.frames[i], entries[i]);
      }
      this.changes.shift();
    }
  }

  private set(frame: number, entry: number): void {
    let chunk = this.chunks[frame >>> CHUNK_BITS];
    if (!chunk) {
      chunk = new Uint32Array(2 ** CHUNK_BITS).fill(NO_ENTRY);
      this.chunks[frame >>> CHUNK_BITS] = chunk;
    }
    chunk[frame & CHUNK_MASK] = entry;
  }
}
