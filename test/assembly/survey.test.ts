// What the survey says of pages: kinds, fingerprints, sketches.
import { describe, expect, it } from "vitest";
import { PAGE_BYTES } from "../../src/core/page.ts";
import {
  SURVEY_ORDINARY,
  SURVEY_RECORD_BYTES,
  SURVEY_UNIFORM,
  SURVEY_ZERO,
} from "../../src/kernels/abi.ts";
import { xxh3Long128 } from "../oracle/fingerprint.ts";
import { sketchOf } from "../oracle/sketch.ts";
import { builds, FIRST_FREE_BYTE, openKernels } from "../support/kernels.ts";
import { edgePages, painted } from "../support/pages.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const random = seededRandom(randomSeed("survey"));
const MAX_PAGES = 64;
const PAGES_PTR = FIRST_FREE_BYTE;
const RECORDS_PTR = PAGES_PTR + MAX_PAGES * PAGE_BYTES;
const FINGERPRINTS_PTR = RECORDS_PTR + PAGE_BYTES;

/** What a page must be surveyed as, judged byte by byte. */
function expected(page: Uint8Array) {
  const zero = page.every((byte) => byte === 0);
  const uniform = page.every((byte, at) => byte === page[at % 8]);
  const kind = zero ? SURVEY_ZERO : uniform ? SURVEY_UNIFORM : SURVEY_ORDINARY;
  return {
    kind,
    reserved: 0,
    word: kind === SURVEY_UNIFORM ? Buffer.from(page).readBigUInt64LE(0) : 0n,
    features: kind === SURVEY_ORDINARY ? sketchOf(page) : [0, 0, 0, 0],
    fingerprint: xxh3Long128(page),
  };
}

describe.each(builds)("survey ($name)", ({ name }) => {
  const { kernels, bytes, view } = openKernels(name, 80 * PAGE_BYTES);
  function read(index: number) {
    const at = RECORDS_PTR + index * SURVEY_RECORD_BYTES;
    const fingerprintPtr = FINGERPRINTS_PTR + index * 16;
    return {
      kind: view.getUint32(at, true),
      reserved: view.getUint32(at + 4, true),
      word: view.getBigUint64(at + 8, true),
      features: [16, 20, 24, 28].map((offset) => view.getUint32(at + offset, true)),
      fingerprint: {
        low: view.getBigUint64(fingerprintPtr, true),
        high: view.getBigUint64(fingerprintPtr + 8, true),
      },
    };
  }
  /** Surveys pages in one call over dirty output, and returns what it said of each. */
  function survey(pages: Uint8Array[]) {
    pages.forEach((page, i) => {
      bytes.set(page, PAGES_PTR + i * PAGE_BYTES);
    });
    bytes.fill(0xaa, RECORDS_PTR, FINGERPRINTS_PTR + PAGE_BYTES);
    const ordinary = kernels.survey(PAGES_PTR, pages.length, RECORDS_PTR, FINGERPRINTS_PTR);
    const results = pages.map((_, i) => read(i));
    expect(ordinary).toBe(results.filter(({ kind }) => kind === SURVEY_ORDINARY).length);
    expect(bytes[RECORDS_PTR + pages.length * SURVEY_RECORD_BYTES]).toBe(0xaa);
    expect(bytes[FINGERPRINTS_PTR + pages.length * 16]).toBe(0xaa);
    return results;
  }

  it("takes no pages", () => {
    expect(survey([])).toEqual([]);
  });

  it("says what the oracles say of edges, in any order", () => {
    const pages = edgePages(random).map(({ page }) => page);
    const uniform = random.bytes(8);
    pages.push(Uint8Array.from({ length: PAGE_BYTES }, (_, at) => uniform[at % 8]));
    for (let n = 0; n < 20; n++) {
      const mixed = Array.from({ length: 30 }, () => pages[random.int(pages.length)]);
      expect(survey(mixed)).toEqual(mixed.map(expected));
    }
  });

  it("sees one byte in a zero page and one byte in a uniform page, wherever it is", () => {
    for (const filling of [0, 0x5a]) {
      const page = new Uint8Array(PAGE_BYTES).fill(filling);
      for (let at = 0; at < PAGE_BYTES; at++) {
        page[at] ^= 1 << random.int(8);
        if (survey([page])[0].kind !== SURVEY_ORDINARY) expect.fail(`${filling}, byte ${at}`);
        page[at] = filling;
      }
    }
  });

  it("says what the oracles say of random pages with holes", () => {
    const pages = Array.from({ length: MAX_PAGES }, () => {
      const page = random.bytes(PAGE_BYTES);
      for (let n = random.int(64); n > 0; n--) {
        const at = random.int(64) * 64;
        page.fill(0, at, at + 64);
      }
      return page;
    });
    expect(survey(pages)).toEqual(pages.map(expected));
  });

  it("gives sparse pages that share only zeros no feature in common", () => {
    const pages = Array.from({ length: 32 }, () => {
      const page = new Uint8Array(PAGE_BYTES);
      page.set(random.bytes(8), random.int(512) * 8);
      return page;
    });
    const features = survey(pages).flatMap((result) => result.features);
    expect(features).not.toContain(0);
    for (let k = 0; k < 4; k++) {
      const own = features.filter((_, i) => i % 4 === k);
      expect(new Set(own).size).toBe(pages.length);
    }
  });

  it("gives most pages that share three quarters of their blocks a feature in common", () => {
    let found = 0;
    for (let n = 0; n < 200; n++) {
      const page = random.bytes(PAGE_BYTES);
      const similar = Uint8Array.from(page);
      for (let block = 0; block < 64; block += 4) similar[block * 64 + random.int(64)] ^= 1;
      const [a, b] = survey([page, similar]).map((result) => result.features);
      if (a.some((feature, k) => feature === b[k])) found++;
    }
    // 48 of 80 different blocks are shared: one feature agrees with p = 0.6, one of four with 0.97.
    expect(found).toBeGreaterThan(170);
  });

  it("gives unrelated pages no feature in common", () => {
    const [a, b] = survey([random.bytes(PAGE_BYTES), painted(PAGE_BYTES)]);
    expect(a.features.some((feature, k) => feature === b.features[k])).toBe(false);
  });
});
