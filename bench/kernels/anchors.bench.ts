// The anchors of pages, sampled as the levels do.

import { PAGE_BYTES } from "../../src/core/page.ts";
import { ANCHORS_MAX, FINGERPRINT_BYTES, SURVEY_RECORD_BYTES } from "../../src/kernels/abi.ts";
import type { KernelBench } from "./bench.ts";

/** One window in 2^sampleBits. */
function anchorsBench(sampleBits: number): KernelBench {
  return {
    name: `anchors, 1 of ${2 ** sampleBits} windows`,
    prepare(kernels, _bytes, pages, scratchPtr) {
      const { ptr, count } = pages;
      const anchors = scratchPtr + count * SURVEY_RECORD_BYTES;
      const counts = anchors + count * Math.max(ANCHORS_MAX * 4, FINGERPRINT_BYTES);
      // The fingerprints lie where the anchors go.
      kernels.survey(ptr, count, scratchPtr, anchors);
      return () => {
        kernels.anchorPages(scratchPtr, ptr, count, anchors, counts, sampleBits);
        return count * PAGE_BYTES;
      };
    },
  };
}

export const benches: KernelBench[] = [anchorsBench(4), anchorsBench(6)];
