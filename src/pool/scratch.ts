// How the scratch memory of one thread is divided.
import { MAX_CLUSTER_BYTES, MAX_CLUSTER_ENTRY_BYTES } from "../core/limits.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { BATCH_PAGES } from "../core/slab.ts";
import {
  DELTA_MAX_REFERENCES,
  DELTA_SCRATCH_BYTES,
  LZ4_SCRATCH_BYTES,
  ZSTD_COMPRESS_SCRATCH_BYTES,
} from "../kernels/abi.ts";
import { DECODE_SCRATCH_BYTES } from "./decodecluster.ts";

const PAGES_BYTES = BATCH_PAGES * PAGE_BYTES;

const fixedParts = {
  encoder: Math.max(LZ4_SCRATCH_BYTES, ZSTD_COMPRESS_SCRATCH_BYTES),
  decoder: DECODE_SCRATCH_BYTES,
  delta: DELTA_SCRATCH_BYTES,
  staging: MAX_CLUSTER_BYTES,
  deltas: PAGES_BYTES,
  /** Bytes of each delta, u32. */
  lengths: BATCH_PAGES * 4,
  /** What pages are compared with, or pages that are restored. */
  candidates: PAGES_BYTES,
  references: DELTA_MAX_REFERENCES * PAGE_BYTES,
  pairs: BATCH_PAGES * 8,
  /** Of readSlot alone: `pairs` are being filled while it is called. */
  referencePtrs: 4096,
  results: 4096,
  fingerprints: 4096,
  payload: MAX_CLUSTER_ENTRY_BYTES,
};
const FIXED_BYTES = Object.values(fixedParts).reduce((sum, bytes) => sum + bytes, 0);

/** Addresses of the parts of a thread's scratch memory. */
export type Scratch = Record<keyof typeof fixedParts, number> & {
  /** Decoded clusters that are kept: `cachedCount` of the largest kind. */
  cached: number;
  cachedCount: number;
};

export function scratchBytes(cachedCount: number): number {
  return FIXED_BYTES + cachedCount * MAX_CLUSTER_BYTES;
}

export function divideScratch(ptr: number, cachedCount: number): Scratch {
  const scratch = { cachedCount } as Scratch;
  let at = ptr;
  for (const part of Object.keys(fixedParts) as (keyof typeof fixedParts)[]) {
    scratch[part] = at;
    at += fixedParts[part];
  }
  scratch.cached = at;
  return scratch;
}
