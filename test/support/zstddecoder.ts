// Runs the one-shot Zstandard decoder in guarded memory: nothing but its context and its output may
// change, and what lies around the input must not matter.
import { expect } from "vitest";
import { ZSTD_DECODE_BYTES } from "../../src/kernels/abi.ts";
import { type BuildName, FIRST_FREE_BYTE, openKernels } from "./kernels.ts";

const GUARD = 512;
const PAINT = 0xa5;
const CONTEXT = FIRST_FREE_BYTE + GUARD;
const DST = CONTEXT + ZSTD_DECODE_BYTES + GUARD;
/** The input ends where memory ends but for what may be read behind it. */
const READ_BEHIND = 32;

export interface Decoded {
  /** What the kernel returned. */
  result: number;
  /** Empty when it is negative. */
  content: Uint8Array;
}

export interface OpenDecoder {
  decode(frames: Uint8Array, capacity: number): Decoded;
  /** As `decode`, and in words what was written that must not be. */
  fault(): string | undefined;
}

/** A decoder for inputs and outputs of at most `byteLength` bytes each. */
export function openDecoder(build: BuildName, byteLength: number): OpenDecoder {
  const { kernels, bytes } = openKernels(build, DST + 2 * (byteLength + GUARD));
  let written: string | undefined;
  function check(from: number, what: string): void {
    const guard = Buffer.from(bytes.buffer, from, GUARD);
    if (!guard.equals(Buffer.alloc(GUARD, PAINT))) written = `wrote ${what}`;
  }
  return {
    fault: () => written,
    decode(frames, capacity) {
      expect(Math.max(frames.length, capacity)).toBeLessThanOrEqual(byteLength);
      const src = bytes.length - READ_BEHIND - frames.length;
      for (const guard of [CONTEXT - GUARD, DST - GUARD, DST + capacity]) {
        bytes.fill(PAINT, guard, guard + GUARD);
      }
      bytes.fill(0xff, src - 8, src);
      bytes.fill(0xff, bytes.length - READ_BEHIND);
      bytes.set(frames, src);
      const result = kernels.zstdDecompress(src, frames.length, DST, capacity, CONTEXT);
      written = undefined;
      check(CONTEXT - GUARD, "before the context");
      check(DST - GUARD, "before the output");
      check(DST + capacity, "behind the output");
      return { result, content: bytes.slice(DST, DST + Math.max(result, 0)) };
    },
  };
}
