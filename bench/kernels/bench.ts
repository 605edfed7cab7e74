// What one kernel bench is. It measures nothing itself: the runner prepares a bench once, then
// calls the function it got back, again and again.
import type { Kernels } from "../../src/kernels/abi.ts";

/** Pages that lie in the memory of the kernels, one after the other. */
export interface BenchPages {
  ptr: number;
  count: number;
}

export interface KernelBench {
  name: string;
  /**
   * Readies one bench over `pages`; `bytes` is all of the linear memory, and from `scratchPtr` on
   * it is free: at least as many bytes as the pages take, and 16 MiB. Returns the run, which in
   * turn returns the bytes it handled.
   */
  prepare(kernels: Kernels, bytes: Uint8Array, pages: BenchPages, scratchPtr: number): () => number;
  /** Of encoders: the bytes that one run stored, known after the first one. */
  storedBytes?(): number;
}
