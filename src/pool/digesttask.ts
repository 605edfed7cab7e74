// Takes the digests of listed pages of a slab: what they are called between hosts. Who lists them,
// and what the digests are compared with, is the main thread's part.
import { slabPart } from "../core/slab.ts";
import type { DigestTask, TaskContext, TaskResults } from "./task.ts";

export function runDigest(context: TaskContext, task: DigestTask): TaskResults["digest"] {
  const { kernels, scratch } = context;
  const { slabPtr, count, keyPtr } = task;
  const [pages, asked] = [slabPart(slabPtr, "pages"), slabPart(slabPtr, "asked")];
  const digests = slabPart(slabPtr, "digests");
  kernels.digestPages(pages, asked, count, keyPtr, scratch.results, digests);
  return {};
}
