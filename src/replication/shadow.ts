// The memory of a guest as its last captured epoch had it. It takes in every further epoch, finds
// the blocks of 64 bytes that have changed, and keeps account of them until a backup has them.
import { PAGE_BYTES } from "../core/page.ts";
import type { Kernels } from "../kernels/abi.ts";
import { compileKernels, createMemory, instantiateKernels } from "../kernels/load.ts";
import type { CapturedBatch, CaptureSink, PageRoom } from "./capture.ts";
import { isZeroPage } from "./capturepages.ts";
import {
  BLOCK_BYTES,
  bitsOf,
  MAX_PATCH_PAGES,
  PATCH_ENTRY_BYTES,
  PATCH_HEAD_BYTES,
  PatchWriter,
} from "./patch.ts";
import { type GuestIdentity, ramBytesOf } from "./storeidentity.ts";
import { PageHasher, SumTree } from "./storesums.ts";

const ROOM_PAGES = 256;
/** Memory is taken as it is written to: most of a guest may be zero. */
const CHUNK_PAGES = 4096;
/** The first 64 KiB belong to the kernel module. */
const NEW_PTR = 65536;
const OLD_PTR = NEW_PTR + ROOM_PAGES * PAGE_BYTES;
const MASKS_PTR = OLD_PTR + ROOM_PAGES * PAGE_BYTES;
const ALL_BLOCKS = 0xffff_ffff;

/** Blocks that have changed: two words for each frame, blocks 0–31 and blocks 32–63. */
export type ChangedBlocks = Uint32Array<ArrayBuffer>;

export class Shadow implements CaptureSink {
  private readonly kernels: Kernels;
  private readonly bytes: Uint8Array;
  private readonly masks: Uint32Array;
  private readonly pageRoom: PageRoom;
  private readonly hasher: PageHasher;
  private readonly chunks: (Uint8Array | undefined)[] = [];
  private tree: SumTree | undefined;
  private changed: ChangedBlocks = new Uint32Array(0);
  identity: GuestIdentity | undefined;

  constructor(wasm?: Uint8Array | URL) {
    const memory = createMemory(MASKS_PTR + ROOM_PAGES * 8);
    this.kernels = instantiateKernels(compileKernels(wasm), memory);
    this.bytes = new Uint8Array(memory.buffer);
    this.masks = new Uint32Array(memory.buffer, MASKS_PTR, ROOM_PAGES * 2);
    this.hasher = new PageHasher(wasm);
    this.pageRoom = {
      pages: this.bytes.subarray(NEW_PTR, NEW_PTR + ROOM_PAGES * PAGE_BYTES),
      frames: new Uint32Array(ROOM_PAGES),
    };
  }

  /** Frames of the guest; 0 before the first epoch. */
  get frameCount(): number {
    return this.changed.length / 2;
  }

  begin(identity: GuestIdentity): void {
    if (this.identity) return;
    this.identity = identity;
    const frameCount = ramBytesOf(identity) / PAGE_BYTES;
    this.changed = new Uint32Array(2 * frameCount);
    this.tree = new SumTree(this.hasher, frameCount);
  }

  room(): PageRoom {
    return this.pageRoom;
  }

  take({ pageCount, zeros }: CapturedBatch): void {
    this.compare(this.pageRoom.frames, pageCount);
    for (const { frame, count } of zeros) this.clear(frame, count);
  }

  /** Checksum of the memory as an image (docs/format.md §3). */
  checksum(): Uint8Array {
    if (!this.tree) throw new Error("there is no memory yet");
    return this.tree.checksum();
  }

  /** Takes the account of what has changed; a new one begins. */
  takeChanged(): ChangedBlocks {
    const { changed } = this;
    this.changed = new Uint32Array(changed.length);
    return changed;
  }

  /** Counts blocks as changed again that no backup has. */
  restore(changed: ChangedBlocks): void {
    for (let i = 0; i < changed.length; i++) this.changed[i] |= changed[i];
  }

  /** Counts everything that is not zero as changed. */
  restoreAll(): void {
    this.changed.fill(0);
    for (let frame = 0; frame < this.frameCount; frame++) {
      if (this.isZero(frame)) continue;
      this.changed[2 * frame] = ALL_BLOCKS;
      this.changed[2 * frame + 1] = ALL_BLOCKS;
    }
  }

