// Runs one task in whatever thread it is called: a worker, or the main thread of an engine
// without workers.
import { Arena } from "../core/arena.ts";
import type { Kernels } from "../kernels/abi.ts";
import { runCheck } from "./checktask.ts";
import { ClusterCache } from "./clustercache.ts";
import { runCompare } from "./comparetask.ts";
import { runDigest } from "./digesttask.ts";
import { runEncode } from "./encodetask.ts";
import { faultOf } from "./fault.ts";
import { runPackGroups, runUnpackGroups } from "./grouptask.ts";
import { runRestore } from "./restoretask.ts";
import { divideScratch } from "./scratch.ts";
import { runSeal } from "./sealedcluster.ts";
import { runSearch } from "./searchtask.ts";
import { runSurvey } from "./surveytask.ts";
import type { Task, TaskContext, TaskResults } from "./task.ts";
import { runUnfold } from "./unfoldtask.ts";

/** What one thread needs: kernels over the shared memory and scratch of its own. */
export function createContext(
  kernels: Kernels,
  memory: { readonly buffer: ArrayBufferLike },
  scratchPtr: number,
  cachedCount: number,
): TaskContext {
  const { bytes, view } = new Arena(memory);
  const scratch = divideScratch(scratchPtr, cachedCount);
  const clusters = new ClusterCache({ kernels, bytes, view }, scratch);
  return { kernels, bytes, view, scratch, clusters };
}

export function runTask<K extends Task["kind"]>(
  context: TaskContext,
  task: Extract<Task, { kind: K }>,
): TaskResults[K];
export function runTask(context: TaskContext, task: Task): TaskResults[Task["kind"]] {
  try {
    switch (task.kind) {
      case "survey":
        return runSurvey(context, task);
      case "compare":
        return runCompare(context, task);
      case "search":
        return runSearch(context, task);
      case "encode":
        return runEncode(context, task);
      case "restore":
        return runRestore(context, task);
      case "check":
        return runCheck(context, task);
      case "unfold":
        return runUnfold(context, task);
      case "seal":
        return runSeal(context, task);
      case "digest":
        return runDigest(context, task);
      case "packGroups":
        return runPackGroups(context, task);
      case "unpackGroups":
        return runUnpackGroups(context, task);
    }
  } catch (error) {
    return { fault: faultOf(error) } as TaskResults[Task["kind"]];
  }
}
