// The anchor table against its oracle: both builds, what a reader may not see, what is forgotten.
import { describe, expect, test } from "vitest";
import { ANCHORS_MAX, NO_ENTRY, SKETCH_CANDIDATES } from "../../src/kernels/abi.ts";
import { OracleAnchorTable } from "../oracle/anchortable.ts";
import { builds, FIRST_FREE_BYTE, openKernels } from "../support/kernels.ts";
import { randomSeed, type SeededRandom, seededRandom } from "../support/random.ts";

const MAX_PAGES = 256;
const ENTRIES = FIRST_FREE_BYTE;
const COUNTS = ENTRIES + MAX_PAGES * 4;
const CANDIDATES = COUNTS + MAX_PAGES;
const VOTES = CANDIDATES + MAX_PAGES * SKETCH_CANDIDATES * 4;
const ANCHORS = VOTES + 1024;
const TABLE = ANCHORS + MAX_PAGES * ANCHORS_MAX * 4;
const USABLE_BYTES = TABLE - FIRST_FREE_BYTE + 4 * 1024 * 1024;
const BITS = 16;
const SEGMENTS = 3;
const NOTHING = [NO_ENTRY, NO_ENTRY, NO_ENTRY];

/** What a reader asks with, apart from pages. */
interface Reader {
  segment?: number;
  entryLimit?: number;
  minVotes?: number;
}

function openTable(name: (typeof builds)[number]["name"], bits = BITS) {
  const { kernels, bytes, view } = openKernels(name, USABLE_BYTES);
  bytes.fill(0xa5, FIRST_FREE_BYTE);
  kernels.anchorInit(TABLE, bits);

  function writePages(pages: number[][]): void {
    pages.forEach((anchors, i) => {
      bytes[COUNTS + i] = anchors.length;
    });
    pages.flat().forEach((anchor, i) => {
      view.setUint32(ANCHORS + i * 4, anchor, true);
    });
  }

  return {
    kernels,
    bytes,
    turn: () => kernels.anchorTurn(TABLE),
    insert(pages: number[][], entries: number[]): number {
      writePages(pages);
      entries.forEach((entry, i) => {
        view.setUint32(ENTRIES + i * 4, entry, true);
      });
      return kernels.anchorInsert(TABLE, ANCHORS, COUNTS, ENTRIES, pages.length);
    },
    lookup(pages: number[][], reader: Reader = {}): number[][] {
      const { segment = 0, entryLimit = NO_ENTRY, minVotes = 2 } = reader;
      writePages(pages);
      const into = [ANCHORS, COUNTS, pages.length, VOTES, CANDIDATES] as const;
      kernels.anchorLookup(TABLE, segment, entryLimit, minVotes, ...into);
      return pages.map((_, i) =>
        Array.from({ length: SKETCH_CANDIDATES }, (_, c) =>
          view.getUint32(CANDIDATES + (i * SKETCH_CANDIDATES + c) * 4, true),
        ),
      );
    },
  };
}

function pagesOf(random: SeededRandom, count: number, anchors: number[]): number[][] {
  const pick = () => anchors[random.int(anchors.length)];
  return Array.from({ length: count }, () =>
    Array.from({ length: random.int(ANCHORS_MAX + 1) }, pick),
  );
}

