// Runs the Zstandard encoder in guarded memory: nothing but its scratch and its output may change.
// What lies around the input and in the scratch is the caller's choice, since no frame may show it.
import { expect } from "vitest";
import { ZSTD_COMPRESS_SCRATCH_BYTES } from "../../src/kernels/abi.ts";
import { type BuildName, FIRST_FREE_BYTE, openKernels } from "./kernels.ts";
import { FRAME_BYTES } from "./zstd-inputs.ts";

const GUARD = 4096;
const PAINT = 0xa5;
const SCRATCH = FIRST_FREE_BYTE + GUARD;
const SRC = SCRATCH + ZSTD_COMPRESS_SCRATCH_BYTES + GUARD;
const DST = SRC + FRAME_BYTES + 2 * GUARD;
const DST_BYTES = FRAME_BYTES + 2 * GUARD;
const USABLE_BYTES = DST + DST_BYTES + GUARD - FIRST_FREE_BYTE;

export interface EncodeOptions {
  level?: number;
  capacity?: number;
  /** Fills the scratch before the call; as it was left if not given. */
  scratchFill?: number;
  /** Fills what lies around the input. */
  aroundFill?: number;
}

/** A frame for `input`; empty when it does not fit. */
export type Encode = (input: Uint8Array, options?: EncodeOptions) => Uint8Array;

/** More than any frame of so much content takes. */
export function zstdBound(length: number): number {
  return length + 3 * Math.ceil(length / 131072) + 16;
}

export function openEncoder(build: BuildName): Encode {
  const { kernels, bytes } = openKernels(build, USABLE_BYTES);
  const isPainted = (from: number, to: number) =>
    Buffer.from(bytes.buffer, from, to - from).equals(Buffer.alloc(to - from, PAINT));
  return (input, options = {}) => {
    const { level = 1, capacity = zstdBound(input.length), scratchFill, aroundFill = 0 } = options;
    bytes.fill(PAINT, SCRATCH - GUARD, SCRATCH);
    if (scratchFill !== undefined) bytes.fill(scratchFill, SCRATCH, SRC - GUARD);
    bytes.fill(aroundFill, SRC - GUARD, SRC);
    bytes.set(input, SRC);
    bytes.fill(aroundFill, SRC + input.length, SRC + input.length + GUARD);
    bytes.fill(PAINT, DST - GUARD, DST + capacity + GUARD);
    const length = kernels.zstdCompress(SRC, input.length, DST, capacity, level, SCRATCH) >>> 0;
    expect(length).toBeLessThanOrEqual(capacity);
    expect(isPainted(SCRATCH - GUARD, SCRATCH)).toBe(true);
    expect(isPainted(DST - GUARD, DST)).toBe(true);
    expect(isPainted(DST + capacity, DST + capacity + GUARD)).toBe(true);
    expect(bytes.subarray(SRC - GUARD, SRC).every((byte) => byte === aroundFill)).toBe(true);
    expect(Buffer.compare(bytes.subarray(SRC, SRC + input.length), input)).toBe(0);
    return bytes.slice(DST, DST + length);
  };
}
