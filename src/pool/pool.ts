// The worker pool: the one place that names Piscina. With no threads, tasks run in the caller's.
import { Piscina } from "piscina";
import type { Arena, Region } from "../core/arena.ts";
import { MAX_CLUSTER_BYTES } from "../core/limits.ts";
import { SLAB_BYTES, SLABS_OF_SESSION, SLABS_OF_THREAD } from "../core/slab.ts";
import { instantiateKernels, type KernelMemory, type KernelModule } from "../kernels/load.ts";
import { createContext, runTask } from "./run.ts";
import { scratchBytes } from "./scratch.ts";
import type { Task, TaskContext, TaskResults } from "./task.ts";
import type { WorkerSetup } from "./worker.ts";

/**
 * Part of all memory that threads and the slabs of a session may take. What sessions know of pages
 * takes the rest, and may not depend on the number of threads: stored bytes follow from it.
 */
const WORK_SHARE = 3 / 8;
/** Decoded clusters that each thread keeps: as many as are wanted and there is room for. */
const MIN_CACHED_CLUSTERS = 2;
const DEFAULT_CACHE_BYTES = 16 << 20;

export interface PoolOptions {
  /** As many as are wanted; there will be fewer where memory is short. */
  readonly threads: number;
  readonly module: KernelModule;
  readonly memory: KernelMemory;
  readonly arena: Arena;
  readonly workerUrl: URL | undefined;
  /** Decoded content that each thread keeps; there will be less where memory is short. */
  readonly cacheBytes?: number | undefined;
}

/** Runs tasks; each is a few milliseconds at most, so none is ever interrupted. */
export interface WorkPool {
  readonly threads: number;
  run<K extends Task["kind"]>(task: Extract<Task, { kind: K }>): Promise<TaskResults[K]>;
  close(): Promise<void>;
}

/** How many threads there are, and what they have for themselves. */
interface PoolShape {
  readonly threads: number;
  readonly cachedCount: number;
}

export function openPool(options: PoolOptions): WorkPool {
  const { arena, threads, cacheBytes = DEFAULT_CACHE_BYTES } = options;
  const shape = shapeOf(threads, arena.bytes.length, cacheBytes);
  const areas = Math.max(shape.threads, 1);
  const scratch = arena.reserve(areas * scratchBytes(shape.cachedCount), "worker scratch");
  return threads === 0 ? openInline(options, shape, scratch) : openWorkers(options, shape, scratch);
}

function shapeOf(wanted: number, memoryBytes: number, cacheBytes: number): PoolShape {
  const forThreads = memoryBytes * WORK_SHARE - SLABS_OF_SESSION * SLAB_BYTES;
  const leastBytes = SLABS_OF_THREAD * SLAB_BYTES + scratchBytes(MIN_CACHED_CLUSTERS);
  const threads = Math.min(wanted, Math.max(1, Math.floor(forThreads / leastBytes)));
  const shareBytes = forThreads / Math.max(threads, 1) - SLABS_OF_THREAD * SLAB_BYTES;
  let cachedCount = Math.max(MIN_CACHED_CLUSTERS, Math.floor(cacheBytes / MAX_CLUSTER_BYTES));
  while (cachedCount > MIN_CACHED_CLUSTERS && scratchBytes(cachedCount) > shareBytes) cachedCount--;
  return { threads, cachedCount };
}

function openWorkers(options: PoolOptions, shape: PoolShape, scratch: Region): WorkPool {
  const { module, memory, arena } = options;
  const { threads, cachedCount } = shape;
  const setup: WorkerSetup = {
    module,
    memory,
    scratchPtr: scratch.ptr,
    scratchStride: scratchBytes(cachedCount),
    scratchCount: threads,
    cachedCount,
    started: new Int32Array(new SharedArrayBuffer(4)),
  };
  const piscina = new Piscina({
    filename: (options.workerUrl ?? new URL("../pool/worker.cjs", import.meta.url)).href,
    name: "run",
    workerData: setup,
    minThreads: threads,
    maxThreads: threads,
    idleTimeout: Number.POSITIVE_INFINITY,
    // The next tasks wait at the worker, so that it need not wait for the main thread.
    concurrentTasksPerWorker: 3,
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

function openInline(options: PoolOptions, shape: PoolShape, scratch: Region): WorkPool {
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
        shape.cachedCount,
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
