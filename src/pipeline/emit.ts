// Turns an encoded batch into records, in frame order: from here on every page has its slot.
import type { Arena } from "../core/arena.ts";
import { MAX_CLUSTER_ITEMS } from "../core/limits.ts";
import { BATCH_PAGES, Outcome, PLAN_BYTES, slabPart } from "../core/slab.ts";
import type { Scope } from "../dedup/scope.ts";
import {
  FINGERPRINT_BYTES,
  LOOKUP_FULL,
  LOOKUP_INSERTED,
  NO_ENTRY,
  SURVEY_RECORD_BYTES,
  SURVEY_UNIFORM,
  SURVEY_ZERO,
} from "../kernels/abi.ts";
import type { EncodedCluster } from "../pool/task.ts";
import type { FrameCounts } from "../wire/imagehead.ts";
import {
  type ClusterEntry,
  type PagesHead,
  pushRun,
  RecordKind,
  type Run,
} from "../wire/records.ts";
import type { Batch, BatchLog } from "./batch.ts";

/** What emitting needs to know of the session. */
export interface EmitContext {
  readonly arena: Arena;
  readonly scope: Scope;
  readonly log: BatchLog;
}

/** An emitted batch: its head, and what the index wants to know. */
export interface Emitted {
  readonly head: PagesHead;
  /** Fingerprints of the stored items, in the order of clusters and items. */
  readonly fingerprints: Uint8Array<ArrayBuffer>;
  /** Entries of pages stored without references, by page; NO_ENTRY for the others. */
  readonly plainEntries: Uint32Array<ArrayBuffer>;
  readonly unlistedPages: number;
}

/**
 * Makes the records of `batch`, tells the scope the slots of what it stores, and adds to `counts`.
 * `firstCluster` is the number of the first of `clusters`.
 */
export function emitBatch(
  context: EmitContext,
  batch: Batch,
  clusters: readonly EncodedCluster[],
  firstCluster: number,
  counts: FrameCounts,
): Emitted {
  const emitter = new Emitter(context, batch, clusters, firstCluster, counts);
  const { frames } = batch;
  for (let page = 0; page < frames.length; page++) emitter.page(page);
  const entries: ClusterEntry[] = clusters.map(({ byteLength, itemCount, isDeltas }) => {
    return { byteLength, itemCount, isDeltas };
  });
  const head = {
    image: batch.source.image,
    firstFrame: frames.first,
    frameCount: frames.last - frames.first + 1,
    firstCluster,
    clusters: entries,
    runs: emitter.runs,
  };
  const { plainEntries, unlistedPages } = emitter;
  return { head, fingerprints: emitter.fingerprints(), plainEntries, unlistedPages };
}

/** Hands out the items of the clusters of one kind in order. */
class ItemCursor {
  private readonly clusters: readonly EncodedCluster[];
  private readonly isDeltas: boolean;
  private index = 0;
  private item = 0;

  constructor(clusters: readonly EncodedCluster[], isDeltas: boolean) {
    this.clusters = clusters;
    this.isDeltas = isDeltas;
  }

  /** Index of the cluster and item of the next page, as cluster × 256 + item. */
  next(): number {
    const { clusters } = this;
    while (
      clusters[this.index].isDeltas !== this.isDeltas ||
      this.item === clusters[this.index].itemCount
    ) {
      this.index++;
      this.item = 0;
    }
    return this.index * MAX_CLUSTER_ITEMS + this.item++;
  }
}

class Emitter {
  readonly runs: Run[] = [];
  readonly plainEntries = new Uint32Array(BATCH_PAGES).fill(NO_ENTRY);
  unlistedPages = 0;
  private readonly context: EmitContext;
  private readonly batch: Batch;
  private readonly clusters: readonly EncodedCluster[];
  private readonly firstCluster: number;
  private readonly counts: FrameCounts;
  private readonly stored: ItemCursor;
  private readonly deltas: ItemCursor;
  /** Pages that take an item, by kind, in order. */
  private readonly items = { pages: [] as number[], deltas: [] as number[] };
  private nextFrame: number;

  constructor(
    context: EmitContext,
    batch: Batch,
    clusters: readonly EncodedCluster[],
    firstCluster: number,
    counts: FrameCounts,
  ) {
    this.context = context;
    this.batch = batch;
    this.clusters = clusters;
    this.firstCluster = firstCluster;
    this.counts = counts;
    this.stored = new ItemCursor(clusters, false);
    this.deltas = new ItemCursor(clusters, true);
    this.nextFrame = batch.frames.first;
  }

