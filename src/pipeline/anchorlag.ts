// Holds back the anchors of a batch until the batch that comes ANCHOR_LAG later is surveyed. So
// what a batch sees depends on its number alone, not on who was faster, and a delta only ever
// names content that is written.
import type { Arena, Region } from "../core/arena.ts";
import { BATCH_PAGES, slabPart } from "../core/slab.ts";
import { ANCHORS_MAX, type Kernels } from "../kernels/abi.ts";
import type { AnchorView } from "../pool/task.ts";
import type { Batch } from "./batch.ts";

/**
 * Batch n sees the anchors of batches up to n − ANCHOR_LAG (`LAG` of the design): 16 MiB. With
 * twice as many the gang takes 1.6 % more, with half as many 0.5 % less, for fewer busy threads.
 */
export const ANCHOR_LAG = 8;

/** Windows of a page of which some are anchors, and places of a segment that may be taken. */
const WINDOWS_PER_PAGE = 512;
const FULL_SHARE = 3 / 4;
const MIN_BITS = 12;
const MAX_BITS = 24;

const HELD_ANCHORS_BYTES = BATCH_PAGES * ANCHORS_MAX * 4;
const HELD_BYTES = HELD_ANCHORS_BYTES + BATCH_PAGES * 5;

export interface AnchorSize {
  /** See `AnchorView`. */
  readonly sampleBits: number;
  readonly minVotes: number;
  /** Bytes that the table may take. */
  readonly memoryBytes: number;
  /** Pages that will be seen at most, if known. */
  readonly pageCount: number | undefined;
}

export class AnchorLag {
  private readonly arena: Arena;
  private readonly kernels: Kernels;
  private readonly region: Region;
  private readonly tablePtr: number;
  private readonly size: AnchorSize;
  private readonly capacity: number;
  /** By ordinal modulo ANCHOR_LAG: when the batch is written, and its pages (0: none held). */
  private readonly written: (Promise<unknown> | undefined)[] = new Array(ANCHOR_LAG);
  private readonly pageCounts = new Uint32Array(ANCHOR_LAG);
  /** By ordinal modulo ANCHOR_LAG: entries that there were when the batch had been matched. */
  private readonly limits = new Uint32Array(ANCHOR_LAG);
  private segment = 0;
  private heldCount = 0;
  private lastTurn = 0;

  constructor(arena: Arena, kernels: Kernels, size: AnchorSize) {
    this.arena = arena;
    this.kernels = kernels;
    this.size = size;
    const bits = bitsFor(kernels, size);
    this.capacity = 2 ** bits * FULL_SHARE;
    this.region = arena.reserve(tableBytes(kernels, bits) + ANCHOR_LAG * HELD_BYTES, "anchors");
    this.tablePtr = this.region.ptr + ANCHOR_LAG * HELD_BYTES;
    kernels.anchorInit(this.tablePtr, bits);
  }

  /** Resolves when the batch that `ordinal` may see has been written. */
  ready(ordinal: number): Promise<unknown> | undefined {
    return this.written[ordinal % ANCHOR_LAG];
  }

  follow(ordinal: number, written: Promise<unknown>): void {
    this.written[ordinal % ANCHOR_LAG] = written;
  }

  /** What batch `ordinal` may see. Batches ask in order, when they are ready. */
  view(ordinal: number): AnchorView {
    const index = ordinal % ANCHOR_LAG;
    const pageCount = this.pageCounts[index];
    if (pageCount > 0) {
      // Whoever read the segment that is emptied now was at least as many batches ago.
      if (this.heldCount >= this.capacity && ordinal - this.lastTurn >= ANCHOR_LAG) {
        this.turn(ordinal);
      }
      const anchors = this.heldPtr(ordinal);
      const counts = anchors + HELD_ANCHORS_BYTES;
      if (this.heldCount < this.capacity) {
        this.insert(anchors, counts, counts + BATCH_PAGES, pageCount);
      }
      this.pageCounts[index] = 0;
    }
    return this.viewUpTo(this.limits[index]);
  }

  /** Notes how many entries there are now that batch `ordinal` has been matched. */
  matched(ordinal: number, entryCount: number): void {
    this.limits[ordinal % ANCHOR_LAG] = entryCount;
  }

  /** Keeps the anchors of an emitted batch's pages that are stored without references. */
  keep(batch: Batch): void {
    const { bytes } = this.arena;
    const { slabPtr } = batch;
    const held = this.heldPtr(batch.ordinal);
    const [anchors, counts] = [slabPart(slabPtr, "anchors"), slabPart(slabPtr, "anchorCounts")];
    const plain = slabPart(slabPtr, "plain");
    bytes.copyWithin(held, anchors, anchors + HELD_ANCHORS_BYTES);
    bytes.copyWithin(held + HELD_ANCHORS_BYTES, counts, counts + BATCH_PAGES);
    const entries = held + HELD_ANCHORS_BYTES + BATCH_PAGES;
    bytes.copyWithin(entries, plain, plain + BATCH_PAGES * 4);
    this.pageCounts[batch.ordinal % ANCHOR_LAG] = batch.frames.length;
  }

  /** Makes all pages of a surveyed slab visible at once to every batch still to come. */
  learn(slabPtr: number, pageCount: number, entryCount: number): void {
    if (this.heldCount >= this.capacity) this.turn(0);
    const part = (name: Parameters<typeof slabPart>[1]): number => slabPart(slabPtr, name);
    this.insert(part("anchors"), part("anchorCounts"), part("entries"), pageCount);
    this.limits.fill(entryCount);
  }

  /** What batches see whose pages are only learnt: nothing. */
  blindView(): AnchorView {
    return this.viewUpTo(0);
  }

  close(): void {
    this.arena.release(this.region);
  }

  private viewUpTo(entryLimit: number): AnchorView {
    const { tablePtr, segment } = this;
    const { sampleBits, minVotes } = this.size;
    return { tablePtr, segment, entryLimit, sampleBits, minVotes };
  }

  private insert(anchors: number, counts: number, entries: number, pageCount: number): void {
    const { kernels, tablePtr } = this;
    this.heldCount = kernels.anchorInsert(tablePtr, anchors, counts, entries, pageCount) >>> 0;
  }

  private turn(ordinal: number): void {
    this.segment = this.kernels.anchorTurn(this.tablePtr);
    this.heldCount = 0;
    this.lastTurn = ordinal;
  }

  private heldPtr(ordinal: number): number {
    return this.region.ptr + (ordinal % ANCHOR_LAG) * HELD_BYTES;
  }
}

/** Two segments hold the anchors of all pages, as far as memory goes. */
function bitsFor(kernels: Kernels, { memoryBytes, pageCount, sampleBits }: AnchorSize): number {
  const anchors = ((pageCount ?? Number.POSITIVE_INFINITY) * WINDOWS_PER_PAGE) / 2 ** sampleBits;
  let bits = MIN_BITS;
  while (
    bits < MAX_BITS &&
    2 * FULL_SHARE * 2 ** bits < anchors &&
    tableBytes(kernels, bits + 1) + ANCHOR_LAG * HELD_BYTES <= memoryBytes
  ) {
    bits++;
  }
  return bits;
}

function tableBytes(kernels: Kernels, bits: number): number {
  return kernels.anchorBytes(bits) >>> 0;
}
