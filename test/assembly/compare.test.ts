// Page pairs, equal and not, on both builds.
import { describe, expect, it } from "vitest";
import { PAGE_BYTES } from "../../src/core/page.ts";
import { builds, FIRST_FREE_BYTE, openKernels } from "../support/kernels.ts";
import { edgePages } from "../support/pages.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const random = seededRandom(randomSeed("compare"));
const PAGES_PTR = FIRST_FREE_BYTE;
const PAIRS_PTR = FIRST_FREE_BYTE + 32 * PAGE_BYTES;
const RESULTS_PTR = PAIRS_PTR + 32 * PAGE_BYTES;

describe.each(builds)("compare ($name)", ({ name }) => {
  const { kernels, bytes, view } = openKernels(name, 96 * PAGE_BYTES);
  const pagePtr = (index: number) => PAGES_PTR + index * PAGE_BYTES;
  function compare(pairs: [number, number][]): { equal: number; results: number[] } {
    pairs.forEach(([a, b], i) => {
      view.setUint32(PAIRS_PTR + i * 8, a, true);
      view.setUint32(PAIRS_PTR + i * 8 + 4, b, true);
    });
    bytes.fill(0xaa, RESULTS_PTR, RESULTS_PTR + pairs.length + 1);
    const equal = kernels.compare(PAIRS_PTR, pairs.length, RESULTS_PTR);
    expect(bytes[RESULTS_PTR + pairs.length], "behind the last result").toBe(0xaa);
    return { equal, results: [...bytes.subarray(RESULTS_PTR, RESULTS_PTR + pairs.length)] };
  }

  it("takes no pairs", () => {
    expect(compare([])).toEqual({ equal: 0, results: [] });
  });

  it("finds exactly the equal ones among all pairs of edges", () => {
    const edges = edgePages(random);
    edges.forEach(({ page }, i) => {
      bytes.set(page, pagePtr(i));
      bytes.set(page, pagePtr(edges.length + i));
    });
    const pairs: [number, number][] = [];
    const wanted: number[] = [];
    for (let i = 0; i < edges.length; i++) {
      for (let j = 0; j < edges.length; j++) {
        pairs.push([pagePtr(i), pagePtr(edges.length + j)]);
        wanted.push(i === j ? 1 : 0);
      }
    }
    expect(compare(pairs)).toEqual({ equal: edges.length, results: wanted });
  });

  it("sees a change of one bit at any byte", () => {
    const page = random.bytes(PAGE_BYTES);
    bytes.set(page, pagePtr(0));
    bytes.set(page, pagePtr(1));
    for (let at = 0; at < PAGE_BYTES; at++) {
      const flip = 1 << random.int(8);
      bytes[pagePtr(1) + at] ^= flip;
      if (compare([[pagePtr(0), pagePtr(1)]]).equal !== 0) expect.fail(`byte ${at}, bit ${flip}`);
      bytes[pagePtr(1) + at] ^= flip;
    }
    expect(compare([[pagePtr(0), pagePtr(1)]]).equal).toBe(1);
  });
});
