// The script of a worker thread: one kernel instance over the shared memory, one task at a time.
import { workerData } from "node:worker_threads";
import { instantiateKernels, type KernelMemory, type KernelModule } from "../kernels/load.ts";
import { createContext, runTask } from "./run.ts";
import type { Task, TaskContext } from "./task.ts";

/** What every worker is given at its start. */
export interface WorkerSetup {
  readonly module: KernelModule;
  readonly memory: KernelMemory;
  /** Scratch memory of all threads, and how many scratch areas there are. */
  readonly scratchPtr: number;
  readonly scratchStride: number;
  readonly scratchCount: number;
  readonly cachedCount: number;
  /** Counts the threads that have started; shared. */
  readonly started: Int32Array;
}

const context = start(workerData as WorkerSetup);

/** The handler that the pool calls. */
export function run(task: Task): unknown {
  return runTask(context, task as never);
}

function start(setup: WorkerSetup): TaskContext {
  const index = Atomics.add(setup.started, 0, 1);
  if (index >= setup.scratchCount) throw new Error(`no scratch memory for worker ${index}`);
  const kernels = instantiateKernels(setup.module, setup.memory);
  const ptr = setup.scratchPtr + index * setup.scratchStride;
  return createContext(kernels, setup.memory, ptr, setup.cachedCount);
}
