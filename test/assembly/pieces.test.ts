// What was moved is found wherever it stands, nothing is marked that has none of it, and what
// stands at its place in the older content is not looked for.
import { describe, expect, test } from "vitest";
import { builds, FIRST_FREE_BYTE, openKernels } from "../support/kernels.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const PAGE_COUNT = 24;
/** Room for all windows: what is lost to collisions is not what is tested. */
const BITS = 16;
const PAGES = FIRST_FREE_BYTE;
const NEW = PAGES + PAGE_COUNT * 4096;
const OLDER = NEW + 65536;
const TABLE = OLDER + 65536;
const MARKS = TABLE + 4 * 2 ** BITS;
const END = MARKS + 4096;

describe.each(builds)("pieces, $name build", ({ name }) => {
  const random = seededRandom(randomSeed(`pieces, ${name}`));
  const { kernels, bytes, view } = openKernels(name, END - FIRST_FREE_BYTE);
  const pages = random.bytes(PAGE_COUNT * 4096);
  pages.fill(0, 2 * 4096, 3 * 4096);

  /** Marked blocks, counted over all pages; and the bytes that were found. */
  function find(fresh: Uint8Array, older: Uint8Array): { blocks: number[]; found: number } {
    bytes.set(pages, PAGES);
    bytes.fill(0xa5, TABLE, END);
    kernels.indexPieces(PAGES, PAGE_COUNT, TABLE, BITS);
    bytes.fill(0, MARKS, MARKS + 8 * PAGE_COUNT);
    bytes.set(fresh, NEW);
    bytes.set(older, OLDER);
    const { length } = fresh;
    const found = kernels.findPieces(NEW, OLDER, length, PAGES, PAGE_COUNT, TABLE, BITS, MARKS);
    expect(bytes.subarray(MARKS + 8 * PAGE_COUNT, END).every((byte) => byte === 0xa5)).toBe(true);
    const blocks: number[] = [];
    for (let block = 0; block < 64 * PAGE_COUNT; block++) {
      const word = view.getUint32(MARKS + 8 * (block >> 6) + 4 * ((block & 63) >> 5), true);
      if ((word >>> (block & 31)) & 1) blocks.push(block);
    }
    return { blocks, found };
  }

  test("what was moved, by any number of bytes", () => {
    for (let round = 0; round < 200; round++) {
      const from = 3 * 4096 + random.int(20 * 4096);
      const length = 300 + random.int(700);
      const to = 1 + random.int(3000);
      const fresh = random.bytes(4096);
      fresh.set(pages.subarray(from, from + length), to);
      fresh[to - 1] = ~pages[from - 1];
      fresh[to + length] = ~pages[from + length];
      const { blocks, found } = find(fresh, random.bytes(4096));
      expect(found).toBe(length);
      const [first, last] = [from >> 6, (from + length - 1) >> 6];
      expect(blocks).toEqual(Array.from({ length: last - first + 1 }, (_, i) => first + i));
    }
  });

  test("neither noise, nor zeros, nor what stayed, nor what is shorter than 32 bytes", () => {
    const fresh = random.bytes(4096);
    fresh.set(pages.subarray(5000, 5031), 100);
    expect(find(fresh, random.bytes(4096)).blocks).toEqual([]);
    expect(find(new Uint8Array(4096), fresh).blocks).toEqual([]);
    const stayed = pages.slice(4096, 8192);
    expect(find(stayed, stayed).blocks).toEqual([]);
    expect(find(stayed.subarray(0, 23), random.bytes(23)).blocks).toEqual([]);
  });

  test("up to the ends of everything", () => {
    const all = find(pages.subarray(0, 65536), random.bytes(65536));
    expect(all.blocks.filter((block) => block < 128).length).toBe(128);
    const last = find(pages.subarray(-4096), random.bytes(4096));
    expect(last.blocks.at(-1)).toBe(64 * PAGE_COUNT - 1);
  });
});
