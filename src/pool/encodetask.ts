// Carries out the plan of a slab: compares supposed duplicates with what they should equal, tries
// deltas, and packs what is left into compressed clusters.
import { PAGE_BYTES } from "../core/page.ts";
import { Action, Outcome, PLAN_BYTES, slabPart } from "../core/slab.ts";
import { CLUSTER_ENTRY_BYTES } from "../kernels/abi.ts";
import { CandidateReader } from "./candidates.ts";
import { encodeDelta } from "./deltaitem.ts";
import type { EncodeTask, TaskContext, TaskResults } from "./task.ts";

export function runEncode(context: TaskContext, task: EncodeTask): TaskResults["encode"] {
  const candidates = new CandidateReader(context, task);
  compareDuplicates(context, task, candidates);
  const deltaCount = encodeDeltas(context, task, candidates);
  return packClusters(context, task, deltaCount);
}

/** Pages to be verified become EQUAL, or are to be stored. */
function compareDuplicates(context: TaskContext, task: EncodeTask, from: CandidateReader): void {
  const { view, kernels, scratch } = context;
  const plan = slabPart(task.slabPtr, "plan");
  const listed = slabPart(task.slabPtr, "listed");
  const pages = slabPart(task.slabPtr, "pages");
  const compared: number[] = [];
  for (let i = 0; i < task.listedCount; i++) {
    const page = view.getUint32(listed + i * 4, true);
    const at = plan + page * PLAN_BYTES;
    if (view.getUint32(at, true) !== Action.VERIFY) continue;
    const content = from.duplicate(page);
    view.setUint32(at, Action.STORE, true);
    if (content === 0) continue;
    view.setUint32(scratch.pairs + compared.length * 8, pages + page * PAGE_BYTES, true);
    view.setUint32(scratch.pairs + compared.length * 8 + 4, content, true);
    compared.push(page);
  }
  kernels.compare(scratch.pairs, compared.length, scratch.results);
  compared.forEach((page, i) => {
    if (context.bytes[scratch.results + i] === 0) return;
    view.setUint32(plan + page * PLAN_BYTES, Action.NONE, true);
    view.setUint32(plan + page * PLAN_BYTES + 8, Outcome.EQUAL, true);
  });
}

/** Deltas that pay, one after another in scratch memory with their lengths; returns how many. */
function encodeDeltas(context: TaskContext, task: EncodeTask, from: CandidateReader): number {
  const { view, scratch } = context;
  const plan = slabPart(task.slabPtr, "plan");
  const listed = slabPart(task.slabPtr, "listed");
  let count = 0;
  let end = scratch.deltas;
  for (let i = 0; i < task.listedCount; i++) {
    const page = view.getUint32(listed + i * 4, true);
    const at = plan + page * PLAN_BYTES;
    if (view.getUint32(at, true) !== Action.DELTA) continue;
    const length = encodeDelta(context, task, from, page, end);
    if (length === 0) {
      view.setUint32(at, Action.STORE, true);
      continue;
    }
    view.setUint32(at, Action.NONE, true);
    view.setUint32(at + 8, Outcome.DELTA, true);
    view.setUint32(scratch.lengths + count++ * 4, length, true);
    end += length;
  }
  return count;
}

/** Packs what is to be stored into the slab, and reads what the kernels say of it. */
function packClusters(context: TaskContext, task: EncodeTask, deltaCount: number) {
  const { kernels, scratch, view } = context;
  const { slabPtr, pageCount, clusterPages, compress } = task;
  const [out, entries] = [slabPart(slabPtr, "clusters"), slabPart(slabPtr, "encoded")];
  const { staging, encoder } = scratch;
  const pageClusters = kernels.packPages(
    slabPart(slabPtr, "plan"),
    PLAN_BYTES,
    slabPart(slabPtr, "pages"),
    pageCount,
    clusterPages,
    compress,
    out,
    staging,
    encoder,
    entries,
  );
  const offset = endOf(view, entries, pageClusters);
  const deltaEntries = entries + pageClusters * CLUSTER_ENTRY_BYTES;
  const deltaClusters = kernels.packDeltas(
    scratch.lengths,
    deltaCount,
    scratch.deltas,
    clusterPages * PAGE_BYTES,
    task.compressDeltas,
    out,
    offset,
    staging,
    encoder,
    deltaEntries,
  );
  const clusterCount = pageClusters + deltaClusters;
  const clusterBytes = deltaClusters > 0 ? endOf(view, deltaEntries, deltaClusters) : offset;
  return { clusterCount, clusterBytes };
}

/** Where the bytes of the last of `count` clusters end. */
function endOf(view: DataView, entries: number, count: number): number {
  if (count === 0) return 0;
  const last = entries + (count - 1) * CLUSTER_ENTRY_BYTES;
  return view.getUint32(last, true) + view.getUint32(last + 4, true);
}