describe.each(builds)("anchortable, $name build", ({ name }) => {
  test("names nothing when it is empty", () => {
    expect(openTable(name).lookup([[1, 2, 3], [], [0, 0, 0]])).toEqual([NOTHING, NOTHING, NOTHING]);
  });

  test("keeps the first entry of an anchor, in one call and in the next", () => {
    const table = openTable(name);
    const pages = [
      [1, 2],
      [2, 1, 3, 3],
    ];
    expect(table.insert(pages, [5, 6])).toBe(3);
    expect(table.insert([[1, 2, 3, 4]], [7])).toBe(4);
    expect(table.lookup([[1, 2]])).toEqual([[5, NO_ENTRY, NO_ENTRY]]);
    expect(table.lookup([[3, 4, 3, 4]])).toEqual([[6, 7, NO_ENTRY]]);
  });

  test("passes over pages without entry, but not over those behind them", () => {
    const table = openTable(name);
    expect(table.insert([[1, 2], [], [3, 4]], [NO_ENTRY, 0, 9])).toBe(2);
    const found = table.lookup([[1, 2], [], [3, 4]]);
    expect(found).toEqual([NOTHING, NOTHING, [9, NO_ENTRY, NO_ENTRY]]);
  });

  test("puts most shared anchors first, and the lowest entry among equals", () => {
    const table = openTable(name);
    const pages = [[1, 2, 3], [4, 5], [6, 7], [8, 9], [10]];
    table.insert(pages, [40, 30, 10, 20, 0]);
    expect(table.lookup([[1, 2, 3, 4, 5]])).toEqual([[40, 30, NO_ENTRY]]);
    expect(table.lookup([[4, 8, 6, 5, 9, 7]])).toEqual([[10, 20, 30]]);
    expect(table.lookup([[8, 9, 4, 6, 3, 2, 1, 5, 7]])).toEqual([[40, 10, 20]]);
    // The same anchor at two places of a page counts twice.
    expect(table.lookup([[10, 10, 10, 10, 1, 2, 3]])).toEqual([[0, 40, NO_ENTRY]]);
  });

  test("asks minVotes of the first entry, and one less of the others", () => {
    const table = openTable(name);
    table.insert([[1, 2, 3, 4], [5, 6, 7], [8]], [1, 2, 3]);
    expect(table.lookup([[1, 2, 3, 5, 6, 8]], { minVotes: 3 })).toEqual([[1, 2, NO_ENTRY]]);
    expect(table.lookup([[1, 2, 3, 5, 8]], { minVotes: 3 })).toEqual([[1, NO_ENTRY, NO_ENTRY]]);
    expect(table.lookup([[1, 2, 3, 5, 8]], { minVotes: 2 })).toEqual([[1, 2, 3]]);
    expect(table.lookup([[1, 2, 5, 6]], { minVotes: 3 })[0][0]).toBe(NO_ENTRY);
    expect(table.lookup([[1, 5]], { minVotes: 3 })).toEqual([NOTHING]);
  });

  test("hides entries from the limit on, in both segments", () => {
    const table = openTable(name);
    const page = [1, 2, 3, 4];
    table.insert([[1, 2]], [5]);
    table.turn();
    table.insert([page], [6]);
    const at = (entryLimit: number) => table.lookup([page], { segment: 1, entryLimit })[0];
    expect(at(5)).toEqual(NOTHING);
    // The newer segment holds the anchors too, under an entry that this reader does not know.
    expect(at(6)).toEqual([5, NO_ENTRY, NO_ENTRY]);
    expect(at(7)).toEqual([6, NO_ENTRY, NO_ENTRY]);
  });

  test("finds the same with a limit, whether newer entries are there or not", () => {
    const random = seededRandom(randomSeed(`anchortable limits, ${name}`));
    // Small enough that places run out and anchors stand far from where they belong.
    for (const bits of [4, 8, 12]) {
      const table = openTable(name, bits);
      const anchors = Array.from({ length: 400 }, () => random.int(2 ** 32));
      const wanted = pagesOf(random, 200, anchors);
      let segment = 0;
      for (let entry = 0; entry < 120; entry += 10) {
        const ask = () => table.lookup(wanted, { segment, entryLimit: entry });
        const before = ask();
        expect(before.flat().some((found) => found !== NO_ENTRY)).toBe(entry > 0);
        const entries = Array.from({ length: 10 }, (_, i) => entry + i);
        table.insert(pagesOf(random, 10, anchors), entries);
        expect(ask()).toEqual(before);
        // Not even a turn changes it, and what is inserted behind it.
        if (entry % 40 !== 30) continue;
        const next = table.turn();
        table.insert(pagesOf(random, 10, anchors), entries);
        expect(ask()).toEqual(before);
        segment = next;
      }
    }
  });

  test("forgets the older half with each turn", () => {
    const table = openTable(name);
    const find = (segment: number) => table.lookup([[1, 1, 2, 2, 3, 3]], { segment })[0];
    expect(table.insert([[1]], [1])).toBe(1);
    expect(table.turn()).toBe(1);
    expect(find(1)).toEqual([1, NO_ENTRY, NO_ENTRY]);
    expect(table.insert([[2]], [2])).toBe(1);
    expect(find(1)).toEqual([1, 2, NO_ENTRY]);
    expect(table.turn()).toBe(2);
    expect(table.insert([[3]], [3])).toBe(1);
    expect(find(2)).toEqual([2, 3, NO_ENTRY]);
    // A reader of the time before the turn goes on as if there had been none.
    expect(find(1)).toEqual([1, 2, NO_ENTRY]);
    expect(table.turn()).toBe(0);
    expect(find(0)).toEqual([3, NO_ENTRY, NO_ENTRY]);
  });

  test.each([1, 4, 10])("touches no byte outside of itself: %i bits", (bits) => {
    const random = seededRandom(bits);
    const table = openTable(name, bits);
    const end = TABLE + table.kernels.anchorBytes(bits);
    expect(end - TABLE).toBe(64 + SEGMENTS * 8 * 2 ** bits);
    for (let round = 0; round < 4; round++) {
      const pages = Array.from({ length: MAX_PAGES }, () =>
        Array.from({ length: ANCHORS_MAX }, () => random.int(2 ** 32)),
      );
      const entries = pages.map((_, i) => round * MAX_PAGES + i);
      expect(table.insert(pages, entries)).toBeLessThanOrEqual(2 ** bits);
      const inputs = table.bytes.slice(ANCHORS, TABLE);
      table.lookup(pages, { segment: round % SEGMENTS });
      expect(Buffer.compare(table.bytes.subarray(ANCHORS, TABLE), inputs)).toBe(0);
      table.turn();
    }
    expect(table.bytes.subarray(end).every((byte) => byte === 0xa5)).toBe(true);
  });

  test("refuses more bits than memory has room for", () => {
    const { kernels } = openTable(name);
    expect(kernels.anchorBytes(26) >>> 0).toBe(64 + 24 * 2 ** 26);
    expect(kernels.anchorBytes(27)).toBe(0);
  });

  test("answers as the oracle does where places do not run out", () => {
    const random = seededRandom(randomSeed(`anchortable, ${name}`));
    for (let round = 0; round < 10; round++) {
      const table = openTable(name);
      const oracle = new OracleAnchorTable();
      const anchors = Array.from({ length: 1 + random.int(500) }, () => random.int(2 ** 32));
      let entry = 0;
      for (let batch = 0; batch < 8; batch++) {
        const pages = pagesOf(random, random.int(20), anchors);
        const entries = pages.map(() => (random.int(8) === 0 ? NO_ENTRY : entry++));
        const held = table.insert(pages, entries);
        const oracleHeld = pages.map((page, i) => oracle.insert(page, entries[i]));
        if (pages.length > 0) expect(held).toBe(oracleHeld.at(-1));
        const wanted = pagesOf(random, 50, anchors);
        const minVotes = 2 + random.int(3);
        const entryLimit = random.int(2) === 0 ? random.int(entry + 1) : entry;
        const found = table.lookup(wanted, {
          segment: oracle.time % SEGMENTS,
          entryLimit,
          minVotes,
        });
        expect(found).toEqual(
          wanted.map((page) => oracle.lookup(oracle.time, entryLimit, minVotes, page)),
        );
        if (random.int(3) !== 0) continue;
        oracle.turn();
        expect(table.turn()).toBe(oracle.time % SEGMENTS);
      }
    }
  });
});
