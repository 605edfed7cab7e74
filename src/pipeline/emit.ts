// Turns an encoded batch into records, in frame order: from here on every page has its slot. A
// kernel goes through the pages; what it finds comes back as runs.
import type { Arena } from "../core/arena.ts";
import { BATCH_PAGES, PLAN_BYTES, slabPart } from "../core/slab.ts";
import type { Scope } from "../dedup/scope.ts";
import {
  FINGERPRINT_BYTES,
  type Kernels,
  LOOKUP_FULL,
  RUN_BYTES,
  RUN_DELTA,
  RUN_EQUAL,
  RUN_NAMED,
  RUN_STORED,
  RUN_UNIFORM,
  RUN_ZERO,
  SLOT_BASE,
} from "../kernels/abi.ts";
import type { FrameCounts } from "../wire/imagehead.ts";
import { type PagesHead, pushRun, RecordKind, type Run } from "../wire/records.ts";
import type { Batch, BatchLog, FrameList } from "./batch.ts";
import type { EncodedCluster } from "./encoded.ts";

/** What emitting needs to know of the session. */
export interface EmitContext {
  readonly arena: Arena;
  readonly kernels: Kernels;
  readonly scope: Scope;
  readonly log: BatchLog;
}

/** An emitted batch: its head, and what the index wants to know. */
export interface Emitted {
  readonly head: PagesHead;
  /** Fingerprints of the stored items, in the order of clusters and items. */
  readonly fingerprints: Uint8Array<ArrayBuffer>;
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
  const { arena } = context;
  const { slabPtr, frames } = batch;
  const part = (name: Parameters<typeof slabPart>[1]): number => slabPart(slabPtr, name);
  const runs: Run[] = [];
  const runCount = frames.length === 0 ? 0 : describe(context, batch, firstCluster);
  for (let i = 0; i < runCount; i++)
    addRun(context, batch, part("runs") + i * RUN_BYTES, runs, counts);
  let items = 0;
  for (const { isDeltas, isRaw, itemCount } of clusters) {
    items += itemCount;
    if (isDeltas) counts.similar += itemCount;
    else if (isRaw) counts.raw += itemCount;
    else counts.compressed += itemCount;
  }
  const codes = arena.at(part("codes"), frames.length);
  return {
    head: {
      image: batch.source.image,
      firstFrame: frames.first,
      frameCount: frames.last - frames.first + 1,
      firstCluster,
      clusters: clusters.map(({ byteLength, itemCount, isDeltas }) => {
        return { byteLength, itemCount, isDeltas };
      }),
      runs: withGaps(runs, frames, counts),
    },
    fingerprints: new Uint8Array(arena.at(part("gathered"), items * FINGERPRINT_BYTES)),
    unlistedPages: codes.includes(LOOKUP_FULL) ? codes.filter((c) => c === LOOKUP_FULL).length : 0,
  };
}

/** Lets a kernel go through the pages; returns how many runs it wrote. */
function describe({ kernels, scope }: EmitContext, batch: Batch, firstCluster: number): number {
  const part = (name: Parameters<typeof slabPart>[1]): number => slabPart(batch.slabPtr, name);
  return kernels.describePages(
    part("records"),
    part("fingerprints"),
    part("plan"),
    PLAN_BYTES,
    part("codes"),
    part("entries"),
    batch.frames.length,
    scope.tablePtr,
    part("encoded"),
    firstCluster,
    part("gathered"),
    part("plain"),
    part("runs"),
  );
}

/** Adds the run that the kernel wrote at `at`. */
function addRun(
  { arena, log }: EmitContext,
  batch: Batch,
  at: number,
  runs: Run[],
  counts: FrameCounts,
): void {
  const { view } = arena;
  const length = view.getUint32(at + 4, true);
  switch (view.getUint32(at, true)) {
    case RUN_ZERO:
      counts.zero += length;
      runs.push({ kind: RecordKind.ZERO, length });
      break;
    case RUN_UNIFORM:
      counts.uniform += length;
      runs.push({ kind: RecordKind.UNIFORM, length, word: view.getBigUint64(at + 16, true) });
      break;
    case RUN_STORED:
      runs.push({ kind: RecordKind.STORED, length });
      break;
    case RUN_DELTA:
      runs.push({ kind: RecordKind.DELTA, length });
      break;
    case RUN_NAMED:
      runs.push({ kind: RecordKind.SKIP, length });
      break;
    case RUN_EQUAL: {
      const state = view.getUint32(at + 12, true);
      const ordinal = view.getUint32(at + 16, true) + view.getUint32(at + 20, true) * 2 ** 32;
      const owner = Math.floor(ordinal / BATCH_PAGES);
      if ((state & SLOT_BASE) !== 0) {
        counts.base += length;
        const frame = log.frame(owner, ordinal % BATCH_PAGES);
        pushRun(runs, { kind: RecordKind.BASE, length, frame });
        break;
      }
      // All items of a cluster come from one batch, so the run has one owner.
      if (log.source(owner)?.image === batch.source.image) counts.duplicateInside += length;
      else counts.duplicateAcross += length;
      const cluster = view.getUint32(at + 8, true);
      runs.push({ kind: RecordKind.DUPLICATE, length, cluster, item: state & 0xff });
      break;
    }
    default:
      throw new Error(`a run of pages without an outcome in batch ${batch.ordinal}`);
  }
}

/** Runs over pages become runs over frames: between them is the base, or what there was. */
function withGaps(runs: Run[], frames: FrameList, counts: FrameCounts): Run[] {
  if (frames.last - frames.first + 1 === frames.length) return runs;
  const spread: Run[] = [];
  let page = 0;
  let next = frames.first;
  const gapUntil = (frame: number): void => {
    const length = frame - next;
    if (length === 0) return;
    if (frames.isBased) {
      counts.base += length;
      pushRun(spread, { kind: RecordKind.BASE, length, frame: next });
    } else {
      pushRun(spread, { kind: RecordKind.SKIP, length });
    }
  };
  for (const run of runs) {
    for (let i = 0; i < run.length; i++, page++) {
      const frame = frames.at(page);
      gapUntil(frame);
      next = frame + 1;
      if (run.kind === RecordKind.DUPLICATE) {
        pushRun(spread, { ...run, length: 1, item: run.item + i });
      } else if (run.kind === RecordKind.BASE) {
        pushRun(spread, { ...run, length: 1, frame: run.frame + i });
      } else {
        pushRun(spread, { ...run, length: 1 });
      }
    }
  }
  gapUntil(frames.last + 1);
  return spread;
}
