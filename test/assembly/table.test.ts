// The fingerprint table against its oracle: both builds, edges, full tables and crafted buckets.
import { describe, expect, test } from "vitest";
import {
  LOOKUP_FOUND,
  LOOKUP_FULL,
  LOOKUP_INSERTED,
  LOOKUP_NONE,
  NO_ENTRY,
  SURVEY_ORDINARY,
  SURVEY_RECORD_BYTES,
  SURVEY_UNIFORM,
  SURVEY_ZERO,
  TABLE_ENTRY_BYTES,
} from "../../src/kernels/abi.ts";
import { CHAIN_LIMIT, OracleTable, type TablePage } from "../oracle/table.ts";
import { builds, FIRST_FREE_BYTE, type OpenKernels, openKernels } from "../support/kernels.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const MAX_PAGES = 4096;
const RECORDS = FIRST_FREE_BYTE;
const FINGERPRINTS = RECORDS + MAX_PAGES * SURVEY_RECORD_BYTES;
const PLACES = FINGERPRINTS + MAX_PAGES * 16;
const ENTRIES = PLACES + MAX_PAGES * 8;
const CODES = ENTRIES + MAX_PAGES * 4;
const TABLE = CODES + MAX_PAGES;
const USABLE_BYTES = TABLE - FIRST_FREE_BYTE + 1024 * 1024;

function ordinary(low: bigint, high: bigint, place = low): TablePage {
  return { kind: SURVEY_ORDINARY, low, high, place };
}

function lookup(open: OpenKernels, pages: TablePage[]): { entry: number; code: number }[] {
  const { kernels, view } = open;
  pages.forEach((page, i) => {
    view.setUint32(RECORDS + i * SURVEY_RECORD_BYTES, page.kind, true);
    view.setBigUint64(FINGERPRINTS + i * 16, page.low, true);
    view.setBigUint64(FINGERPRINTS + i * 16 + 8, page.high, true);
    view.setBigUint64(PLACES + i * 8, page.place, true);
  });
  kernels.tableLookup(TABLE, RECORDS, FINGERPRINTS, PLACES, pages.length, ENTRIES, CODES);
  return pages.map((_, i) => ({
    entry: view.getUint32(ENTRIES + i * 4, true),
    code: view.getUint8(CODES + i),
  }));
}

function readEntry({ kernels, view }: OpenKernels, index: number) {
  const at = kernels.tableEntry(TABLE, index) >>> 0;
  return {
    low: view.getBigUint64(at, true),
    high: view.getBigUint64(at + 8, true),
    place: view.getBigUint64(at + 16, true),
    slot: view.getBigUint64(at + 24, true),
  };
}

