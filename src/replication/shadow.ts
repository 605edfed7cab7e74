// The memory of a guest as its last captured epoch had it. It takes in every further epoch, finds
// the blocks of 64 bytes that have changed, and keeps account of them until a backup has them.
import { PAGE_BYTES } from "../core/page.ts";
import { compileKernels, type KernelModule } from "../kernels/load.ts";
import type { CapturedBatch, CaptureSink, PageRoom } from "./capture.ts";
import { isZeroPage } from "./capturepages.ts";
import { EpochChanges } from "./changes.ts";
import { PageIndex } from "./pageindex.ts";
import { CHUNK_PAGES, ShadowChunk } from "./shadowchunk.ts";
import { type GuestIdentity, ramBytesOf } from "./storeidentity.ts";
import { PageHasher, SumTree } from "./storesums.ts";

const ZERO_PAGE = new Uint8Array(PAGE_BYTES);

export class Shadow implements CaptureSink {
  private readonly module: KernelModule;
  private readonly hasher: PageHasher;
  /** Made when something is written there: most of a guest may be zero. */
  private readonly chunks: (ShadowChunk | undefined)[] = [];
  private tree: SumTree | undefined;
  private index: PageIndex | undefined;
  private changes = new EpochChanges(0, true);
  /** Whose room was given out: the next pages are likely to follow the last ones. */
  private lender: ShadowChunk | undefined;
  identity: GuestIdentity | undefined;

  constructor(wasm?: Uint8Array | URL) {
    this.module = compileKernels(wasm);
    this.hasher = new PageHasher(wasm);
  }

  /** Frames of the guest; 0 before the first epoch. */
  get frameCount(): number {
    return this.changes.frameCount;
  }

  begin(identity: GuestIdentity): void {
    if (this.identity) return;
    this.identity = identity;
    const frameCount = ramBytesOf(identity) / PAGE_BYTES;
    this.changes = new EpochChanges(frameCount, true);
    this.tree = new SumTree(this.hasher, frameCount);
    this.index = new PageIndex(this.tree);
  }

  room(): PageRoom {
    // Asked for before the guest is known, it is that of a chunk without frames.
    this.lender ??= this.identity ? this.chunkOf(0) : new ShadowChunk(this.module, 0, 0);
    return this.lender.room;
  }

  take({ room, pageCount, zeros }: CapturedBatch): void {
    const { frames } = room;
    for (let from = 0; from < pageCount; ) {
      let to = from + 1;
      const chunkEnd = endOfChunk(frames[from]);
      while (to < pageCount && frames[to] === frames[to - 1] + 1 && frames[to] < chunkEnd) to++;
      this.takeRun(room, from, to);
      from = to;
    }
    for (const { frame, count } of zeros) this.clear(frame, count);
  }

  /** The page of a frame: a view that the next epoch changes. */
  page(frame: number): Uint8Array {
    return this.chunks[Math.floor(frame / CHUNK_PAGES)]?.page(frame) ?? ZERO_PAGE;
  }

  /** Another frame of the same content, if one is known. */
  sameAs(frame: number): number | undefined {
    const other = this.index?.sameAs(frame);
    if (other === undefined) return undefined;
    return Buffer.compare(this.page(other), this.page(frame)) === 0 ? other : undefined;
  }

  /** Checksum of the memory as an image (docs/format.md §3). */
  checksum(): Uint8Array {
    if (!this.tree) throw new Error("there is no memory yet");
    return this.tree.checksum();
  }

  /** Takes the account of what has changed; a new one begins, of what follows. */
  takeChanges(): EpochChanges {
    const { changes } = this;
    this.changes = new EpochChanges(changes.frameCount, false);
    return changes;
  }

  /** Counts what was taken as changed again: the backup does not have it. */
  restore(taken: EpochChanges): void {
    this.changes.precede(taken);
  }

  /** Counts everything that is not zero as changed, as for a backup that has nothing. */
  restoreAll(): void {
    this.changes = new EpochChanges(this.frameCount, true);
    for (let frame = 0; frame < this.frameCount; frame++) {
      if (!isZeroPage(this.page(frame))) this.changes.noteWhole(frame);
    }
  }

  /** Takes entries [from, to) of a room, whose frames follow one another in one chunk. */
  private takeRun({ pages, frames }: PageRoom, from: number, to: number): void {
    const chunk = this.chunkOf(frames[from]);
    if (pages !== chunk.room.pages) {
      const run = pages.subarray(from * PAGE_BYTES, to * PAGE_BYTES);
      chunk.room.pages.set(run, from * PAGE_BYTES);
      this.lender = chunk;
    }
    this.compare(chunk, from, frames[from], to - from);
  }

  private clear(first: number, count: number): void {
    for (let frame = first; frame < first + count; frame++) {
      if (isZeroPage(this.page(frame))) continue;
      const chunk = this.chunkOf(frame);
      chunk.room.pages.fill(0, 0, PAGE_BYTES);
      this.compare(chunk, 0, frame, 1);
    }
  }

  private compare(chunk: ShadowChunk, index: number, first: number, count: number): void {
    const { changes, tree, index: pages } = this;
    const changed: number[] = [];
    chunk.compare(index, first, count, (frame, low, high, before) => {
      changes.note(frame, low, high, before);
      changed.push(frame);
    });
    for (const frame of changed) {
      tree?.set(frame, chunk.fingerprint(frame));
      pages?.enter(frame);
    }
  }

  private chunkOf(frame: number): ShadowChunk {
    const index = Math.floor(frame / CHUNK_PAGES);
    const first = index * CHUNK_PAGES;
    const count = Math.min(CHUNK_PAGES, this.frameCount - first);
    this.chunks[index] ??= new ShadowChunk(this.module, first, count);
    return this.chunks[index];
  }
}

function endOfChunk(frame: number): number {
  return (Math.floor(frame / CHUNK_PAGES) + 1) * CHUNK_PAGES;
}
