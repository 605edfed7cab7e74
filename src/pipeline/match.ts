// Decides, in frame order on the main thread, what every page of a surveyed batch is supposed to
// be, and writes the plan that a worker carries out: verify, delta or store.
import type { Arena } from "../core/arena.ts";
import { PAGE_BYTES } from "../core/page.ts";
import {
  Action,
  BATCH_PAGES,
  CANDIDATE_BYTES,
  CANDIDATES_OFFSET,
  From,
  PLAN_BYTES,
  PLAN_CANDIDATES,
  slabPart,
} from "../core/slab.ts";
import { NO_ORDINAL, type Scope } from "../dedup/scope.ts";
import { type Kernels, LOOKUP_FOUND, NO_ENTRY, SKETCH_CANDIDATES } from "../kernels/abi.ts";
import type { Batch, BatchLog } from "./batch.ts";
import type { History } from "./history.ts";

/** The entry whose content a frame had before, if it is worth a delta. */
export type PreviousOf = (batch: Batch, page: number) => number | undefined;

/** Entries that have something of a page, wherever it stands in them. */
export type FoundFor = (batch: Batch, page: number) => readonly number[] | undefined;

/** What matching needs to know of the session. */
export interface MatchContext {
  readonly arena: Arena;
  readonly kernels: Kernels;
  readonly scope: Scope;
  readonly log: BatchLog;
  readonly history: History;
  /** The slab of a batch that is still in flight. Asking keeps the slab until `batch` is done. */
  slabOf(ordinal: number, batch: Batch): number | undefined;
  /** Undefined where frames have no earlier content. */
  readonly previousOf: PreviousOf | undefined;
  /** Undefined where nobody has looked. */
  readonly foundFor: FoundFor | undefined;
}

/**
 * Looks all pages of the batch up, inserts new ones, and writes the plan. Returns how many pages
 * are listed in the slab: those that are more than to be stored or not.
 */
export function matchBatch(context: MatchContext, batch: Batch): number {
  const { arena, kernels, scope } = context;
  const { slabPtr } = batch;
  const pageCount = batch.frames.length;
  const part = (name: Parameters<typeof slabPart>[1]): number => slabPart(slabPtr, name);
  writeOrdinals(arena, part("places"), batch.ordinal, pageCount);
  scope.lookUp(slabPtr, pageCount);
  const listedCount = kernels.planPages(
    part("plan"),
    PLAN_BYTES,
    part("codes"),
    part("similar"),
    pageCount,
    context.previousOf ? 1 : 0,
    part("listed"),
  );
  const planner = new Planner(context, batch);
  const [listed, entries] = [part("listed") / 4, part("entries") / 4];
  for (let i = 0; i < listedCount; i++) {
    const page = arena.words[listed + i];
    if (arena.bytes[part("codes") + page] === LOOKUP_FOUND) {
      planner.verify(page, arena.words[entries + page]);
    } else {
      planner.store(page);
    }
  }
  return listedCount;
}

/** Writes where each page comes from, for the table: batch × BATCH_PAGES + page. */
export function writeOrdinals(
  arena: Arena,
  placesPtr: number,
  ordinal: number,
  pageCount: number,
): void {
  const first = ordinal * BATCH_PAGES;
  const low = first % 2 ** 32;
  const high = Math.floor(first / 2 ** 32);
  // Ordinals of one batch never carry into the high word.
  for (let page = 0; page < pageCount; page++) {
    arena.words[placesPtr / 4 + page * 2] = low + page;
    arena.words[placesPtr / 4 + page * 2 + 1] = high;
  }
}

/** Writes the plan of one batch. */
class Planner {
  private readonly context: MatchContext;
  private readonly batch: Batch;
  private readonly plan: number;
  private readonly similar: number;

  constructor(context: MatchContext, batch: Batch) {
    this.context = context;
    this.batch = batch;
    this.plan = slabPart(batch.slabPtr, "plan");
    this.similar = slabPart(batch.slabPtr, "similar") / 4;
  }

  verify(page: number, entry: number): void {
    const found = this.candidate(page, 0, entry);
    this.write(page, found ? Action.VERIFY : Action.STORE, found ? 1 : 0);
  }

