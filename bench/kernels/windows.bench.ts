// What is new in changed pages, and where it stands in others. The first half of the pages stands
// for older versions and the second for newer ones; the bytes of a pair count once.
import { PAGE_BYTES } from "../../src/core/page.ts";
import type { Kernels } from "../../src/kernels/abi.ts";
import { FILTER_BYTES } from "../../src/pool/searchtask.ts";
import type { BenchPages, KernelBench } from "./bench.ts";

const PAGE_WINDOWS = 256;
const TABLE_BITS = 18;
const TABLE_BYTES = 2 ** TABLE_BITS * 8;
const SEEN_BYTES = 2 ** TABLE_BITS / 8;
const LIST_BYTES = 4096;
/** As many pages are read at once by those who search. */
const PIECE_PAGES = 64;
/** One page in so many is a changed one whose windows are looked for: 3 %, as in guests at work. */
const UNCHANGED_PAGES = 32;

/** Lists windows of each `step`-th pair; returns how many there are. */
function listWindows(
  kernels: Kernels,
  pages: BenchPages,
  step: number,
  masksPtr: number,
  outPtr: (count: number) => number,
): number {
  const half = pages.count >>> 1;
  let count = 0;
  for (let page = 0; page < half; page += step) {
    const older = pages.ptr + page * PAGE_BYTES;
    const newer = older + half * PAGE_BYTES;
    const mask = masksPtr + page * 8;
    count += kernels.newWindows(older, newer, mask, outPtr(count), PAGE_WINDOWS);
  }
  return count;
}

const newWindows: KernelBench = {
  name: "newWindows, all blocks changed",
  prepare(kernels, bytes, pages, scratchPtr) {
    const half = pages.count >>> 1;
    const outPtr = scratchPtr + half * 8;
    bytes.fill(0xff, scratchPtr, outPtr);
    return () => {
      listWindows(kernels, pages, 1, scratchPtr, () => outPtr);
      return half * PAGE_BYTES;
    };
  },
};

const searchWindows: KernelBench = {
  name: "searchWindows, 3 % of the pages changed",
  prepare(kernels, bytes, pages, scratchPtr) {
    const half = pages.count >>> 1;
    const filter = scratchPtr + TABLE_BYTES;
    const seen = filter + FILTER_BYTES;
    const list = seen + SEEN_BYTES;
    const masks = list + LIST_BYTES;
    const hashes = masks + half * 8;
    bytes.fill(0, scratchPtr, masks);
    kernels.diff(pages.ptr, pages.ptr + half * PAGE_BYTES, half, masks);
    const count = listWindows(kernels, pages, UNCHANGED_PAGES, masks, (n) => hashes + n * 4);
    const places = hashes + count * 4;
    const found = places + count * 4;
    kernels.insertWindows(scratchPtr, TABLE_BITS, filter, hashes, count, places);
    return () => {
      bytes.fill(0, seen, list);
      for (let page = 0; page < half; page += PIECE_PAGES) {
        kernels.searchWindows(
          pages.ptr + page * PAGE_BYTES,
          Math.min(PIECE_PAGES, half - page),
          page,
          scratchPtr,
          TABLE_BITS,
          filter,
          seen,
          list,
          found,
          count,
        );
      }
      return half * PAGE_BYTES;
    };
  },
};

export const benches: KernelBench[] = [newWindows, searchWindows];
