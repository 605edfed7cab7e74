// The comparison of each page with an equal copy of it: the dear case, as no pair stops early.
import { PAGE_BYTES } from "../../src/core/page.ts";
import type { KernelBench } from "./bench.ts";

export const benches: KernelBench[] = [
  {
    name: "compare, equal pages",
    prepare(kernels, bytes, pages, scratchPtr) {
      const byteLength = pages.count * PAGE_BYTES;
      bytes.copyWithin(scratchPtr, pages.ptr, pages.ptr + byteLength);
      const pairsPtr = scratchPtr + byteLength;
      const resultsPtr = pairsPtr + pages.count * 8;
      const view = new DataView(bytes.buffer);
      for (let i = 0; i < pages.count; i++) {
        view.setUint32(pairsPtr + i * 8, pages.ptr + i * PAGE_BYTES, true);
        view.setUint32(pairsPtr + i * 8 + 4, scratchPtr + i * PAGE_BYTES, true);
      }
      return () => {
        kernels.compare(pairsPtr, pages.count, resultsPtr);
        return byteLength;
      };
    },
  },
];
