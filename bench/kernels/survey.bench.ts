// The survey of pages, and its parts, over pages as they lie in an image.

import { PAGE_BYTES } from "../../src/core/page.ts";
import { FINGERPRINT_BYTES, SURVEY_RECORD_BYTES } from "../../src/kernels/abi.ts";
import type { KernelBench } from "./bench.ts";

export const benches: KernelBench[] = [
  {
    name: "memory.copy",
    prepare(_kernels, bytes, pages, scratchPtr) {
      const byteLength = pages.count * PAGE_BYTES;
      return () => {
        bytes.copyWithin(scratchPtr, pages.ptr, pages.ptr + byteLength);
        return byteLength;
      };
    },
  },
  {
    name: "survey",
    prepare(kernels, _bytes, pages, scratchPtr) {
      const fingerprintsPtr = scratchPtr + pages.count * SURVEY_RECORD_BYTES;
      return () => {
        kernels.survey(pages.ptr, pages.count, scratchPtr, fingerprintsPtr);
        return pages.count * PAGE_BYTES;
      };
    },
  },
  {
    name: "fingerprintPages",
    prepare(kernels, _bytes, pages, scratchPtr) {
      return () => {
        kernels.fingerprintPages(pages.ptr, pages.count, scratchPtr);
        return pages.count * PAGE_BYTES;
      };
    },
  },
];
