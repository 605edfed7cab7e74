// The checksum of one long extent.
import { PAGE_BYTES } from "../../src/core/page.ts";
import type { KernelBench } from "./bench.ts";

export const benches: KernelBench[] = [
  {
    name: "checksum",
    prepare(kernels, _bytes, pages, scratchPtr) {
      const byteLength = pages.count * PAGE_BYTES;
      return () => {
        kernels.checksum(pages.ptr, byteLength, scratchPtr);
        return byteLength;
      };
    },
  },
];
