// What inspecting counts, against a slow count over the same survey records, in both builds.
import { describe, expect, test } from "vitest";
import {
  FINGERPRINT_BYTES,
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

const MAX_PAGES = 512;
const FINDINGS = FIRST_FREE_BYTE;
const RECORDS = FINDINGS + 4096;
const FINGERPRINTS = RECORDS + MAX_PAGES * SURVEY_RECORD_BYTES;
const PLACES = FINGERPRINTS + MAX_PAGES * FINGERPRINT_BYTES;
const ENTRIES = PLACES + MAX_PAGES * 8;
const CODES = ENTRIES + MAX_PAGES * 4;
const SIMILAR = CODES + MAX_PAGES;
const TABLE = SIMILAR + MAX_PAGES * SKETCH_CANDIDATES * 4;
const SKETCHES = TABLE + (1 << 20);
const USABLE_BYTES = SKETCHES + (4 << 20) - FIRST_FREE_BYTE;
const SKETCH_BITS = 16;

interface Page extends SketchPage {
  readonly content: number;
}

/** As the kernel counts: zero, uniform, inside, across, similar, distinct. */
class SlowFindings {
  readonly counts = [0, 0, 0, 0, 0, 0];
  private readonly owners = new Map<number, number>();
  private readonly sketches = new OracleSketchTable();

  add(page: Page, image: number): void {
    const owner = this.owners.get(page.content);
    if (page.kind === SURVEY_ZERO) this.count(0);
    else if (page.kind === SURVEY_UNIFORM) this.count(1);
    else if (owner !== undefined) this.count(owner === image ? 2 : 3);
    else {
      if (this.sketches.lookup(page)[0] !== NO_ENTRY) this.count(4);
      this.count(5);
      this.sketches.insert(page, this.owners.size);
      this.owners.set(page.content, image);
    }
  }

  private count(kind: number): void {
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
  }
}

function inspect({ kernels, view }: OpenKernels, pages: readonly Page[], image: number): void {
  pages.forEach(({ kind, features, content }, i) => {
    view.setUint32(RECORDS + i * SURVEY_RECORD_BYTES, kind, true);
    features.forEach((feature, f) => {
      view.setUint32(RECORDS + i * SURVEY_RECORD_BYTES + 16 + f * 4, feature, true);
    });
    // Spread over the buckets of the table, as fingerprints are.
    const spread = Math.imul(content, 0x9e3779b1);
    view.setInt32(FINGERPRINTS + i * FINGERPRINT_BYTES, spread ^ (spread >>> 16), true);
    view.setUint32(FINGERPRINTS + i * FINGERPRINT_BYTES + 8, content, true);
  });
  const tables = [TABLE, SKETCHES, RECORDS, FINGERPRINTS] as const;
  const slab = [PLACES, ENTRIES, CODES, SIMILAR, FINDINGS] as const;
  kernels.inspectPages(...tables, pages.length, image, ...slab);
}

describe.each(builds)("findings, $name build", ({ name }) => {
  test("are those of a slow count, over batches and images", () => {
    const random = seededRandom(randomSeed(`findings, ${name}`));
    const opened = openKernels(name, USABLE_BYTES);
    opened.kernels.tableInit(TABLE, 12, 4096);
    opened.kernels.sketchInit(SKETCHES, SKETCH_BITS);
    const slow = new SlowFindings();
    // Small numbers are spread over the table without meeting one another.
    const feature = (): number => random.int(64);
    for (const image of [0, 0, 1, 2, 2]) {
      const pages = Array.from({ length: random.int(MAX_PAGES) }, () => ({
        kind: [SURVEY_ZERO, SURVEY_UNIFORM][random.int(8)] ?? SURVEY_ORDINARY,
        features: [feature(), feature(), feature(), feature()],
        content: 1 + random.int(900),
      }));
      inspect(opened, pages, image);
      for (const page of pages) slow.add(page, image);
    }
    expect([...new Uint32Array(opened.memory.buffer, FINDINGS, 6)]).toEqual(slow.counts);
  });

  test("count nothing where there is nothing, and no page twice where the table is full", () => {
    const opened = openKernels(name, USABLE_BYTES);
    opened.kernels.tableInit(TABLE, 2, 2);
    opened.kernels.sketchInit(SKETCHES, SKETCH_BITS);
    inspect(opened, [], 0);
    const page = (content: number): Page => ({
      kind: SURVEY_ORDINARY,
      features: [0, 0, 0, 0],
      content,
    });
    inspect(opened, [page(1), page(2), page(3), page(3), page(1)], 7);
    expect([...new Uint32Array(opened.memory.buffer, FINDINGS, 6)]).toEqual([0, 0, 1, 0, 0, 4]);
  });
});
