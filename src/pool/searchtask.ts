// Looks in the pages of a base for windows of pages that changed: what is new in a page may be old
// elsewhere.
import { slabPart } from "../core/slab.ts";
import { PIECE_PAGES, readPages } from "./surveytask.ts";
import type { SearchTask, TaskContext, TaskResults } from "./task.ts";

/** Bytes of the filter of a table. */
export const FILTER_BYTES = 2 ** 20 / 8;
/** Bytes of one place that was found. */
export const FOUND_BYTES = 8;

export function runSearch(context: TaskContext, task: SearchTask): TaskResults["search"] {
  const { kernels, bytes, scratch } = context;
  const { slabPtr, pageCount, first, tablePtr, bits } = task;
  const [into, seen, out] = [scratch.candidates, scratch.deltas, slabPart(slabPtr, "pages")];
  const capacity = (slabPart(slabPtr, "records") - out) / FOUND_BYTES;
  bytes.fill(0, seen, seen + 2 ** bits / 8);
  let foundCount = 0;
  for (let page = 0; page < pageCount; page += PIECE_PAGES) {
    const count = Math.min(PIECE_PAGES, pageCount - page);
    const fault = readPages(context, task, page, count, into);
    if (fault) return { foundCount, fault };
    foundCount += kernels.searchWindows(
      into,
      count,
      first + page,
      tablePtr,
      bits,
      task.filterPtr,
      seen,
      scratch.encoder,
      out + foundCount * FOUND_BYTES,
      capacity - foundCount,
    );
  }
  return { foundCount };
}
