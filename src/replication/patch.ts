// A patch: changed memory as a file or a wire carries it, with the absolute content of its blocks.
// Applied twice, or over a half applied one, it gives the same; the store's safety rests on that.
//
//   0   u32 pages n, at most 1024      4   u32 blocks b
//   8   n × u64 mask: bit i says that block i of 64 bytes is here; at least one bit
//       n × u32 frame, ascending
//       b × 64 bytes: the blocks, by page and by bit
import { PagefoldError } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";

/** Bytes of a block, the unit of the diff. */
export const BLOCK_BYTES = 64;
export const MAX_PATCH_PAGES = 1024;
const PATCH_HEAD_BYTES = 8;
/** What a page takes beside its blocks. */
const PATCH_ENTRY_BYTES = 12;
export const MAX_PATCH_BYTES =
  PATCH_HEAD_BYTES + MAX_PATCH_PAGES * (PATCH_ENTRY_BYTES + PAGE_BYTES);

/** What a patch says, checked. It is a view: the bytes must not change. */
export interface Patch {
  readonly pageCount: number;
  readonly blockCount: number;
  readonly frames: Uint32Array;
  /** Two for each page: blocks 0–31, then blocks 32–63. */
  readonly masks: Uint32Array;
  /** All blocks, one after another. */
  readonly blocks: Uint8Array;
  /** The first block of each page, and one more. */
  readonly firstBlocks: Uint32Array;
}

