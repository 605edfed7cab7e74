// What has changed in a guest's memory since an epoch that the backup will have: the blocks of 64
// bytes, and each changed page as it was before. What is kept is bounded by the changed pages.
import { PAGE_BYTES } from "../core/page.ts";
import { bitsOf } from "./patch.ts";

/** Bytes that are sent together when one of them has changed. */
export type Granularity = 64 | 128 | 256 | 4096;

/** Pages of one piece of memory for old versions. */
const SLAB_PAGES = 256;
const ALL_BLOCKS = 0xffff_ffff;

export class EpochChanges {
  /** Two words for each frame, blocks 0–31 and blocks 32–63: the ones that have changed. */
  readonly masks: Uint32Array<ArrayBuffer>;
  /** Whether it leads from a memory of zeros: then nothing is kept of what was before. */
  readonly isFull: boolean;
  private readonly old = new Map<number, Uint8Array>();
  private slab = new Uint8Array(0);
  private slabPages = 0;

  constructor(frameCount: number, isFull: boolean) {
    this.masks = new Uint32Array(2 * frameCount);
    this.isFull = isFull;
  }

  get frameCount(): number {
    return this.masks.length / 2;
  }

  /** Counts blocks of a frame as changed; `before` is its page as it was until now. */
  note(frame: number, low: number, high: number, before: Uint8Array): void {
    this.masks[2 * frame] |= low;
    this.masks[2 * frame + 1] |= high;
    if (this.isFull || this.old.has(frame)) return;
    if (this.slabPages * PAGE_BYTES === this.slab.length) {
      this.slab = new Uint8Array(SLAB_PAGES * PAGE_BYTES);
      this.slabPages = 0;
    }
    const at = this.slabPages++ * PAGE_BYTES;
    const page = this.slab.subarray(at, at + PAGE_BYTES);
    page.set(before);
    this.old.set(frame, page);
  }

  has(frame: number): boolean {
    return (this.masks[2 * frame] | this.masks[2 * frame + 1]) !== 0;
  }

  /** Changed frames, ascending. */
  frames(): number[] {
    const frames: number[] = [];
    for (let frame = 0; frame < this.frameCount; frame++) {
      if (this.has(frame)) frames.push(frame);
    }
    return frames;
  }

  /** Counts all of a page as changed. */
  noteWhole(frame: number): void {
    this.masks.fill(ALL_BLOCKS, 2 * frame, 2 * frame + 2);
  }

  /** The page of a changed frame as the backup has it; undefined in a full epoch. */
  oldPage(frame: number): Uint8Array | undefined {
    return this.old.get(frame);
  }

  /** Takes in changes of the time before, which have not reached the backup. */
  precede(before: EpochChanges): void {
    for (let i = 0; i < this.masks.length; i++) this.masks[i] |= before.masks[i];
    for (const [frame, page] of before.old) this.old.set(frame, page);
  }

  /** Changes blocks of 64 bytes into the larger ones that hold them. */
  widen(granularity: Granularity): void {
    if (granularity === 64) return;
    for (let i = 0; i < this.masks.length; i += 2) {
      if ((this.masks[i] | this.masks[i + 1]) === 0) continue;
      if (granularity === 4096) this.noteWhole(i / 2);
      else
        for (let word = i; word < i + 2; word++)
          this.masks[word] = wider(this.masks[word], granularity);
    }
  }

  count(): { pageCount: number; blockCount: number } {
    let [pageCount, blockCount] = [0, 0];
    for (let i = 0; i < this.masks.length; i += 2) {
      const blocks = bitsOf(this.masks[i]) + bitsOf(this.masks[i + 1]);
      if (blocks > 0) pageCount++;
      blockCount += blocks;
    }
    return { pageCount, blockCount };
  }
}

/** Every second, or every fourth bit tells of its neighbours too. */
function wider(word: number, granularity: 128 | 256): number {
  let bits = (word | (word >>> 1)) & 0x5555_5555;
  if (granularity === 256) bits = (bits | (bits >>> 2)) & 0x1111_1111;
  return Math.imul(bits, granularity === 128 ? 3 : 15) >>> 0;
}
