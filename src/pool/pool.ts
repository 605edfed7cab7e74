// The worker pool: the one place that names Piscina. With no threads, tasks run in the caller's.
import { Piscina } from "piscina";
import type { Arena, Region } from "../core/arena.ts";
import { instantiateKernels, type KernelMemory, type KernelModule } from "../kernels/load.ts";
import { createContext, runTask } from "./run.ts";
import { scratchBytes } from "./scratch.ts";
import type { Task, TaskContext, TaskResults } from "./task.ts";
import type { WorkerSetup } from "./worker.ts";

/** Decoded clusters that each thread keeps. */
const CACHED_CLUSTERS = 16;

export interface PoolOptions {
  readonly threads: number;
  readonly module: KernelModule;
  readonly memory: KernelMemory;
  readonly arena: Arena;
  readonly workerUrl: URL | undefined;
}

/** Runs tasks; each is a few milliseconds at most, so none is ever interrupted. */
export interface WorkPool {
  readonly threads: number;
  run<K extends Task["kind"]>(task: Extract<Task, { kind: K }>): Promise<TaskResults[K]>;
  close(): Promise<void>;
}

/** Bytes of scratch memory that a pool of this size reserves. */
export function poolBytes(threads: number): number {
  return Math.max(threads, 1) * scratchBytes(CACHED_CLUSTERS);
}

export function openPool(options: PoolOptions): WorkPool {
  const scratch = options.arena.reserve(poolBytes(options.threads), "worker scratch");
  return options.threads === 0 ? openInline(options, scratch) : openWorkers(options, scratch);
}

function openWorkers(options: PoolOptions, scratch: Region): WorkPool {
  const { threads, module, memory, arena } = options;
  const setup: WorkerSetup = {
    module,
    memory,
    scratchPtr: scratch.ptr,
    scratchStride: scratchBytes(CACHED_CLUSTERS),
    scratchCount: threads,
    cachedCount: CACHED_CLUSTERS,
    started: new Int32Array(new SharedArrayBuffer(4)),
  };
  const piscina = new Piscina({
    filename: (options.workerUrl ?? new URL("./worker.js", import.meta.url)).href,
    name: "run",
    workerData: setup,
    minThreads: threads,
    maxThreads: threads,
    idleTimeout: Number.POSITIVE_INFINITY,
    recordTiming: false,
    trackUnmanagedFds: false,
  });
  return {
    threads,
    run: (task) => piscina.run(task),
    async close() {
      await piscina.close();
      arena.release(scratch);
    },
  };
}

function openInline(options: PoolOptions, scratch: Region): WorkPool {
  const { module, memory, arena } = options;
  let context: TaskContext | undefined;
  return {
    threads: 0,
    // A macrotask between tasks keeps timers and signals of the host alive.
    async run(task) {
      context ??= createContext(
        instantiateKernels(module, memory),
        memory,
        scratch.ptr,
        CACHED_CLUSTERS,
      );
      await nextTurn();
      return runTask(context, task as never);
    },
    async close() {
      arena.release(scratch);
    },
  };
}

/** Resolves in the next turn of the event loop, sooner than a timer of 0 ms would. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
