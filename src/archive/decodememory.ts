// The small linear memory of an archive that is open for reading, and how it is divided. It serves
// one synchronous step at a time: nothing in it outlives an await.
import { MAX_CLUSTER_BYTES, MAX_CLUSTER_ENTRY_BYTES } from "../core/limits.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { DELTA_MAX_REFERENCES, type Kernels } from "../kernels/abi.ts";
import {
  compileKernels,
  createMemory,
  instantiateKernels,
  type KernelModule,
} from "../kernels/load.ts";
import { IMAGE_CHECKSUM_SCRATCH_BYTES } from "../pipeline/imagechecksum.ts";
import { DECODE_SCRATCH_BYTES } from "../pool/decodecluster.ts";

/** The first 64 KiB belong to the kernel module. */
const MODULE_BYTES = 65536;

const partBytes = {
  /** Header and payload of a cluster, or the ops of a delta. */
  encoded: MAX_CLUSTER_ENTRY_BYTES,
  /** Content of a cluster, or pages to fingerprint. */
  content: MAX_CLUSTER_BYTES,
  references: DELTA_MAX_REFERENCES * PAGE_BYTES,
  page: PAGE_BYTES,
  decoder: DECODE_SCRATCH_BYTES,
  checksum: IMAGE_CHECKSUM_SCRATCH_BYTES,
  results: PAGE_BYTES,
};

export interface DecodeMemory {
  readonly kernels: Kernels;
  readonly memory: { readonly buffer: ArrayBufferLike };
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Addresses of the parts. */
  readonly ptr: Readonly<Record<keyof typeof partBytes, number>>;
}

/** Compiled once per file: archives are opened more often than kernels change. */
const modules = new Map<string, KernelModule>();

function compiled(wasm: Uint8Array | URL | undefined): KernelModule {
  if (wasm instanceof Uint8Array) return compileKernels(wasm);
  const module = modules.get(String(wasm)) ?? compileKernels(wasm);
  modules.set(String(wasm), module);
  return module;
}

/** `wasm`: the kernels, for bundlers; default: shipped with the package. */
export function openDecodeMemory(wasm?: Uint8Array | URL): DecodeMemory {
  const ptr = {} as Record<keyof typeof partBytes, number>;
  let end = MODULE_BYTES;
  for (const part of Object.keys(partBytes) as (keyof typeof partBytes)[]) {
    ptr[part] = end;
    end += Math.ceil(partBytes[part] / PAGE_BYTES) * PAGE_BYTES;
  }
  const memory = createMemory(end);
  return {
    kernels: instantiateKernels(compiled(wasm), memory),
    memory,
    bytes: new Uint8Array(memory.buffer),
    view: new DataView(memory.buffer),
    ptr,
  };
}
