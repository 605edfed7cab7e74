// Reads the same frames of a base image and of an image made from it, and tells which 64-byte
// blocks changed; surveys the base on the way where it is to be learnt. Pages that changed are read
// again by whoever stores them: mostly they are few.
import { PAGE_BYTES } from "../core/page.ts";
import { slabPart } from "../core/slab.ts";
import { PIECE_PAGES, readPages, surveyPages } from "./surveytask.ts";
import type { CompareTask, TaskContext, TaskResults } from "./task.ts";

/** Bytes of the mask of changed blocks of a page. */
export const MASK_BYTES = 8;

/** Windows of a changed page that are looked for elsewhere. */
const MAX_WINDOWS = 256;

export function runCompare(context: TaskContext, task: CompareTask): TaskResults["compare"] {
  const { kernels, scratch } = context;
  const { slabPtr, base, image, pageCount, comparedCount, anchors } = task;
  const newer = scratch.candidates + PIECE_PAGES * PAGE_BYTES;
  let changedCount = 0;
  let windowsEnd = slabPart(slabPtr, "pages");
  for (let page = 0; page < pageCount; page += PIECE_PAGES) {
    const count = Math.min(PIECE_PAGES, pageCount - page);
    const inSlab = slabPart(slabPtr, "pages") + page * PAGE_BYTES;
    const older = anchors ? inSlab : scratch.candidates;
    const fault = readPages(context, base, page, count, older);
    if (fault) return { changedCount, fault, isOfBase: true };
    if (task.isLearnt) surveyPages(context, slabPtr, older, page, count);
    const compared = Math.min(count, comparedCount - page);
    if (compared <= 0) continue;
    const missing = readPages(context, image, page, compared, newer);
    if (missing) return { changedCount, fault: missing, isOfBase: false };
    const masks = slabPart(slabPtr, "runs") + page * MASK_BYTES;
    const changed = kernels.diff(older, newer, compared, masks);
    changedCount += changed;
    if (changed > 0 && !anchors) {
      windowsEnd = listWindows(context, older, newer, masks, compared, windowsEnd);
    }
  }
  if (anchors) findAnchors(context, task, anchors.sampleBits);
  return { changedCount };
}

/** Lists for each changed page how many windows it has, and these; u32 each. */
function listWindows(
  { kernels, view }: TaskContext,
  older: number,
  newer: number,
  masks: number,
  pageCount: number,
  start: number,
): number {
  let end = start;
  for (let page = 0; page < pageCount; page++) {
    const mask = masks + page * MASK_BYTES;
    if (view.getBigUint64(mask, true) === 0n) continue;
    const at = page * PAGE_BYTES;
    const count = kernels.newWindows(older + at, newer + at, mask, end + 4, MAX_WINDOWS);
    view.setUint32(end, count, true);
    end += 4 + count * 4;
  }
  return end;
}

function findAnchors({ kernels }: TaskContext, task: CompareTask, sampleBits: number): void {
  const part = (name: Parameters<typeof slabPart>[1]): number => slabPart(task.slabPtr, name);
  kernels.anchorPages(
    part("records"),
    part("pages"),
    task.pageCount,
    part("anchors"),
    part("anchorCounts"),
    sampleBits,
  );
}
