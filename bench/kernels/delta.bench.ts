// Deltas of pages against pages near them. Neighbours in an image are alike in some places, unlike
// in others; the edited copies are what a later version of a page looks like.

import { PAGE_BYTES } from "../../src/core/page.ts";
import { DELTA_SCRATCH_BYTES, type Kernels } from "../../src/kernels/abi.ts";
import type { BenchPages, KernelBench } from "./bench.ts";

const MAX_DELTA_BYTES = PAGE_BYTES + 3;
const MAX_PAGES = 1024;
/** Bytes between the edits of a page's next version. */
const EDIT_STRIDE = 700;

function encodeBench(name: string, refCount: number): KernelBench {
  let storedBytes = 0;
  return {
    name,
    prepare(kernels, bytes, pages, scratchPtr) {
      const refsPtr = scratchPtr + DELTA_SCRATCH_BYTES;
      const deltaPtr = refsPtr + 64;
      const refs = new Uint32Array(bytes.buffer, refsPtr, refCount);
      const count = Math.min(pages.count, MAX_PAGES) - refCount;
      const encode = (page: number): number => {
        const pagePtr = pages.ptr + page * PAGE_BYTES;
        for (let r = 0; r < refCount; r++) refs[r] = pagePtr + (r + 1) * PAGE_BYTES;
        return kernels.deltaEncode(pagePtr, refsPtr, refCount, deltaPtr, PAGE_BYTES, scratchPtr);
      };
      return () => {
        storedBytes = 0;
        for (let page = 0; page < count; page++) storedBytes += encode(page) || PAGE_BYTES;
        return count * PAGE_BYTES;
      };
    },
    storedBytes: () => storedBytes,
  };
}

/** Copies of the pages with a word changed here and there, from `nextPtr` on. */
function editPages(bytes: Uint8Array, pages: BenchPages, count: number, nextPtr: number): void {
  bytes.copyWithin(nextPtr, pages.ptr, pages.ptr + count * PAGE_BYTES);
  for (let at = nextPtr; at < nextPtr + count * PAGE_BYTES; at += EDIT_STRIDE) {
    bytes[at] = ~(bytes[at] ?? 0);
  }
}

function versionsBench(name: string, decode: boolean): KernelBench {
  return {
    name,
    prepare(kernels, bytes, pages, scratchPtr) {
      const refsPtr = scratchPtr + DELTA_SCRATCH_BYTES;
      const outPtr = refsPtr + 64;
      const nextPtr = outPtr + PAGE_BYTES;
      const count = Math.min(pages.count, MAX_PAGES);
      const deltasPtr = nextPtr + count * PAGE_BYTES;
      const refs = new Uint32Array(bytes.buffer, refsPtr, 1);
      editPages(bytes, pages, count, nextPtr);
      const encode = (page: number): number => {
        refs[0] = pages.ptr + page * PAGE_BYTES;
        const deltaPtr = deltasPtr + page * MAX_DELTA_BYTES;
        const from = nextPtr + page * PAGE_BYTES;
        return kernels.deltaEncode(from, refsPtr, 1, deltaPtr, MAX_DELTA_BYTES, scratchPtr);
      };
      const lengths = Array.from({ length: count }, (_, page) => encode(page));
      const apply = (page: number): void => {
        refs[0] = pages.ptr + page * PAGE_BYTES;
        const deltaPtr = deltasPtr + page * MAX_DELTA_BYTES;
        decodeOrThrow(kernels, deltaPtr, lengths[page] ?? 0, refsPtr, outPtr);
      };
      const run = decode ? apply : encode;
      return () => {
        for (let page = 0; page < count; page++) run(page);
        return count * PAGE_BYTES;
      };
    },
  };
}

function decodeOrThrow(
  kernels: Kernels,
  deltaPtr: number,
  length: number,
  refsPtr: number,
  outPtr: number,
): void {
  const code = kernels.deltaDecode(deltaPtr, length, refsPtr, 1, outPtr);
  if (code !== PAGE_BYTES) throw new Error(`the delta was refused: ${code}`);
}

export const benches: KernelBench[] = [
  versionsBench("delta encode, edited version", false),
  versionsBench("delta decode, edited version", true),
  encodeBench("delta encode, 1 neighbour", 1),
  encodeBench("delta encode, 3 neighbours", 3),
];
