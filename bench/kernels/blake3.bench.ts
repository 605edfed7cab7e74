// Digests of listed pages, as hosts exchange them: every page, in order.
import { PAGE_BYTES } from "../../src/core/page.ts";
import { BLAKE3_SCRATCH_BYTES, DIGEST_BYTES } from "../../src/kernels/abi.ts";
import type { KernelBench } from "./bench.ts";

export const benches: KernelBench[] = [
  {
    name: "digestPages",
    prepare(kernels, bytes, { ptr, count }, keyPtr) {
      const scratchPtr = keyPtr + DIGEST_BYTES;
      const listPtr = scratchPtr + BLAKE3_SCRATCH_BYTES;
      const outPtr = listPtr + count * 4;
      bytes.fill(0x5a, keyPtr, keyPtr + DIGEST_BYTES);
      new Uint32Array(bytes.buffer, listPtr, count).forEach((_, i, list) => {
        list[i] = i;
      });
      return () => {
        kernels.digestPages(ptr, listPtr, count, keyPtr, scratchPtr, outPtr);
        return count * PAGE_BYTES;
      };
    },
  },
];
