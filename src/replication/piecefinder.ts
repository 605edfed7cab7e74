// Looks for new content in the old content of pages that changed at the same time: what a guest
// moves from page to page. It knows nothing of the wire; what it finds is left to the compressor.
import { PAGE_BYTES } from "../core/page.ts";
import type { Kernels } from "../kernels/abi.ts";
import { compileKernels, createMemory, instantiateKernels } from "../kernels/load.ts";
import type { EpochChanges } from "./changes.ts";
import { BLOCKS_PER_PAGE, MAX_PART_BLOCKS, type Piece } from "./memorypart.ts";
import { BLOCK_BYTES, eachRun } from "./patch.ts";

/** Pages that are searched: 16 MiB. */
const MAX_SEARCHED_PAGES = 4096;
/** Of each page about 256 windows are entered. */
const TABLE_BITS = 20;

/** The first 64 KiB belong to the kernel module. */
const PAGES_PTR = 65536;
const NEW_PTR = PAGES_PTR + MAX_SEARCHED_PAGES * PAGE_BYTES;
const OLDER_PTR = NEW_PTR + MAX_PART_BLOCKS * BLOCK_BYTES + BLOCK_BYTES;
const TABLE_PTR = OLDER_PTR + MAX_PART_BLOCKS * BLOCK_BYTES + BLOCK_BYTES;
const MARKS_PTR = TABLE_PTR + (4 << TABLE_BITS);
const END_PTR = MARKS_PTR + MAX_SEARCHED_PAGES * 8;

export class PieceFinder {
  private readonly kernels: Kernels;
  private readonly bytes: Uint8Array;
  private readonly marks: Uint32Array;
  private changes: EpochChanges | undefined;
  /** All frames of the epoch that changed. */
  private changed: readonly number[] = [];
  /** Those whose old pages are indexed. */
  private frames: readonly number[] = [];

  constructor(wasm?: Uint8Array | URL) {
    const memory = createMemory(END_PTR);
    this.kernels = instantiateKernels(compileKernels(wasm), memory);
    this.bytes = new Uint8Array(memory.buffer);
    this.marks = new Uint32Array(memory.buffer, MARKS_PTR, 2 * MAX_SEARCHED_PAGES);
  }

  /** Another epoch: its old pages are what is searched. In a full one there are none. */
  begin(changes: EpochChanges): void {
    this.changes = changes;
    this.changed = changes.isFull ? [] : changes.frames();
    this.frames = [];
  }

  /**
   * Where content of a part stands that is not at its place in the older content. Parts come in
   * frame order; `firstFrame` is the first one that this part changes.
   */
  find(firstFrame: number, fresh: Uint8Array, older: Uint8Array | undefined): Piece[] {
    if (firstFrame > (this.frames.at(-1) ?? -1)) this.index(firstFrame);
    const { bytes, frames, marks, kernels } = this;
    if (frames.length === 0) return [];
    bytes.set(fresh, NEW_PTR);
    if (older) bytes.set(older, OLDER_PTR);
    else bytes.fill(0, OLDER_PTR, OLDER_PTR + fresh.length);
    marks.fill(0, 0, 2 * frames.length);
    kernels.findPieces(
      NEW_PTR,
      OLDER_PTR,
      fresh.length,
      PAGES_PTR,
      frames.length,
      TABLE_PTR,
      TABLE_BITS,
      MARKS_PTR,
    );
    const pieces: Piece[] = [];
    frames.forEach((frame, i) => {
      eachRun(marks[2 * i], marks[2 * i + 1], (block, blockCount) => {
        pieces.push({ firstBlock: frame * BLOCKS_PER_PAGE + block, blockCount });
      });
    });
    return pieces;
  }

  /** Old pages from a frame on, as many as are searched at a time. */
  private index(firstFrame: number): void {
    const { bytes, changed, changes } = this;
    const from = changed.findIndex((frame) => frame >= firstFrame);
    this.frames = from < 0 ? [] : changed.slice(from, from + MAX_SEARCHED_PAGES);
    for (const [i, frame] of this.frames.entries()) {
      const page = changes?.oldPage(frame);
      if (page) bytes.set(page, PAGES_PTR + i * PAGE_BYTES);
      else bytes.fill(0, PAGES_PTR + i * PAGE_BYTES, PAGES_PTR + (i + 1) * PAGE_BYTES);
    }
    this.kernels.indexPieces(PAGES_PTR, this.frames.length, TABLE_PTR, TABLE_BITS);
  }
}
