// The entropy of pages that were surveyed.
import { PAGE_BYTES } from "../../src/core/page.ts";
import { FINGERPRINT_BYTES, SURVEY_RECORD_BYTES } from "../../src/kernels/abi.ts";
import { ENTROPY_TABLE_BYTES, fillEntropyTable } from "../../src/kernels/entropy.ts";
import type { KernelBench } from "./bench.ts";

export const benches: KernelBench[] = [
  {
    name: "entropyPages",
    prepare(kernels, bytes, pages, scratchPtr) {
      const recordsPtr = scratchPtr;
      const fingerprintsPtr = recordsPtr + pages.count * SURVEY_RECORD_BYTES;
      kernels.survey(pages.ptr, pages.count, recordsPtr, fingerprintsPtr);
      // The table, histograms and results lie behind what the survey wrote.
      const tablePtr = fingerprintsPtr + pages.count * FINGERPRINT_BYTES;
      fillEntropyTable(new Uint32Array(bytes.buffer, tablePtr, ENTROPY_TABLE_BYTES / 4));
      const histogramsPtr = tablePtr + 5 * PAGE_BYTES;
      const outPtr = histogramsPtr + PAGE_BYTES;
      const ptrs = [tablePtr, histogramsPtr, outPtr] as const;
      return () => {
        kernels.entropyPages(pages.ptr, recordsPtr, pages.count, ...ptrs);
        return pages.count * PAGE_BYTES;
      };
    },
  },
];
