// The survey of pages, and its fingerprint alone.

import { PAGE_BYTES } from "../../src/core/page.ts";
import { SURVEY_RECORD_BYTES } from "../../src/kernels/abi.ts";
import type { KernelBench } from "./bench.ts";

export const benches: KernelBench[] = [
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
