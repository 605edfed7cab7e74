// Holds back what a batch makes findable by similarity, until the batch that comes SKETCH_LAG
// later is matched. So what a batch sees depends on its number alone, not on who was faster, and
// a delta only ever names content that is written.
import type { Arena, Region } from "../core/arena.ts";
import { BATCH_PAGES, slabPart } from "../core/slab.ts";
import type { Scope } from "../dedup/scope.ts";
import { type Kernels, SURVEY_RECORD_BYTES } from "../kernels/abi.ts";
import type { Batch } from "./batch.ts";

/** Batch n sees the sketches of batches up to n − SKETCH_LAG (`LAG` of the design). */
export const SKETCH_LAG = 16;

const RECORDS_BYTES = BATCH_PAGES * SURVEY_RECORD_BYTES;
const HELD_BYTES = RECORDS_BYTES + BATCH_PAGES * 4;

export class SketchLag {
  private readonly arena: Arena;
  private readonly kernels: Kernels;
  private readonly scope: Scope;
  private readonly region: Region;
  /** By ordinal modulo SKETCH_LAG: when the batch is written, and its pages (0: none held). */
  private readonly written: (Promise<unknown> | undefined)[] = new Array(SKETCH_LAG);
  private readonly pageCounts = new Uint32Array(SKETCH_LAG);

  constructor(arena: Arena, kernels: Kernels, scope: Scope) {
    this.arena = arena;
    this.kernels = kernels;
    this.scope = scope;
    this.region = arena.reserve(SKETCH_LAG * HELD_BYTES, "sketches");
  }

  /** Resolves when the batch that `ordinal` may see has been written. */
  ready(ordinal: number): Promise<unknown> | undefined {
    return this.written[ordinal % SKETCH_LAG];
  }

  follow(ordinal: number, written: Promise<unknown>): void {
    this.written[ordinal % SKETCH_LAG] = written;
  }

  /** Keeps the sketches of an emitted batch's pages that are stored without references. */
  keep(batch: Batch): void {
    const records = slabPart(batch.slabPtr, "records");
    const held = this.heldPtr(batch.ordinal);
    this.arena.bytes.copyWithin(held, records, records + RECORDS_BYTES);
    const plain = slabPart(batch.slabPtr, "plain");
    this.arena.bytes.copyWithin(held + RECORDS_BYTES, plain, plain + BATCH_PAGES * 4);
    this.pageCounts[batch.ordinal % SKETCH_LAG] = batch.frames.length;
  }

  /** Makes findable what batch `ordinal` may see from now on. */
  apply(ordinal: number): void {
    const index = ordinal % SKETCH_LAG;
    if (this.pageCounts[index] === 0) return;
    const held = this.heldPtr(ordinal);
    const { sketchPtr } = this.scope;
    this.kernels.sketchInsert(sketchPtr, held, held + RECORDS_BYTES, this.pageCounts[index]);
    this.pageCounts[index] = 0;
  }

  close(): void {
    this.arena.release(this.region);
  }

  private heldPtr(ordinal: number): number {
    return this.region.ptr + (ordinal % SKETCH_LAG) * HELD_BYTES;
  }
}
