// The table that the entropy of pages is summed up from: logarithms are the one thing that kernels
// without data of their own cannot look up.
import { PAGE_BYTES } from "../core/page.ts";

/** Bytes of the table. */
export const ENTROPY_TABLE_BYTES = (PAGE_BYTES + 1) * 4;

/** Fills `table` (PAGE_BYTES + 1 words) with c × log2(c) × 2^16. */
export function fillEntropyTable(table: Uint32Array): void {
  table[0] = 0;
  for (let count = 1; count <= PAGE_BYTES; count++) {
    table[count] = Math.round(count * Math.log2(count) * 2 ** 16);
  }
}
