// What design and format promise of every record: references only to what came earlier, to content
// that stands alone, few clusters for a page, bytes that were compared, and a bound on the cost.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Engine } from "../../src/api.ts";
import { openArchive } from "../../src/archive/reader.ts";
import { ByteReader } from "../../src/core/bytes.ts";
import { LOOKUP_FOUND, LOOKUP_INSERTED } from "../../src/kernels/abi.ts";
import { decodeBatchHeader } from "../../src/wire/batch.ts";
import { RecordKind, readPagesHead } from "../../src/wire/records.ts";
import { clusterContentOracle } from "../oracle/cluster.ts";
import { openTestEngine, resourcesOf } from "../support/engine.ts";
import { temporaryFolder } from "../support/folder.ts";
import { apart, mixed, noise } from "../support/images.ts";
import { seededRandom } from "../support/random.ts";

async function packed(engine: Engine, images: readonly Uint8Array[]) {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "out"));
  const inputs = images.map((bytes, i) => {
    const path = join(folder, `${i}`);
    writeFileSync(path, bytes);
    return { name: `${i}`, path };
  });
  const path = join(folder, "A.pfa");
  const report = await engine.pack(inputs, { path });
  await engine.unpack({ path }, join(folder, "out"));
  for (const [i, bytes] of images.entries()) {
    const back = readFileSync(join(folder, "out", `${i}`));
    expect(`${i}: ${Buffer.compare(back, bytes)}`).toBe(`${i}: 0`);
  }
  return { path, report, archive: readFileSync(path) };
}

/** Clusters that each item of a deltas cluster refers to. */
function referencesOf(archive: Buffer, at: number, items: number): number[][] {
  const contentBytes = archive.readUInt32LE(at + 12);
  const payload = archive.subarray(at + 24, at + 24 + archive.readUInt32LE(at + 8));
  const content = clusterContentOracle(archive[at + 16], payload, contentBytes);
  const lists: number[][] = [];
  for (let item = 0, from = items * 2; item < items; item++) {
    const length = content[item * 2] + content[item * 2 + 1] * 256;
    const reader = new ByteReader(content.subarray(from, from + length), "item");
    lists.push(
      Array.from({ length: reader.varint() }, () => {
        const code = reader.varint();
        if (code % 2 === 0) reader.varint();
        return Math.floor(code / 2);
      }),
    );
    from += length;
  }
  return lists;
}

/** Walks all PAGES batches; throws at the first record that refers to what it must not. */
function walk(archive: Buffer) {
  const kinds: boolean[] = [];
  const closures: number[] = [];
  let duplicates = 0;
  for (let at = 8192; at < archive.length; ) {
    const header = decodeBatchHeader(archive.subarray(at, at + 64), at);
    const bodyAt = at + 64 + header.headBytes;
    if (archive[at + 4] === 2) {
      // Heads of PAGES batches are never deflated.
      const stored = archive.subarray(at + 64, bodyAt);
      const head = readPagesHead(new ByteReader(stored, "PAGES"), header.bodyBytes);
      let cluster = bodyAt;
      for (const { byteLength, itemCount, isDeltas } of head.clusters) {
        const lists = isDeltas ? referencesOf(archive, cluster, itemCount) : [];
        for (const references of lists) {
          for (const reference of references) expect(kinds[reference]).toBe(false);
          closures.push(1 + new Set(references).size);
        }
        cluster += byteLength;
      }
      // Deltas name only clusters of earlier batches: own ones are counted afterwards.
      for (const { isDeltas } of head.clusters) kinds.push(isDeltas);
      for (const run of head.runs) {
        if (run.kind !== RecordKind.DUPLICATE) continue;
        duplicates++;
        expect(run.cluster).toBeLessThan(kinds.length);
      }
    }
    at = bodyAt + header.bodyBytes;
  }
  return { closures, duplicates };
}

describe("records", () => {
  it("refer to earlier content that stands alone, in at most four clusters", async () => {
    const engine = await openTestEngine();
    const random = seededRandom(21);
    const image = apart(random, noise(random, 500));
    const { archive, report } = await packed(engine, [image, mixed(random, 300), image]);
    const { closures, duplicates } = walk(archive);
    expect(duplicates).toBeGreaterThan(0);
    expect(closures.length).toBe(
      report.images.reduce((sum, { counts }) => sum + counts.similar, 0),
    );
    expect(closures.length).toBeGreaterThan(250);
    expect(Math.max(...closures)).toBeLessThanOrEqual(4);
  });

  it("name equal pages only after their bytes were compared", async () => {
    // A table that takes every page for the first one, as a crafted collision would make it.
    const engine = await openTestEngine();
    const { kernels, arena } = resourcesOf(engine);
    const lookup = kernels.tableLookup.bind(kernels);
    let first: number | undefined;
    kernels.tableLookup = (table, records, fingerprints, places, count, entries, codes) => {
      lookup(table, records, fingerprints, places, count, entries, codes);
      for (let page = 0; page < count; page++) {
        const code = arena.bytes[codes + page];
        if (code !== LOOKUP_INSERTED && code !== LOOKUP_FOUND) continue;
        const entry = arena.view.getUint32(entries + page * 4, true);
        first ??= entry;
        if (entry === first) continue;
        arena.view.setUint32(entries + page * 4, first, true);
        arena.bytes[codes + page] = LOOKUP_FOUND;
      }
    };
    const random = seededRandom(22);
    const image = Buffer.concat([noise(random, 700), noise(random, 1)]);
    image.copy(image, 600 * 4096, 0, 4096);
    const { report } = await packed(engine, [image, image]);
    // Only true copies of the first page were believed.
    expect(report.images[0].counts).toMatchObject({ duplicateInside: 1, duplicateAcross: 0 });
    expect(report.images[1].counts).toMatchObject({ duplicateInside: 0, duplicateAcross: 2 });
  });

  it("cost no more than the page and a fixed header", async () => {
    const engine = await openTestEngine();
    const image = noise(seededRandom(23), 4096);
    const { archive, report } = await packed(engine, [image]);
    expect(report.images[0].counts.raw).toBe(4096);
    expect(archive.length).toBeLessThan(image.length * 1.01);
    // One page alone: heads, index and superblocks besides.
    const alone = await packed(engine, [image.subarray(0, 4096)]);
    expect(alone.archive.length).toBeLessThan(4096 + 8192 + 1024);
  });

  it("are found in less memory than the table would need", async () => {
    const memoryBytes = 64 << 20;
    const engine = await openTestEngine({ memoryBytes, threads: 1 });
    const random = seededRandom(24);
    // Nothing is known of a stream's length, so the table takes what it may have.
    const resources = resourcesOf(engine);
    const lookup = resources.kernels.tableInit.bind(resources.kernels);
    resources.kernels.tableInit = (table, bits, entries) =>
      lookup(table, bits, Math.min(entries, 2000));
    const image = noise(random, 3000);
    const { path, report } = await packed(engine, [image, image]);
    expect(report.unlistedPages).toBe(1000 + 1000);
    expect(report.images[1].counts).toMatchObject({ duplicateAcross: 2000, raw: 1000 });
    await using archive = await openArchive(path);
    expect(await archive.verify()).toMatchObject({ intact: true });
  });
});
