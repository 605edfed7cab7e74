// The diff of pages against older versions of them. The first half of the pages stands for the old
// version and the second for the new one; the bytes of a pair count once.
import { PAGE_BYTES } from "../../src/core/page.ts";
import type { KernelBench } from "./bench.ts";

function diffBench(blockBytes: number): KernelBench {
  return {
    name: `diff, blocks of ${blockBytes}`,
    prepare(kernels, _bytes, pages, scratchPtr) {
      const count = pages.count >>> 1;
      const newPtr = pages.ptr + count * PAGE_BYTES;
      return () => {
        kernels.diffBlocks(pages.ptr, newPtr, count, blockBytes, scratchPtr);
        return count * PAGE_BYTES;
      };
    },
  };
}

export const benches: KernelBench[] = [64, 128, 256].map(diffBench);
