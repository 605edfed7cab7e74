// The entropy of pages against the textbook.
import { describe, expect, it } from "vitest";
import { PAGE_BYTES } from "../../src/core/page.ts";
import {
  ENTROPY_PER_BIT,
  ENTROPY_SCRATCH_BYTES,
  SURVEY_ORDINARY,
  SURVEY_RECORD_BYTES,
  SURVEY_ZERO,
} from "../../src/kernels/abi.ts";
import { ENTROPY_TABLE_BYTES, fillEntropyTable } from "../../src/kernels/entropy.ts";
import { entropyOf } from "../oracle/entropy.ts";
import { builds, FIRST_FREE_BYTE, openKernels } from "../support/kernels.ts";
import { edgePages } from "../support/pages.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const random = seededRandom(randomSeed("entropy"));
const MAX_PAGES = 512;
const PAGES_PTR = FIRST_FREE_BYTE;
const RECORDS_PTR = PAGES_PTR + MAX_PAGES * PAGE_BYTES;
const TABLE_PTR = RECORDS_PTR + MAX_PAGES * SURVEY_RECORD_BYTES;
const SCRATCH_PTR = TABLE_PTR + 5 * PAGE_BYTES;
const OUT_PTR = SCRATCH_PTR + PAGE_BYTES;

/** Of the 256 bytes, the first `kinds`, in random order and numbers. */
function pageOf(kinds: number): Uint8Array {
  return Uint8Array.from({ length: PAGE_BYTES }, () => random.int(kinds));
}

describe.each(builds)("entropy ($name)", ({ name }) => {
  const { kernels, bytes, view, memory } = openKernels(name, (MAX_PAGES + 16) * PAGE_BYTES);
  fillEntropyTable(new Uint32Array(memory.buffer, TABLE_PTR, ENTROPY_TABLE_BYTES / 4));

  /** In bits, with dirty scratch and output. */
  function entropies(pages: readonly Uint8Array[]): number[] {
    bytes.fill(0xaa, SCRATCH_PTR, OUT_PTR + PAGE_BYTES);
    pages.forEach((page, i) => {
      bytes.set(page, PAGES_PTR + i * PAGE_BYTES);
      const kind = page.some((byte) => byte !== 0) ? SURVEY_ORDINARY : SURVEY_ZERO;
      view.setUint32(RECORDS_PTR + i * SURVEY_RECORD_BYTES, kind, true);
    });
    const ptrs = [TABLE_PTR, SCRATCH_PTR, OUT_PTR] as const;
    kernels.entropyPages(PAGES_PTR, RECORDS_PTR, pages.length, ...ptrs);
    expect(bytes[OUT_PTR + pages.length * 2]).toBe(0xaa);
    expect(bytes[SCRATCH_PTR + ENTROPY_SCRATCH_BYTES]).toBe(0xaa);
    return pages.map((_, i) => view.getUint16(OUT_PTR + i * 2, true) / ENTROPY_PER_BIT);
  }

  function agree(pages: readonly Uint8Array[]): void {
    const found = entropies(pages);
    pages.forEach((page, i) => {
      expect(Math.abs(found[i] - entropyOf(page))).toBeLessThanOrEqual(1 / ENTROPY_PER_BIT);
    });
  }

  it("takes no pages", () => {
    expect(entropies([])).toEqual([]);
  });

  it("says 0 to 8 bits where the answer is exact", () => {
    const kinds = [1, 2, 4, 8, 16, 32, 64, 128, 256];
    const pages = kinds.map((n) => Uint8Array.from({ length: PAGE_BYTES }, (_, at) => at % n));
    expect(entropies([...pages, new Uint8Array(PAGE_BYTES).fill(0xff)])).toEqual([
      ...kinds.map((n) => Math.log2(n)),
      0,
    ]);
  });

  it("agrees on edges and on random pages", () => {
    agree(edgePages(random).map(({ page }) => page));
    agree(Array.from({ length: MAX_PAGES }, () => pageOf(1 + random.int(256))));
  });
});