describe.each(builds)("table, $name build", ({ name }) => {
  function open(bucketBits: number, capacity: number): OpenKernels {
    const opened = openKernels(name, USABLE_BYTES);
    opened.bytes.fill(0xa5, FIRST_FREE_BYTE);
    opened.kernels.tableInit(TABLE, bucketBits, capacity);
    return opened;
  }

  test("is empty after the start, and again after another start", () => {
    const opened = open(4, 10);
    expect(opened.kernels.tableCount(TABLE)).toBe(0);
    expect(lookup(opened, [ordinary(1n, 2n)])).toEqual([{ entry: 0, code: LOOKUP_INSERTED }]);
    opened.kernels.tableInit(TABLE, 4, 10);
    expect(opened.kernels.tableCount(TABLE)).toBe(0);
    expect(lookup(opened, [ordinary(1n, 2n)])).toEqual([{ entry: 0, code: LOOKUP_INSERTED }]);
  });

  test("finds a duplicate within one call and in the next", () => {
    const opened = open(4, 10);
    const page = ordinary(7n, 9n, 100n);
    expect(lookup(opened, [page, { ...page, place: 200n }])).toEqual([
      { entry: 0, code: LOOKUP_INSERTED },
      { entry: 0, code: LOOKUP_FOUND },
    ]);
    expect(lookup(opened, [page])).toEqual([{ entry: 0, code: LOOKUP_FOUND }]);
    expect(readEntry(opened, 0)).toEqual({ low: 7n, high: 9n, place: 100n, slot: 0n });
  });

  test("tells fingerprints apart that differ in one half only", () => {
    const opened = open(0, 10);
    const codes = lookup(opened, [ordinary(1n, 2n), ordinary(1n, 3n), ordinary(2n, 2n)]);
    expect(codes.map((c) => c.entry)).toEqual([0, 1, 2]);
  });

  test("leaves pages alone that are not ordinary", () => {
    const opened = open(4, 10);
    const kinds = [0, SURVEY_ZERO, SURVEY_UNIFORM, 4];
    const pages = kinds.map((kind) => ({ ...ordinary(1n, 1n), kind }));
    const none = kinds.map(() => ({ entry: NO_ENTRY, code: LOOKUP_NONE }));
    expect(lookup(opened, pages)).toEqual(none);
    expect(opened.kernels.tableCount(TABLE)).toBe(0);
  });

  test("keeps the slot that its caller wrote", () => {
    const opened = open(4, 10);
    lookup(opened, [ordinary(1n, 1n)]);
    const at = opened.kernels.tableEntry(TABLE, 0) >>> 0;
    opened.view.setBigUint64(at + 24, 0xffff_ffff_ffff_ffffn, true);
    lookup(opened, [ordinary(1n, 1n), ordinary(2n, 1n)]);
    expect(readEntry(opened, 0).slot).toBe(0xffff_ffff_ffff_ffffn);
  });

  test("says that it is full, and still finds what it holds", () => {
    const opened = open(4, 3);
    const pages = [1n, 2n, 3n, 4n, 1n].map((low) => ordinary(low, 0n));
    expect(lookup(opened, pages).map((r) => r.code)).toEqual([
      LOOKUP_INSERTED,
      LOOKUP_INSERTED,
      LOOKUP_INSERTED,
      LOOKUP_FULL,
      LOOKUP_FOUND,
    ]);
    expect(opened.kernels.tableCount(TABLE)).toBe(3);
  });

  test("takes at most 16 crafted fingerprints into one bucket", () => {
    const opened = open(8, 1000);
    const crafted = Array.from({ length: 100 }, (_, i) => ordinary(BigInt(i) << 8n, 5n));
    const codes = lookup(opened, crafted).map((r) => r.code);
    expect(codes.filter((code) => code === LOOKUP_INSERTED)).toHaveLength(CHAIN_LIMIT);
    expect(codes.slice(CHAIN_LIMIT).every((code) => code === LOOKUP_FULL)).toBe(true);
    expect(lookup(opened, crafted.slice(0, CHAIN_LIMIT)).map((r) => r.code)).toEqual(
      new Array(CHAIN_LIMIT).fill(LOOKUP_FOUND),
    );
    expect(lookup(opened, [ordinary(1n, 5n)])[0]?.code).toBe(LOOKUP_INSERTED);
  });

  test("writes nothing for no pages, and nothing behind its own bytes", () => {
    const opened = open(3, 5);
    const end = TABLE + opened.kernels.tableBytes(3, 5);
    expect(lookup(opened, [])).toEqual([]);
    lookup(
      opened,
      Array.from({ length: 50 }, (_, i) => ordinary(BigInt(i), 1n)),
    );
    expect(opened.bytes.subarray(end, end + 4096).every((byte) => byte === 0xa5)).toBe(true);
    expect((opened.kernels.tableEntry(TABLE, 4) >>> 0) + TABLE_ENTRY_BYTES).toBe(end);
  });

  test("clears its heads only at the start", () => {
    const opened = open(6, 1000);
    const firstEntry = TABLE + opened.kernels.tableBytes(6, 0);
    const end = TABLE + opened.kernels.tableBytes(6, 1000);
    expect(opened.bytes.subarray(firstEntry, end).every((byte) => byte === 0xa5)).toBe(true);
  });

  test.each([
    [0, 0, 24],
    [0, 1, 24 + 40],
    [1, 0, 24],
    [10, 100, 16 + 4096 + 4000],
    [28, 80_000_000, 16 + 2 ** 30 + 3_200_000_000],
    [28, 100_000_000, 0],
    [29, 0, 0],
    [31, 1, 0],
  ])("takes so many bytes: %i bits, %i entries", (bits, entries, bytes) => {
    const opened = openKernels(name, 65536);
    expect(opened.kernels.tableBytes(bits, entries) >>> 0).toBe(bytes);
  });

  test("answers as the oracle does", () => {
    const random = seededRandom(randomSeed(`table, ${name}`));
    for (let round = 0; round < 20; round++) {
      const bits = random.int(12);
      const capacity = random.int(3000);
      const opened = open(bits, capacity);
      const oracle = new OracleTable(bits, capacity);
      const spread = 1 + random.int(3000);
      for (let batch = 0; batch < 4; batch++) {
        const pages = Array.from({ length: random.int(1024) }, () => ({
          kind: random.int(8) === 0 ? random.int(5) : SURVEY_ORDINARY,
          low: BigInt(random.int(spread)) * 0x1_0000_0001n,
          high: BigInt(random.int(2)),
          place: BigInt(random.int(2 ** 32)) << 20n,
        }));
        expect(lookup(opened, pages)).toEqual(pages.map((page) => oracle.lookup(page)));
      }
      expect(opened.kernels.tableCount(TABLE)).toBe(oracle.entries.length);
      oracle.entries.forEach((entry, index) => {
        expect(readEntry(opened, index)).toEqual(entry);
      });
    }
  });
});
