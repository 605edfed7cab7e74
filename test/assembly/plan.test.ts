// The two ends of a batch: which pages need a decision, and what became of them as runs, slots and
// fingerprints, compared with going through the pages one by one.
import { describe, expect, it } from "vitest";
import {
  ACTION_NONE,
  ACTION_STORE,
  CLUSTER_ENTRY_BYTES,
  CLUSTER_IS_DELTAS,
  LOOKUP_FOUND,
  LOOKUP_FULL,
  LOOKUP_INSERTED,
  LOOKUP_NONE,
  NO_ENTRY,
  OUTCOME_DELTA,
  OUTCOME_EQUAL,
  OUTCOME_NONE,
  OUTCOME_STORED,
  RUN_BYTES,
  RUN_EQUAL,
  SLOT_BASE,
  SLOT_DELTAS,
  SLOT_KNOWN,
} from "../../src/kernels/abi.ts";
import { builds, FIRST_FREE_BYTE, openKernels } from "../support/kernels.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const MAX = 512;
const STRIDE = 32;
const [
  PLAN,
  CODES,
  SIMILAR,
  LIST,
  RECORDS,
  PRINTS,
  ENTRIES,
  CLUSTERS,
  GATHERED,
  PLAIN,
  RUNS,
  TABLE,
] = Array.from({ length: 12 }, (_, i) => FIRST_FREE_BYTE + i * 65536);
const USABLE_BYTES = 16 * 65536;
const random = seededRandom(randomSeed("plan"));

interface Page {
  outcome: number;
  kind: number;
  code: number;
  entry: number;
}