  /** A page seen for the first time: a delta if something like it is known. */
  store(page: number): void {
    let count = 0;
    const previous = this.context.previousOf?.(this.batch, page);
    if (previous !== undefined && this.reference(page, count, previous)) count++;
    const found = this.context.foundFor?.(this.batch, page) ?? [];
    for (const entry of found) {
      if (entry !== previous && this.reference(page, count, entry)) count++;
    }
    const { words } = this.context.arena;
    for (let k = 0; k < SKETCH_CANDIDATES && count < PLAN_CANDIDATES; k++) {
      const entry = words[this.similar + page * SKETCH_CANDIDATES + k];
      if (entry === NO_ENTRY) break;
      const isNamed = entry === previous || found.includes(entry);
      if (!isNamed && this.reference(page, count, entry)) count++;
    }
    this.write(page, count > 0 ? Action.DELTA : Action.STORE, count);
  }

  private write(page: number, action: number, candidates: number): void {
    const words = this.context.arena.words;
    const at = (this.plan + page * PLAN_BYTES) / 4;
    words[at] = action;
    words[at + 1] = candidates;
  }

  /** A candidate whose slot a delta may name: stored without references itself, or the base. */
  private reference(page: number, index: number, entry: number): boolean {
    const { arena, scope, log, history } = this.context;
    const slot = scope.slotOf(entry);
    if (!slot || slot.isDeltas) return false;
    const ordinal = scope.ordinalOf(entry);
    const owner = Math.floor(ordinal / BATCH_PAGES);
    const isKept = ordinal === NO_ORDINAL || log.source(owner).file !== undefined;
    if (!isKept && !history.isReference(owner, this.batch.ordinal)) return false;
    if (!this.candidate(page, index, entry)) return false;
    if (slot.isBase) history.referToBase(this.batch.ordinal, page);
    else if (!isKept) history.refer(this.batch.ordinal, owner);
    const at = this.candidatePtr(page, index);
    const frame = slot.isBase ? log.frame(owner, ordinal % BATCH_PAGES) : 0;
    arena.view.setFloat64(at + 24, slot.isBase ? frame * 2 + 1 : slot.cluster * 2, true);
    arena.view.setUint32(at + 20, slot.item, true);
    arena.bytes.copyWithin(at + 32, scope.fingerprintPtr(entry), scope.fingerprintPtr(entry) + 16);
    return true;
  }

  /** Writes where the content of an entry can be had: in flight, in its file, or in its slot. */
  private candidate(page: number, index: number, entry: number): boolean {
    const { scope, log, history } = this.context;
    const at = this.candidatePtr(page, index);
    const ordinal = scope.ordinalOf(entry);
    const slot = scope.slotOf(entry);
    if (ordinal !== NO_ORDINAL) {
      const batch = Math.floor(ordinal / BATCH_PAGES);
      const owner = ordinal % BATCH_PAGES;
      if (!log.source(batch).file) {
        const wanted = { owner: batch, page: owner, isDelta: slot?.isDeltas ?? false };
        if (!history.isReadable(wanted, this.batch.ordinal)) return false;
      }
      const slabPtr = this.context.slabOf(batch, this.batch);
      if (slabPtr !== undefined) {
        this.writeCandidate(at, From.MEMORY, 0, slabPart(slabPtr, "pages") + owner * PAGE_BYTES, 0);
        return true;
      }
      const { file } = log.source(batch);
      if (file) {
        const [run] = file.map.runs(log.frame(batch, owner), 1);
        this.writeCandidate(at, From.FILE, file.fd, run.byteOffset, run.byteLength);
        return true;
      }
    }
    if (!slot || slot.isBase) return false;
    this.writeCandidate(at, From.SLOT, 0, slot.cluster, 0);
    this.context.arena.view.setUint32(at + 20, slot.item, true);
    return true;
  }

  private writeCandidate(at: number, from: number, fd: number, offset: number, length: number) {
    const { view } = this.context.arena;
    view.setUint32(at, from, true);
    view.setUint32(at + 4, fd, true);
    view.setFloat64(at + 8, offset, true);
    view.setUint32(at + 16, length, true);
  }

  private candidatePtr(page: number, index: number): number {
    return this.plan + page * PLAN_BYTES + CANDIDATES_OFFSET + index * CANDIDATE_BYTES;
  }
}