  /** The changed blocks as patches of at most `patchBytes`, in frame order. */
  *patches(changed: ChangedBlocks, patchBytes: number): Generator<Uint8Array<ArrayBuffer>> {
    const writer = new PatchWriter();
    let left = 0;
    for (let frame = 0; frame < changed.length / 2; frame++) {
      const [low, high] = [changed[2 * frame], changed[2 * frame + 1]];
      if ((low | high) === 0) continue;
      const size = PATCH_ENTRY_BYTES + BLOCK_BYTES * (bitsOf(low) + bitsOf(high));
      if (writer.pageCount > 0 && (size > left || writer.pageCount === MAX_PATCH_PAGES)) {
        yield writer.take();
      }
      if (writer.pageCount === 0) left = patchBytes - PATCH_HEAD_BYTES;
      left -= size;
      writer.add(frame, low, high, this.chunkOf(frame), pageAt(frame));
    }
    if (writer.pageCount > 0) yield writer.take();
  }

  /** Compares pages in the room with what there was, and takes them over. */
  private compare(frames: Uint32Array, pageCount: number): void {
    const { bytes, masks, kernels } = this;
    for (let i = 0; i < pageCount; i++) {
      const chunk = this.chunks[Math.floor(frames[i] / CHUNK_PAGES)];
      const to = OLD_PTR + i * PAGE_BYTES;
      const at = pageAt(frames[i]);
      if (chunk) bytes.set(chunk.subarray(at, at + PAGE_BYTES), to);
      else bytes.fill(0, to, to + PAGE_BYTES);
    }
    kernels.diff(OLD_PTR, NEW_PTR, pageCount, MASKS_PTR);
    for (let i = 0; i < pageCount; i++) {
      if ((masks[2 * i] | masks[2 * i + 1]) === 0) continue;
      const from = NEW_PTR + i * PAGE_BYTES;
      const page = bytes.subarray(from, from + PAGE_BYTES);
      this.chunkOf(frames[i]).set(page, pageAt(frames[i]));
      this.note(frames[i], masks[2 * i], masks[2 * i + 1]);
    }
  }

  private clear(first: number, count: number): void {
    for (let frame = first; frame < first + count; frame++) {
      if (this.isZero(frame)) continue;
      this.bytes.fill(0, NEW_PTR, NEW_PTR + PAGE_BYTES);
      this.compare(Uint32Array.of(frame), 1);
    }
  }

  private note(frame: number, low: number, high: number): void {
    this.changed[2 * frame] |= low;
    this.changed[2 * frame + 1] |= high;
    const at = pageAt(frame);
    const page = this.chunkOf(frame).subarray(at, at + PAGE_BYTES);
    this.tree?.set(frame, this.hasher.fingerprints(page));
  }

  private isZero(frame: number): boolean {
    const chunk = this.chunks[Math.floor(frame / CHUNK_PAGES)];
    const at = pageAt(frame);
    return !chunk || isZeroPage(chunk.subarray(at, at + PAGE_BYTES));
  }

  private chunkOf(frame: number): Uint8Array {
    const index = Math.floor(frame / CHUNK_PAGES);
    let chunk = this.chunks[index];
    if (!chunk) {
      chunk = new Uint8Array(CHUNK_PAGES * PAGE_BYTES);
      this.chunks[index] = chunk;
    }
    return chunk;
  }
}

/** Where the page of a frame begins in its chunk. */
function pageAt(frame: number): number {
  return (frame % CHUNK_PAGES) * PAGE_BYTES;
}

/** Has every changed page sent as a whole. */
export function wholePages(changed: ChangedBlocks): void {
  for (let i = 0; i < changed.length; i += 2) {
    if ((changed[i] | changed[i + 1]) !== 0) changed.fill(ALL_BLOCKS, i, i + 2);
  }
}

export function countBlocks(changed: ChangedBlocks): { pageCount: number; blockCount: number } {
  let [pageCount, blockCount] = [0, 0];
  for (let i = 0; i < changed.length; i += 2) {
    const blocks = bitsOf(changed[i]) + bitsOf(changed[i + 1]);
    if (blocks > 0) pageCount++;
    blockCount += blocks;
  }
  return { pageCount, blockCount };
}
