// Runs the delta kernels on private bytes: everything they may write stands between guards, which
// are checked after each call. It says nothing about what a delta should be.

import { PAGE_BYTES } from "../../src/core/page.ts";
import { DELTA_SCRATCH_BYTES, type Kernels } from "../../src/kernels/abi.ts";
import type { KernelMemory } from "../../src/kernels/load.ts";
import { type BuildName, FIRST_FREE_BYTE, openKernels } from "./kernels.ts";

export interface EncodeOptions {
  /** Default: more than any page needs. */
  capacity?: number;
  /** What the scratch holds at entry; by default what the last call left. */
  scratch?: Uint8Array;
}

export interface DeltaKernels {
  /** The delta, or undefined when it does not fit. */
  encode(
    page: Uint8Array,
    references: Uint8Array[],
    options?: EncodeOptions,
  ): Uint8Array | undefined;
  /** The page, or the negative code. */
  decode(delta: Uint8Array, references: Uint8Array[]): Uint8Array | number;
}

/** What stands before and behind every output. */
export const GUARD = 0xa5;
const GUARD_BYTES = 256;
const MAX_DELTA_BYTES = 16384;
const POINTERS = FIRST_FREE_BYTE;
const REFERENCES = POINTERS + 64;
const PAGE = REFERENCES + 3 * PAGE_BYTES + GUARD_BYTES;
const DELTA = PAGE + PAGE_BYTES + GUARD_BYTES;
const SCRATCH = DELTA + MAX_DELTA_BYTES + GUARD_BYTES;
const END = SCRATCH + DELTA_SCRATCH_BYTES + GUARD_BYTES;

/** One instance; `wrap` may break its kernels, to show that a test would notice. */
export function openDelta(
  name: BuildName,
  wrap: (kernels: Kernels, memory: KernelMemory) => Kernels = (kernels) => kernels,
): DeltaKernels {
  const { kernels: built, memory, bytes, view } = openKernels(name, END - FIRST_FREE_BYTE);
  const kernels = wrap(built, memory);

  function placeReferences(references: Uint8Array[]): void {
    bytes.fill(GUARD, REFERENCES, PAGE);
    references.forEach((reference, index) => {
      view.setUint32(POINTERS + index * 4, REFERENCES + index * PAGE_BYTES, true);
      bytes.set(reference, REFERENCES + index * PAGE_BYTES);
    });
  }

  function checkGuard(from: number, to: number, what: string): void {
    const broken = bytes.subarray(from, to).findIndex((byte) => byte !== GUARD);
    if (broken !== -1) throw new Error(`the kernel wrote outside its ${what}, at ${broken}`);
  }

  return {
    encode(page, references, { capacity = MAX_DELTA_BYTES, scratch } = {}) {
      placeReferences(references);
      bytes.fill(GUARD, PAGE, SCRATCH);
      bytes.fill(GUARD, END - GUARD_BYTES, END);
      bytes.set(page, PAGE);
      if (scratch !== undefined) bytes.set(scratch, SCRATCH);
      const length = kernels.deltaEncode(
        PAGE,
        POINTERS,
        references.length,
        DELTA,
        capacity,
        SCRATCH,
      );
      checkGuard(DELTA - GUARD_BYTES, DELTA, "delta");
      checkGuard(DELTA + capacity, SCRATCH, "delta");
      checkGuard(END - GUARD_BYTES, END, "scratch");
      return length === 0 ? undefined : bytes.slice(DELTA, DELTA + length);
    },
    decode(delta, references) {
      placeReferences(references);
      bytes.fill(GUARD, PAGE - GUARD_BYTES, SCRATCH);
      // The delta ends where the guard begins: bytes read behind it would count as 0xa5.
      bytes.set(delta, DELTA);
      const result = kernels.deltaDecode(DELTA, delta.length, POINTERS, references.length, PAGE);
      checkGuard(PAGE - GUARD_BYTES, PAGE, "page");
      checkGuard(PAGE + PAGE_BYTES, DELTA, "page");
      return result === PAGE_BYTES ? bytes.slice(PAGE, PAGE + PAGE_BYTES) : result;
    },
  };
}
