// The sketch table against its oracle: both builds, order of candidates, what it forgets.
import { describe, expect, test } from "vitest";
import {
  NO_ENTRY,
  SKETCH_CANDIDATES,
  SURVEY_ORDINARY,
  SURVEY_RECORD_BYTES,
  SURVEY_UNIFORM,
  SURVEY_ZERO,
} from "../../src/kernels/abi.ts";
import { OracleSketchTable, type SketchPage } from "../oracle/table.ts";
import { builds, FIRST_FREE_BYTE, type OpenKernels, openKernels } from "../support/kernels.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const MAX_PAGES = 1024;
const RECORDS = FIRST_FREE_BYTE;
const ENTRIES = RECORDS + MAX_PAGES * SURVEY_RECORD_BYTES;
const CANDIDATES = ENTRIES + MAX_PAGES * 4;
const TABLE = CANDIDATES + MAX_PAGES * SKETCH_CANDIDATES * 4;
const USABLE_BYTES = TABLE - FIRST_FREE_BYTE + 4 * 1024 * 1024;

function ordinary(...features: number[]): SketchPage {
  return { kind: SURVEY_ORDINARY, features };
}

function writeRecords({ view }: OpenKernels, pages: SketchPage[]): void {
  pages.forEach((page, i) => {
    const at = RECORDS + i * SURVEY_RECORD_BYTES;
    view.setUint32(at, page.kind, true);
    page.features.forEach((feature, f) => {
      view.setUint32(at + 16 + f * 4, feature, true);
    });
  });
}

function insert(open: OpenKernels, pages: SketchPage[], entries: number[]): void {
  writeRecords(open, pages);
  entries.forEach((entry, i) => {
    open.view.setUint32(ENTRIES + i * 4, entry, true);
  });
  open.kernels.sketchInsert(TABLE, RECORDS, ENTRIES, pages.length);
}

function lookup(open: OpenKernels, pages: SketchPage[]): number[][] {
  writeRecords(open, pages);
  open.kernels.sketchLookup(TABLE, RECORDS, pages.length, CANDIDATES);
  return pages.map((_, i) =>
    Array.from({ length: SKETCH_CANDIDATES }, (_, c) =>
      open.view.getUint32(CANDIDATES + (i * SKETCH_CANDIDATES + c) * 4, true),
    ),
  );
}

