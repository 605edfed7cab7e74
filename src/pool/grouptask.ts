// Groups of pages that hosts of a rack hold for each other: packed from slots of a session, and
// unpacked where they are wanted. Either way each page is compared with its digest; which of them
// have it is the answer, and all others are as if they were not there.
import { PagefoldError } from "../core/errors.ts";
import { DIGEST_BYTES, PAGE_BYTES } from "../core/page.ts";
import { Action, PLAN_BYTES, slabPart } from "../core/slab.ts";
import { CLUSTER_ENTRY_BYTES, COMPRESS_LZ4 } from "../kernels/abi.ts";
import { decodeCluster } from "./decodecluster.ts";
import { readSlot } from "./slot.ts";
import { surveyPages } from "./surveytask.ts";
import type { PackGroupsTask, TaskContext, TaskResults, UnpackGroupsTask } from "./task.ts";
import { SPAN_BYTES } from "./unfoldtask.ts";

/** Pages of one group: more compress a little better, and more come that nobody has asked for. */
export const GROUP_PAGES = 4;

/** The slots are spans of one page each; clusters and their entries go where `encode` puts them. */
export function runPackGroups(
  context: TaskContext,
  task: PackGroupsTask,
): TaskResults["packGroups"] {
  const { kernels, scratch, view, bytes } = context;
  const { slabPtr, count, keyPtr, places } = task;
  const [pages, plan] = [slabPart(slabPtr, "pages"), slabPart(slabPtr, "plan")];
  const isThere: boolean[] = [];
  for (let i = 0; i < count; i++) {
    const span = slabPart(slabPtr, "runs") + i * SPAN_BYTES;
    const [cluster, item] = [view.getUint32(span + 8, true), view.getUint32(span + 12, true)];
    const read = () => readSlot(context, places, cluster, item, pages + i * PAGE_BYTES);
    isThere.push(orFalse(read));
  }
  compareDigests(context, slabPtr, count, keyPtr);
  const codes = slabPart(slabPtr, "codes");
  for (let i = 0; i < count; i++) {
    if (!isThere[i]) bytes[codes + i] = 0;
    const action = bytes[codes + i] === 1 ? Action.STORE : Action.NONE;
    view.setUint32(plan + i * PLAN_BYTES, action, true);
  }
  const clusterCount = kernels.packPages(
    plan,
    PLAN_BYTES,
    pages,
    count,
    GROUP_PAGES,
    COMPRESS_LZ4,
    slabPart(slabPtr, "clusters"),
    scratch.staging,
    scratch.encoder,
    slabPart(slabPtr, "encoded"),
  );
  return { clusterCount };
}

/** Their clusters are where `runPackGroups` puts them, with entries that say how many pages. */
export function runUnpackGroups(
  context: TaskContext,
  task: UnpackGroupsTask,
): TaskResults["unpackGroups"] {
  const { view } = context;
  const { slabPtr, groupCount, keyPtr } = task;
  const pages = slabPart(slabPtr, "pages");
  let count = 0;
  for (let i = 0; i < groupCount; i++) {
    const entry = slabPart(slabPtr, "encoded") + i * CLUSTER_ENTRY_BYTES;
    const pageCount = view.getUint32(entry + 8, true);
    orFalse(() => unpack(context, slabPtr, entry, pageCount, pages + count * PAGE_BYTES));
    count += pageCount;
  }
  surveyPages(context, slabPtr, pages, 0, count);
  compareDigests(context, slabPtr, count, keyPtr);
  return {};
}

function unpack(
  context: TaskContext,
  slabPtr: number,
  entry: number,
  pageCount: number,
  target: number,
): true {
  const { view, scratch } = context;
  const source = slabPart(slabPtr, "clusters") + view.getUint32(entry, true);
  const byteLength = view.getUint32(entry + 4, true);
  const place = (contentBytes: number): number => {
    if (contentBytes === pageCount * PAGE_BYTES) return target;
    throw new PagefoldError("DAMAGED", `group: ${contentBytes} bytes for ${pageCount} pages`);
  };
  // It was sealed: nobody else has changed it.
  decodeCluster(context, 0, source, byteLength, place, scratch.decoder, true);
  return true;
}

/** Compares pages of a slab with its part `digests`: code 1 for those that have theirs, else 0. */
function compareDigests(context: TaskContext, slabPtr: number, count: number, key: number): void {
  const { kernels, scratch, view, bytes } = context;
  const [asked, found] = [slabPart(slabPtr, "asked"), slabPart(slabPtr, "anchors")];
  const [wanted, codes] = [slabPart(slabPtr, "digests"), slabPart(slabPtr, "codes")];
  for (let i = 0; i < count; i++) view.setUint32(asked + i * 4, i, true);
  kernels.digestPages(slabPart(slabPtr, "pages"), asked, count, key, scratch.results, found);
  const digests = Buffer.from(bytes.buffer, found, count * DIGEST_BYTES);
  for (let i = 0; i < count; i++) {
    const [from, to] = [wanted + i * DIGEST_BYTES, wanted + (i + 1) * DIGEST_BYTES];
    const at = i * DIGEST_BYTES;
    bytes[codes + i] = digests.compare(bytes, from, to, at, at + DIGEST_BYTES) === 0 ? 1 : 0;
  }
}

/** False where the archive's rules are broken: other pages are not the worse for it. */
function orFalse(read: () => boolean): boolean {
  try {
    return read();
  } catch (error) {
    if (error instanceof PagefoldError && error.code === "DAMAGED") return false;
    throw error;
  }
}