  page(page: number): void {
    const frame = this.batch.frames.at(page);
    if (frame > this.nextFrame) {
      pushRun(this.runs, { kind: RecordKind.SKIP, length: frame - this.nextFrame });
    }
    this.nextFrame = frame + 1;
    const { words } = this.context.arena;
    const { slabPtr } = this.batch;
    switch (words[(slabPart(slabPtr, "plan") + page * PLAN_BYTES + 8) / 4]) {
      case Outcome.EQUAL:
        this.duplicate(words[slabPart(slabPtr, "entries") / 4 + page]);
        break;
      case Outcome.STORED:
        this.store(page);
        break;
      case Outcome.DELTA:
        this.delta(page);
        break;
      default:
        this.constant(page);
    }
  }

  /** Copies the fingerprints of stored items into the order of the clusters. */
  fingerprints(): Uint8Array<ArrayBuffer> {
    const pages = this.items.pages.concat(this.items.deltas);
    const result = new Uint8Array(pages.length * FINGERPRINT_BYTES);
    const source = slabPart(this.batch.slabPtr, "fingerprints");
    pages.forEach((page, i) => {
      const at = source + page * FINGERPRINT_BYTES;
      result.set(this.context.arena.at(at, FINGERPRINT_BYTES), i * FINGERPRINT_BYTES);
    });
    return result;
  }

  private constant(page: number): void {
    const at = slabPart(this.batch.slabPtr, "records") + page * SURVEY_RECORD_BYTES;
    const { words, view } = this.context.arena;
    const kind = words[at / 4];
    if (kind === SURVEY_ZERO) {
      this.counts.zero++;
      pushRun(this.runs, { kind: RecordKind.ZERO, length: 1 });
    } else if (kind === SURVEY_UNIFORM) {
      this.counts.uniform++;
      const word = view.getBigUint64(at + 8, true);
      pushRun(this.runs, { kind: RecordKind.UNIFORM, length: 1, word });
    } else {
      throw new Error(`page ${page} of batch ${this.batch.ordinal} has no outcome`);
    }
  }

  private duplicate(entry: number): void {
    const { scope, log } = this.context;
    const slot = scope.slotOf(entry);
    if (!slot) throw new Error(`entry ${entry} has no slot`);
    const ordinal = scope.ordinalOf(entry);
    const owner = Math.floor(ordinal / BATCH_PAGES);
    if (slot.isBase) {
      this.counts.base++;
      const frame = log.frame(owner, ordinal % BATCH_PAGES);
      pushRun(this.runs, { kind: RecordKind.BASE, length: 1, frame });
      return;
    }
    if (log.source(owner)?.image === this.batch.source.image) this.counts.duplicateInside++;
    else this.counts.duplicateAcross++;
    const { cluster, item } = slot;
    pushRun(this.runs, { kind: RecordKind.DUPLICATE, length: 1, cluster, item });
  }

  private store(page: number): void {
    const place = this.stored.next();
    const index = Math.floor(place / MAX_CLUSTER_ITEMS);
    if (this.clusters[index].isRaw) this.counts.raw++;
    else this.counts.compressed++;
    this.items.pages.push(page);
    pushRun(this.runs, { kind: RecordKind.STORED, length: 1 });
    this.keep(page, index, place % MAX_CLUSTER_ITEMS, false);
  }

  private delta(page: number): void {
    const place = this.deltas.next();
    this.counts.similar++;
    this.items.deltas.push(page);
    pushRun(this.runs, { kind: RecordKind.DELTA, length: 1 });
    const index = Math.floor(place / MAX_CLUSTER_ITEMS);
    this.keep(page, index, place % MAX_CLUSTER_ITEMS, true);
  }

  /** A page that this batch brought into the table now has a slot. */
  private keep(page: number, index: number, item: number, isDeltas: boolean): void {
    const { arena, scope } = this.context;
    const code = arena.bytes[slabPart(this.batch.slabPtr, "codes") + page];
    if (code === LOOKUP_FULL) this.unlistedPages++;
    if (code !== LOOKUP_INSERTED) return;
    const entry = arena.words[slabPart(this.batch.slabPtr, "entries") / 4 + page];
    scope.setSlot(entry, this.firstCluster + index, item, isDeltas);
    if (!isDeltas) this.plainEntries[page] = entry;
  }
}