describe.each(builds)("sketchtable, $name build", ({ name }) => {
  function open(bits: number): OpenKernels {
    const opened = openKernels(name, USABLE_BYTES);
    opened.bytes.fill(0xa5, FIRST_FREE_BYTE);
    opened.kernels.sketchInit(TABLE, bits);
    return opened;
  }

  test("names nothing when it is empty", () => {
    expect(lookup(open(4), [ordinary(1, 2, 3, 4), ordinary(0, 0, 0, 0)])).toEqual([
      [NO_ENTRY, NO_ENTRY, NO_ENTRY],
      [NO_ENTRY, NO_ENTRY, NO_ENTRY],
    ]);
  });

  test("puts the entry first that shares most features", () => {
    const opened = open(10);
    insert(
      opened,
      [ordinary(1, 2, 3, 4), ordinary(9, 9, 9, 4), ordinary(1, 8, 8, 8)],
      [10, 20, 30],
    );
    // Feature 1 now belongs to 30, 2 and 3 to 10, 4 to 20.
    expect(lookup(opened, [ordinary(1, 2, 3, 4)])).toEqual([[10, 30, 20]]);
    expect(lookup(opened, [ordinary(1, 7, 7, 4)])).toEqual([[30, 20, NO_ENTRY]]);
    expect(lookup(opened, [ordinary(7, 7, 3, 4)])).toEqual([[10, 20, NO_ENTRY]]);
  });

  test("names three of four entries with one vote each, by the order of the features", () => {
    const opened = open(10);
    const pages = [ordinary(1, 0, 0, 0), ordinary(0, 2, 0, 0), ordinary(0, 0, 3, 0)];
    insert(opened, [...pages, ordinary(0, 0, 0, 4)], [3, 2, 1, 0]);
    expect(lookup(opened, [ordinary(1, 2, 3, 4)])).toEqual([[3, 2, 1]]);
  });

  test("does not take a feature for the same number at another index", () => {
    const opened = open(10);
    insert(opened, [ordinary(1, 2, 3, 4)], [5]);
    expect(lookup(opened, [ordinary(2, 3, 4, 1)])).toEqual([[NO_ENTRY, NO_ENTRY, NO_ENTRY]]);
  });

  test("lets the latest page win, in one call and in the next", () => {
    const opened = open(10);
    insert(opened, [ordinary(1, 2, 3, 4), ordinary(1, 2, 3, 4)], [5, 6]);
    expect(lookup(opened, [ordinary(1, 2, 3, 4)])).toEqual([[6, NO_ENTRY, NO_ENTRY]]);
    insert(opened, [ordinary(1, 2, 3, 4)], [7]);
    expect(lookup(opened, [ordinary(1, 2, 3, 4)])).toEqual([[7, NO_ENTRY, NO_ENTRY]]);
  });

  test("passes over feature 0, pages without entry and pages that are not ordinary", () => {
    const opened = open(0);
    insert(opened, [ordinary(0, 0, 0, 0)], [1]);
    insert(opened, [ordinary(1, 2, 3, 4)], [NO_ENTRY]);
    const kinds = [0, SURVEY_ZERO, SURVEY_UNIFORM, 4];
    const others = kinds.map((kind) => ({ kind, features: [1, 2, 3, 4] }));
    insert(opened, others, [2, 3, 4, 5]);
    const nothing = [NO_ENTRY, NO_ENTRY, NO_ENTRY];
    expect(lookup(opened, [ordinary(0, 0, 0, 0), ordinary(1, 2, 3, 4)])).toEqual([
      nothing,
      nothing,
    ]);
    insert(opened, [ordinary(1, 2, 3, 4)], [6]);
    expect(lookup(opened, others)).toEqual(kinds.map(() => nothing));
  });

  test("with one place per feature remembers the last feature alone", () => {
    const opened = open(0);
    insert(opened, [ordinary(1, 2, 3, 4), ordinary(5, 6, 7, 0xffff_ffff)], [0, 0xffff_fffe]);
    expect(lookup(opened, [ordinary(1, 2, 3, 4), ordinary(5, 6, 7, 0xffff_ffff)])).toEqual([
      [NO_ENTRY, NO_ENTRY, NO_ENTRY],
      [0xffff_fffe, NO_ENTRY, NO_ENTRY],
    ]);
  });

  test.each([0, 1, 10])("stays within its bytes: %i bits", (bits) => {
    const opened = open(bits);
    const end = TABLE + opened.kernels.sketchBytes(bits);
    expect(end - TABLE).toBe(8 + 4 * 8 * 2 ** bits);
    const random = seededRandom(bits);
    const feature = () => random.int(2 ** 32);
    const pages = Array.from({ length: MAX_PAGES }, () =>
      ordinary(feature(), feature(), feature(), feature()),
    );
    insert(
      opened,
      pages,
      pages.map((_, i) => i),
    );
    expect(opened.bytes.subarray(end, end + 4096).every((byte) => byte === 0xa5)).toBe(true);
  });

  test("refuses more bits than memory has room for", () => {
    const opened = openKernels(name, 65536);
    expect(opened.kernels.sketchBytes(26) >>> 0).toBe(8 + 2 ** 31);
    expect(opened.kernels.sketchBytes(27)).toBe(0);
  });

  test("answers as the oracle does where features do not collide", () => {
    const random = seededRandom(randomSeed(`sketchtable, ${name}`));
    for (let round = 0; round < 20; round++) {
      // Few features in a large table; a collision would need two of them in one place of 2^16.
      const features = collisionFree(
        16,
        [...Array(1 + random.int(60))].map(() => random.int(2 ** 32)),
      );
      const opened = open(16);
      const oracle = new OracleSketchTable();
      for (let batch = 0; batch < 4; batch++) {
        const pick = () => features[random.int(features.length)] ?? 0;
        const pages = Array.from({ length: random.int(200) }, () => ({
          kind: random.int(8) === 0 ? random.int(5) : SURVEY_ORDINARY,
          features: [pick(), pick(), pick(), pick()],
        }));
        const entries = pages.map(() => (random.int(8) === 0 ? NO_ENTRY : random.int(50)));
        insert(opened, pages, entries);
        pages.forEach((page, i) => {
          oracle.insert(page, entries[i] ?? NO_ENTRY);
        });
        const wanted = Array.from({ length: 200 }, () => ordinary(pick(), pick(), pick(), pick()));
        expect(lookup(opened, wanted)).toEqual(wanted.map((page) => oracle.lookup(page)));
      }
    }
  });

  test("spreads consecutive features, and those that differ in their high bits only", () => {
    for (const shift of [0, 8, 16, 22]) {
      const features = Array.from({ length: 512 }, (_, i) => ((i + 1) << shift) >>> 0);
      expect(collisionFree(10, features).length).toBeGreaterThan(300);
      const opened = open(10);
      insert(
        opened,
        features.map((f) => ordinary(f, 0, 0, 0)),
        features.map((_, i) => i),
      );
      const found = lookup(
        opened,
        features.map((f) => ordinary(f, 0, 0, 0)),
      );
      expect(found.filter((candidates, i) => candidates[0] === i).length).toBeGreaterThan(300);
    }
  });
});

/** The features left when of those that share a place one stays, and feature 0. */
function collisionFree(bits: number, features: number[]): number[] {
  const place = (feature: number) => Math.imul(feature, 0x9e3779b1) >>> (32 - bits);
  return [0, ...new Map(features.map((feature) => [place(feature), feature])).values()];
}
