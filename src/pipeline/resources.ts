// What an engine owns and lends to its sessions.
import type { Arena } from "../core/arena.ts";
import { SLABS_OF_SESSION, SLABS_OF_THREAD } from "../core/slab.ts";
import type { Kernels } from "../kernels/abi.ts";
import type { KernelMemory } from "../kernels/load.ts";
import type { WorkPool } from "../pool/pool.ts";
import type { Checksum } from "../wire/checksum.ts";

export interface EngineResources {
  readonly memory: KernelMemory;
  readonly arena: Arena;
  /** The main thread's own instance. */
  readonly kernels: Kernels;
  readonly pool: WorkPool;
  readonly checksum: Checksum;
}

/** Slabs that keep this many threads busy while the main thread decides and writes. */
export function slabCount(threads: number): number {
  return SLABS_OF_SESSION + SLABS_OF_THREAD * Math.max(threads, 1);
}
