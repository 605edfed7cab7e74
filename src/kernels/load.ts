// Compiles the kernels once and instantiates them over a shared memory: the only file that names
// WebAssembly and the AssemblyScript loader. A compiled module may be posted to a worker.
import { readFileSync } from "node:fs";
import { instantiateSync } from "@assemblyscript/loader";
import type { Kernels } from "./abi.ts";

/** A compiled module of the kernels; structured-cloneable. */
export type KernelModule = WebAssembly.Module;
/** The linear memory that kernels of all threads share. */
export type KernelMemory = WebAssembly.Memory;

/** Bytes of one unit of wasm linear memory. */
const WASM_PAGE_BYTES = 65536;

/** Compiles the kernels from bytes, or from a file (default: the one shipped with the package). */
export function compileKernels(wasm?: string | URL | Uint8Array): KernelModule {
  const source = wasm ?? new URL("../../build/release.wasm", import.meta.url);
  const bytes = source instanceof Uint8Array ? source : readFileSync(source);
  return new WebAssembly.Module(bytes as BufferSource);
}

/** A shared memory of at least `byteLength` bytes. Its pages are touched lazily by the kernel. */
export function createMemory(byteLength: number): KernelMemory {
  const pages = Math.ceil(byteLength / WASM_PAGE_BYTES);
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
}

/** One instance over `memory`; cheap, one per thread. */
export function instantiateKernels(module: KernelModule, memory: KernelMemory): Kernels {
  const { exports } = instantiateSync(module, { env: { memory, abort: failAssertion } });
  return exports as unknown as Kernels;
}

/** The debug build asserts; a failed assertion is a programming error and has no recovery. */
function failAssertion(_message: number, _file: number, line: number, column: number): never {
  throw new Error(`kernel assertion failed at line ${line}, column ${column}`);
}
