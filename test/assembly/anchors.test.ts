// Anchors against their oracle: both builds, the pages that repeat themselves, and moved content.
import { describe, expect, test } from "vitest";
import { PAGE_BYTES } from "../../src/core/page.ts";
import {
  ANCHORS_MAX,
  SURVEY_ORDINARY,
  SURVEY_RECORD_BYTES,
  SURVEY_UNIFORM,
  SURVEY_ZERO,
} from "../../src/kernels/abi.ts";
import { anchorsOf } from "../oracle/anchors.ts";
import { builds, FIRST_FREE_BYTE, openKernels } from "../support/kernels.ts";
import { edgePages, painted } from "../support/pages.ts";
import { randomSeed, type SeededRandom, seededRandom } from "../support/random.ts";

const MAX_PAGES = 64;
const PAGES = FIRST_FREE_BYTE;
const RECORDS = PAGES + MAX_PAGES * PAGE_BYTES;
const COUNTS = RECORDS + MAX_PAGES * SURVEY_RECORD_BYTES;
const ANCHORS = COUNTS + MAX_PAGES;
const END = ANCHORS + MAX_PAGES * ANCHORS_MAX * 4;
const USABLE_BYTES = END + 4096 - FIRST_FREE_BYTE;
const SAMPLE_BITS = [1, 4, 6];

/** A page of `words` random words over and over. */
function repeating(random: SeededRandom, words: number): Uint8Array {
  const period = random.bytes(words * 8);
  return Uint8Array.from({ length: PAGE_BYTES }, (_, at) => period[at % period.length]);
}

/** Runs of random bytes and of zeros in turn, at any offset. */
function withZeroRuns(random: SeededRandom): Uint8Array {
  const page = random.bytes(PAGE_BYTES);
  for (let at = random.int(200); at < PAGE_BYTES; at += 1 + random.int(400)) {
    const end = at + random.int(300);
    page.fill(0, at, end);
    at = end;
  }
  return page;
}

describe.each(builds)("anchors, $name build", ({ name }) => {
  const random = seededRandom(randomSeed(`anchors, ${name}`));
  const { kernels, bytes, view } = openKernels(name, USABLE_BYTES);

  /** The anchors of each page, in one call over dirty output. */
  function anchorPages(pages: Uint8Array[], sampleBits: number, kinds: number[] = []): number[][] {
    bytes.fill(0xa5, FIRST_FREE_BYTE);
    pages.forEach((page, i) => {
      bytes.set(page, PAGES + i * PAGE_BYTES);
      view.setUint32(RECORDS + i * SURVEY_RECORD_BYTES, kinds[i] ?? SURVEY_ORDINARY, true);
    });
    const { length } = pages;
    const total = kernels.anchorPages(RECORDS, PAGES, length, ANCHORS, COUNTS, sampleBits);
    let at = ANCHORS;
    const found = pages.map((_, i) =>
      Array.from({ length: bytes[COUNTS + i] }, () => {
        at += 4;
        return view.getUint32(at - 4, true);
      }),
    );
    expect(total).toBe((at - ANCHORS) / 4);
    expect(bytes.subarray(COUNTS + length, ANCHORS).every((byte) => byte === 0xa5)).toBe(true);
    expect(bytes.subarray(at).every((byte) => byte === 0xa5)).toBe(true);
    return found;
  }

  test.each(SAMPLE_BITS)("are those of the oracle, one window in 2^%i", (sampleBits) => {
    const pages = [
      ...edgePages(random).map(({ page }) => page),
      ...[1, 3, 8, 100].map((phase) => painted(PAGE_BYTES, phase)),
      ...[1, 2, 3, 4, 5, 7, 16, 64].map((words) => repeating(random, words)),
      ...Array.from({ length: 16 }, () => withZeroRuns(random)),
      ...Array.from({ length: 16 }, () => random.bytes(PAGE_BYTES)),
    ];
    const found = anchorPages(pages, sampleBits);
    expect(found).toEqual(pages.map((page) => anchorsOf(page, sampleBits)));
    expect(Math.max(...found.map((anchors) => anchors.length))).toBeGreaterThan(0);
  });

  test("are one window in 2^sampleBits of noise, about", () => {
    const pages = Array.from({ length: MAX_PAGES }, () => random.bytes(PAGE_BYTES));
    for (const sampleBits of [4, 6]) {
      const total = anchorPages(pages, sampleBits).flat().length;
      const windows = (MAX_PAGES * PAGE_BYTES) / 8;
      expect(total * 2 ** sampleBits).toBeGreaterThan(0.7 * windows);
      expect(total * 2 ** sampleBits).toBeLessThan(1.3 * windows);
    }
  });

  test("are the first 64 of a page that has more", () => {
    const pages = [random.bytes(PAGE_BYTES), random.bytes(PAGE_BYTES)];
    const found = anchorPages(pages, 1);
    expect(found.map((anchors) => anchors.length)).toEqual([ANCHORS_MAX, ANCHORS_MAX]);
    // Of pages that differ behind their middle, the first 64 are the same.
    const other = pages[0].slice();
    other.set(random.bytes(1024), 3072);
    expect(anchorPages([other], 1)[0]).toEqual(found[0]);
  });

  test("are never windows of one word", () => {
    // With one bit, half of the words would be sampled.
    const pages = Array.from({ length: MAX_PAGES }, () => repeating(random, 1));
    expect(anchorPages(pages, 1)).toEqual(pages.map(() => []));
    const sampled = pages.map((page) => page.slice());
    // One other word makes four windows that are not uniform, and no more.
    for (const page of sampled) page.set(random.bytes(8), 2048);
    const found = anchorPages(sampled, 1);
    expect(Math.max(...found.map((anchors) => anchors.length))).toBeLessThanOrEqual(4);
    expect(found.flat().length).toBeGreaterThan(0);
  });

  test("are only looked for in ordinary pages", () => {
    const kinds = [0, SURVEY_ZERO, SURVEY_ORDINARY, SURVEY_UNIFORM, 4, SURVEY_ORDINARY];
    const pages = kinds.map(() => random.bytes(PAGE_BYTES));
    const expected = kinds.map((kind, i) =>
      kind === SURVEY_ORDINARY ? anchorsOf(pages[i], 4) : [],
    );
    expect(anchorPages(pages, 4, kinds)).toEqual(expected);
    expect(anchorPages([], 4)).toEqual([]);
  });

  test.each([8, 24, 32, 1000, 2048])("are shared by content moved by %i bytes", (shift) => {
    // The same pages in every run: others may happen to have hardly an anchor in common.
    const noise = seededRandom(shift);
    const page = noise.bytes(PAGE_BYTES);
    const moved = noise.bytes(PAGE_BYTES);
    moved.set(page.subarray(0, PAGE_BYTES - shift), shift);
    const [inPage, inMoved] = anchorPages([page, moved], 4);
    // What the page has up to where the move cuts it off, the other has behind some noise.
    const kept = page.slice();
    kept.fill(0, PAGE_BYTES - shift - 8);
    // Up to three windows stand across the cut.
    const common = anchorsOf(kept, 4).slice(0, -3);
    expect(common.length).toBeGreaterThan(0);
    expect(inPage.slice(0, common.length)).toEqual(common);
    expect(inMoved.join()).toContain(common.join());
  });
});
