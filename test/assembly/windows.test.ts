// Windows against their oracle, in both builds: what is new in a page, and where it stands.
import { describe, expect, test } from "vitest";
import { PAGE_BYTES } from "../../src/core/page.ts";
import { firstPages, newWindowsOf } from "../oracle/windows.ts";
import { builds, FIRST_FREE_BYTE, openKernels } from "../support/kernels.ts";
import { edgePages } from "../support/pages.ts";
import { randomSeed, type SeededRandom, seededRandom } from "../support/random.ts";

const BITS = 12;
const PAGE_COUNT = 8;
const PAGES = FIRST_FREE_BYTE;
const MASKS = PAGES + PAGE_COUNT * PAGE_BYTES;
const HASHES = MASKS + 64;
const PLACES = HASHES + 16384;
const TABLE = PLACES + 16384;
const FILTER = TABLE + 2 ** BITS * 8;
const SEEN = FILTER + 2 ** 20 / 8;
const LIST = SEEN + 2 ** BITS / 8;
const FOUND = LIST + 4096;
const USABLE_BYTES = FOUND + 65536 - FIRST_FREE_BYTE;
const NOT_FOUND = 0xffff_ffff;

/** The page with some stretches of `other` at places that are divisible by 8, and a few bytes. */
function mixedOf(random: SeededRandom, page: Uint8Array, other: Uint8Array): Uint8Array {
  const mixed = Uint8Array.from(page);
  for (let i = random.int(5); i >= 0; i--) {
    const [to, from] = [random.int(480) * 8, random.int(480) * 8];
    mixed.set(other.subarray(from, from + random.int(PAGE_BYTES - Math.max(to, from))), to);
    mixed[random.int(PAGE_BYTES)] ^= random.int(256);
  }
  return mixed;
}

describe.each(builds)("windows, $name build", ({ name }) => {
  const random = seededRandom(randomSeed(`windows, ${name}`));
  const { kernels, bytes, view } = openKernels(name, USABLE_BYTES);
  const list = (ptr: number, count: number) =>
    Array.from({ length: count }, (_, i) => view.getUint32(ptr + i * 4, true));

  function newWindows(older: Uint8Array, newer: Uint8Array, capacity = 4096): number[] {
    bytes.set(older, PAGES);
    bytes.set(newer, PAGES + PAGE_BYTES);
    kernels.diff(PAGES, PAGES + PAGE_BYTES, 1, MASKS);
    const count = kernels.newWindows(PAGES, PAGES + PAGE_BYTES, MASKS, HASHES, capacity);
    return list(HASHES, count);
  }

  test("lists what is new in a page", () => {
    const pages = edgePages(random).map(({ page }) => page);
    for (const older of pages) {
      for (const other of pages) {
        for (const newer of [other, mixedOf(random, older, other)]) {
          const expected = newWindowsOf(older, newer);
          expect(newWindows(older, newer)).toEqual(expected);
          expect(newWindows(older, newer, 3)).toEqual(expected.slice(0, 3));
        }
      }
    }
  });

  test("finds the first page that has a window", () => {
    for (let round = 0; round < 20; round++) {
      const pages = Array.from({ length: PAGE_COUNT }, () => random.bytes(PAGE_BYTES));
      pages[3].fill(0);
      pages[6] = mixedOf(random, pages[6], pages[1]);
      const newer = mixedOf(random, mixedOf(random, pages[0], pages[6]), pages[4]);
      const hashes = newWindows(pages[0], newer);
      bytes.fill(0, TABLE, FOUND);
      kernels.insertWindows(TABLE, BITS, FILTER, HASHES, hashes.length, PLACES);
      const places = list(PLACES, hashes.length);
      for (const [i, page] of pages.entries()) bytes.set(page, PAGES + i * PAGE_BYTES);
      const search = (capacity: number) =>
        kernels.searchWindows(
          PAGES,
          PAGE_COUNT,
          100,
          TABLE,
          BITS,
          FILTER,
          SEEN,
          LIST,
          FOUND,
          capacity,
        );
      const count = search(8000);
      const found = new Map<number, number>();
      for (let i = 0; i < count; i++) {
        found.set(view.getUint32(FOUND + i * 8, true), view.getUint32(FOUND + i * 8 + 4, true));
      }
      expect(found.size).toBe(count);
      const expected = firstPages(new Set(hashes), pages);
      for (const [i, hash] of hashes.entries()) {
        const page = expected.get(hash);
        expect(found.get(places[i])).toBe(page === undefined ? undefined : 100 + page);
        expect(view.getUint32(TABLE + places[i] * 8 + 4, true)).toBe(NOT_FOUND);
      }
      // What was found in an earlier frame is not told again.
      for (const place of found.keys()) view.setUint32(TABLE + place * 8 + 4, 99, true);
      bytes.fill(0, SEEN, FOUND);
      expect(search(8000)).toBe(0);
    }
  });
});