describe.each(builds)("plan, $name", ({ name }) => {
  const { kernels, view, bytes } = openKernels(name, USABLE_BYTES);

  it.each([0, 1, 2, 300, MAX])("lists what needs a decision among %i pages", (count) => {
    const codes = Array.from({ length: count }, () => random.int(4));
    const similar = codes.map(() => (random.int(3) === 0 ? 7 : NO_ENTRY));
    codes.forEach((code, page) => {
      view.setUint8(CODES + page, code);
      view.setUint32(SIMILAR + page * 12, similar[page], true);
    });
    for (const all of [0, 1]) {
      const listed = kernels.planPages(PLAN, STRIDE, CODES, SIMILAR, count, all, LIST);
      const expected = codes.flatMap((code, page) => {
        const isListed = code === LOOKUP_FOUND || similar[page] !== NO_ENTRY || all === 1;
        return code !== LOOKUP_NONE && isListed ? [page] : [];
      });
      const found = Array.from({ length: listed }, (_, i) => view.getUint32(LIST + i * 4, true));
      expect(found).toEqual(expected);
      codes.forEach((code, page) => {
        const action = code === LOOKUP_NONE ? ACTION_NONE : ACTION_STORE;
        const plan = [0, 4, 8].map((at) => view.getUint32(PLAN + page * STRIDE + at, true));
        expect(plan).toEqual([action, 0, OUTCOME_NONE]);
      });
    }
  });

  /** Slots of known content: items of few clusters in order, so that runs come about. */
  function knownSlot(entry: number): [cluster: number, state: number] {
    if (entry % 50 === 49) return [0, (SLOT_KNOWN | SLOT_BASE) >>> 0];
    return [9 + Math.floor(entry / 20), (SLOT_KNOWN | (entry % 20)) >>> 0];
  }

  function makePages(count: number): Page[] {
    const pages: Page[] = [];
    while (pages.length < count) {
      const outcome = [OUTCOME_NONE, OUTCOME_EQUAL, OUTCOME_STORED, OUTCOME_DELTA][random.int(4)];
      const start = random.int(100);
      for (let run = 0; run <= random.int(5) && pages.length < count; run++) {
        const isNew = outcome === OUTCOME_STORED || outcome === OUTCOME_DELTA;
        const code = isNew ? [LOOKUP_INSERTED, LOOKUP_FULL][random.int(2)] : LOOKUP_FOUND;
        const entry = isNew ? 200 + pages.length : start + run;
        pages.push({
          outcome,
          kind: outcome === OUTCOME_NONE ? 1 + random.int(2) : 3,
          code,
          entry,
        });
      }
    }
    return pages;
  }

  /** 1000 entries without slots. */
  function fillTable(): void {
    kernels.tableInit(TABLE, 12, 1000);
    bytes.set(random.bytes(1000 * 16), PRINTS);
    for (let page = 0; page < 1000; page++) view.setUint32(RECORDS + page * 32, 3, true);
    kernels.tableLookup(TABLE, RECORDS, PRINTS, GATHERED, 1000, ENTRIES, CODES);
    expect(kernels.tableCount(TABLE)).toBe(1000);
  }

  function lay(pages: readonly Page[]): { stored: number[]; deltas: number[] } {
    fillTable();
    for (let entry = 0; entry < 200; entry++) {
      const at = kernels.tableEntry(TABLE, entry) >>> 0;
      const [cluster, state] = knownSlot(entry);
      view.setBigUint64(at + 16, BigInt(entry), true);
      view.setUint32(at + 24, cluster, true);
      view.setUint32(at + 28, state, true);
    }
    bytes.set(random.bytes(pages.length * 16), PRINTS);
    pages.forEach(({ outcome, kind, code, entry }, page) => {
      view.setUint32(PLAN + page * STRIDE + 8, outcome, true);
      view.setUint32(RECORDS + page * 32, kind, true);
      view.setBigUint64(RECORDS + page * 32 + 8, kind === 2 ? BigInt(1 + (page >> 2)) : 0n, true);
      view.setUint8(CODES + page, code);
      view.setUint32(ENTRIES + page * 4, entry, true);
    });
    const of = (wanted: number): number[] =>
      pages.flatMap(({ outcome }, page) => (outcome === wanted ? [page] : []));
    const [stored, deltas] = [of(OUTCOME_STORED), of(OUTCOME_DELTA)];
    let at = CLUSTERS;
    for (const [list, size, flags] of [
      [stored, 16, 0],
      [deltas, 100, CLUSTER_IS_DELTAS],
    ] as const) {
      for (let first = 0; first < list.length; first += size, at += CLUSTER_ENTRY_BYTES) {
        view.setUint32(at + 8, Math.min(size, list.length - first), true);
        view.setUint32(at + 12, flags, true);
      }
    }
    return { stored, deltas };
  }

  it.each([1, 2, 17, 300, MAX])("describes what became of %i pages", (count) => {
    const pages = makePages(count);
    const { stored, deltas } = lay(pages);
    const runCount = kernels.describePages(
      RECORDS,
      PRINTS,
      PLAN,
      STRIDE,
      CODES,
      ENTRIES,
      count,
      TABLE,
      CLUSTERS,
      500,
      GATHERED,
      PLAIN,
      RUNS,
    );
    // Runs, spread over their pages again, say of each page what it is.
    const spread: string[] = [];
    const heads: string[] = [];
    for (let i = 0; i < runCount; i++) {
      const at = RUNS + i * RUN_BYTES;
      const [kind, length, cluster, state] = [0, 4, 8, 12].map((o) => view.getUint32(at + o, true));
      const word = view.getBigUint64(at + 16, true);
      heads.push(`${kind} ${cluster} ${kind === RUN_EQUAL ? state + length : state} ${word}`);
      for (let page = 0; page < length; page++) {
        if (kind === RUN_EQUAL) spread.push(`${kind} ${cluster} ${state + page}`);
        else spread.push(kind === 2 ? `${kind} ${word}` : `${kind}`);
      }
    }
    expect(spread).toEqual(
      pages.map(({ outcome, kind, entry }, page) => {
        if (outcome === OUTCOME_EQUAL) return `${RUN_EQUAL} ${knownSlot(entry).join(" ")}`;
        if (outcome === OUTCOME_NONE) return kind === 2 ? `2 ${1 + (page >> 2)}` : "1";
        return outcome === OUTCOME_STORED ? "3" : "4";
      }),
    );
    expect(runCount).toBeLessThanOrEqual(count);
    const order = stored.concat(deltas);
    const prints = order.map((page) => bytes.slice(PRINTS + page * 16, PRINTS + page * 16 + 16));
    const gathered = bytes.slice(GATHERED, GATHERED + order.length * 16);
    expect(Buffer.from(gathered).equals(Buffer.concat(prints))).toBe(true);
    const pageClusters = Math.ceil(stored.length / 16);
    pages.forEach(({ outcome, code, entry }, page) => {
      const isNew = code === LOOKUP_INSERTED;
      const plain = view.getUint32(PLAIN + page * 4, true);
      expect(plain).toBe(outcome === OUTCOME_STORED && isNew ? entry : NO_ENTRY);
      if (outcome !== OUTCOME_STORED && outcome !== OUTCOME_DELTA) return;
      const at = kernels.tableEntry(TABLE, entry) >>> 0;
      const slot = [view.getUint32(at + 24, true), view.getUint32(at + 28, true)];
      const [list, size] = outcome === OUTCOME_STORED ? [stored, 16] : [deltas, 100];
      const index = list.indexOf(page);
      const first = 500 + (outcome === OUTCOME_STORED ? 0 : pageClusters);
      const flags = outcome === OUTCOME_STORED ? SLOT_KNOWN : SLOT_KNOWN | SLOT_DELTAS;
      const expected = [first + Math.floor(index / size), (flags | (index % size)) >>> 0];
      expect(slot).toEqual(isNew ? expected : [0, 0]);
    });
  });

  it("has no kind for an ordinary page without an outcome", () => {
    lay([{ outcome: OUTCOME_NONE, kind: 3, code: LOOKUP_INSERTED, entry: 300 }]);
    const runs = kernels.describePages(
      RECORDS,
      PRINTS,
      PLAN,
      STRIDE,
      CODES,
      ENTRIES,
      1,
      TABLE,
      CLUSTERS,
      0,
      GATHERED,
      PLAIN,
      RUNS,
    );
    expect([runs, view.getUint32(RUNS, true)]).toEqual([1, 0]);
  });
});