/** Reads a patch of a memory of `frameCount` frames; DAMAGED, naming `what` and the byte. */
export function openPatch(bytes: Uint8Array, frameCount: number, what: string): Patch {
  const fail = (at: number, reason: string): never => {
    throw new PagefoldError("DAMAGED", `${what}: at byte ${at}: ${reason}`);
  };
  if (bytes.length < PATCH_HEAD_BYTES) fail(0, `${bytes.length} bytes are no patch`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const pageCount = view.getUint32(0, true);
  const blockCount = view.getUint32(4, true);
  if (pageCount > MAX_PATCH_PAGES) fail(0, `${pageCount} pages, at most ${MAX_PATCH_PAGES}`);
  const wanted = patchBytes(pageCount, blockCount);
  if (bytes.length !== wanted) fail(4, `${bytes.length} bytes, not ${wanted}`);
  const frames = new Uint32Array(pageCount);
  const masks = new Uint32Array(2 * pageCount);
  const firstBlocks = new Uint32Array(pageCount + 1);
  const framesAt = PATCH_HEAD_BYTES + 8 * pageCount;
  for (let i = 0; i < pageCount; i++) {
    masks[2 * i] = view.getUint32(PATCH_HEAD_BYTES + 8 * i, true);
    masks[2 * i + 1] = view.getUint32(PATCH_HEAD_BYTES + 8 * i + 4, true);
    const count = bitsOf(masks[2 * i]) + bitsOf(masks[2 * i + 1]);
    if (count === 0) fail(PATCH_HEAD_BYTES + 8 * i, "a page without blocks");
    firstBlocks[i + 1] = firstBlocks[i] + count;
    frames[i] = view.getUint32(framesAt + 4 * i, true);
    if (frames[i] >= frameCount) fail(framesAt + 4 * i, `frame ${frames[i]} of ${frameCount}`);
    if (i > 0 && frames[i] <= frames[i - 1]) {
      fail(framesAt + 4 * i, `frame ${frames[i]} after ${frames[i - 1]}`);
    }
  }
  const named = firstBlocks[pageCount];
  if (named !== blockCount) fail(4, `${blockCount} blocks, the masks name ${named}`);
  const blocks = bytes.subarray(PATCH_HEAD_BYTES + PATCH_ENTRY_BYTES * pageCount);
  return { pageCount, blockCount, frames, masks, blocks, firstBlocks };
}

/** Puts the blocks of page `index` of the patch into the page that begins at `at`. */
export function applyPage(patch: Patch, index: number, page: Uint8Array, at = 0): void {
  const blocks = patch.blocks.subarray(patch.firstBlocks[index] * BLOCK_BYTES);
  placeBlocks(blocks, patch.masks[2 * index], patch.masks[2 * index + 1], page, at);
}

/** Puts all blocks of a patch into its pages, which lie one after another. */
export function applyPatch(patch: Patch, pages: Uint8Array): void {
  for (let i = 0; i < patch.pageCount; i++) applyPage(patch, i, pages, i * PAGE_BYTES);
}

/** Puts the blocks that a mask names, one after another in `blocks`, into the page at `at`. */
export function placeBlocks(
  blocks: Uint8Array,
  maskLow: number,
  maskHigh: number,
  page: Uint8Array,
  at: number,
): void {
  let from = 0;
  eachRun(maskLow, maskHigh, (block, count) => {
    const length = count * BLOCK_BYTES;
    page.set(blocks.subarray(from, from + length), at + block * BLOCK_BYTES);
    from += length;
  });
}

/** Collects changed pages, in frame order, into a patch. */
export class PatchWriter {
  pageCount = 0;
  private blockCount = 0;
  private readonly frames = new Uint32Array(MAX_PATCH_PAGES);
  private readonly masks = new Uint32Array(2 * MAX_PATCH_PAGES);
  private blocks = new Uint8Array(64 * PAGE_BYTES);

  /** Takes the blocks of the page that begins at `at` that the mask names: one at least. */
  add(frame: number, maskLow: number, maskHigh: number, page: Uint8Array, at = 0): void {
    const index = this.pageCount++;
    this.frames[index] = frame;
    this.masks[2 * index] = maskLow;
    this.masks[2 * index + 1] = maskHigh;
    this.reserve(PAGE_BYTES);
    eachRun(maskLow, maskHigh, (block, count) => {
      const start = at + block * BLOCK_BYTES;
      const run = page.subarray(start, start + count * BLOCK_BYTES);
      this.blocks.set(run, this.blockCount * BLOCK_BYTES);
      this.blockCount += count;
    });
  }

  get isFull(): boolean {
    return this.pageCount === MAX_PATCH_PAGES;
  }

  /** The patch, bytes of its own; the next one begins. */
  take(): Uint8Array<ArrayBuffer> {
    const { pageCount, blockCount } = this;
    const frames = this.frames.subarray(0, pageCount);
    const masks = this.masks.subarray(0, 2 * pageCount);
    this.pageCount = 0;
    this.blockCount = 0;
    return encodePatch(frames, masks, this.blocks.subarray(0, blockCount * BLOCK_BYTES));
  }

  private reserve(byteLength: number): void {
    const needed = this.blockCount * BLOCK_BYTES + byteLength;
    if (needed <= this.blocks.length) return;
    const larger = new Uint8Array(Math.max(needed, 2 * this.blocks.length));
    larger.set(this.blocks);
    this.blocks = larger;
  }
}

/** A patch of these pages, whose blocks lie one after another: bytes of its own. */
export function encodePatch(
  frames: Uint32Array,
  masks: Uint32Array,
  blocks: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const pageCount = frames.length;
  const blockCount = blocks.length / BLOCK_BYTES;
  const bytes = new Uint8Array(patchBytes(pageCount, blockCount));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, pageCount, true);
  view.setUint32(4, blockCount, true);
  const framesAt = PATCH_HEAD_BYTES + 8 * pageCount;
  for (let i = 0; i < pageCount; i++) {
    view.setUint32(PATCH_HEAD_BYTES + 8 * i, masks[2 * i], true);
    view.setUint32(PATCH_HEAD_BYTES + 8 * i + 4, masks[2 * i + 1], true);
    view.setUint32(framesAt + 4 * i, frames[i], true);
  }
  bytes.set(blocks, framesAt + 4 * pageCount);
  return bytes;
}

function patchBytes(pageCount: number, blockCount: number): number {
  return PATCH_HEAD_BYTES + PATCH_ENTRY_BYTES * pageCount + BLOCK_BYTES * blockCount;
}

/** Runs of set bits of a mask, in order. */
export function eachRun(
  low: number,
  high: number,
  each: (block: number, count: number) => void,
): void {
  for (let block = 0; block < 64; block++) {
    if (!hasBit(low, high, block)) continue;
    const first = block;
    while (block < 64 && hasBit(low, high, block)) block++;
    each(first, block - first);
  }
}

function hasBit(low: number, high: number, bit: number): boolean {
  return ((bit < 32 ? low : high) & (1 << (bit & 31))) !== 0;
}

/** How many bits are set. */
export function bitsOf(word: number): number {
  let pairs = word - ((word >>> 1) & 0x5555_5555);
  pairs = (pairs & 0x3333_3333) + ((pairs >>> 2) & 0x3333_3333);
  return Math.imul((pairs + (pairs >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}
