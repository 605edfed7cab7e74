// Opens both builds of the kernels for tests: each over a fresh shared memory of its own. It holds
// no expectations and no input; those stand in the tests.
import { fileURLToPath } from "node:url";
import type { Kernels } from "../../src/kernels/abi.ts";
import {
  compileKernels,
  createMemory,
  instantiateKernels,
  type KernelMemory,
  type KernelModule,
} from "../../src/kernels/load.ts";

export type BuildName = "release" | "debug";

/** Both builds of the kernels, in the form of `describe.each`. */
export const builds: { name: BuildName }[] = [{ name: "release" }, { name: "debug" }];

/** The first byte that tests may use: the bytes before it belong to the module. */
export const FIRST_FREE_BYTE = 65536;

export interface OpenKernels {
  kernels: Kernels;
  memory: KernelMemory;
  /** All of the linear memory, from address 0. */
  bytes: Uint8Array;
  view: DataView;
}

const modules = new Map<BuildName, KernelModule>();

/** The path of a built module. */
export function wasmPath(name: BuildName): string {
  return fileURLToPath(new URL(`../../build/${name}.wasm`, import.meta.url));
}

/** One instance of a build over a new memory of at least `byteLength` usable bytes. */
export function openKernels(name: BuildName, byteLength: number): OpenKernels {
  const module = modules.get(name) ?? compileKernels(wasmPath(name));
  modules.set(name, module);
  const memory = createMemory(FIRST_FREE_BYTE + byteLength);
  const kernels = instantiateKernels(module, memory);
  return {
    kernels,
    memory,
    bytes: new Uint8Array(memory.buffer),
    view: new DataView(memory.buffer),
  };
}
