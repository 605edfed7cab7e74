// A sealed archive in the hands of somebody without the key: bytes are changed with checksums that
// agree, batches and clusters are swapped, moved, and taken from elsewhere. Nothing is ever read
// that was not sealed there; damage, another key and a swap are told apart.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { openArchive } from "../../src/archive/reader.ts";
import { verifyArchive } from "../../src/archive/verify.ts";
import { verifyStream } from "../../src/archive/verifystream.ts";
import { PagefoldError } from "../../src/core/errors.ts";
import { inPieces, openTestEngine } from "../support/engine.ts";
import { temporaryFolder } from "../support/folder.ts";
import { wasmPath } from "../support/kernels.ts";
import { randomSeed, seededRandom } from "../support/random.ts";
import { accessTo } from "../support/samplearchive.ts";
import { batchesOf, KEY, makeFork, makeSealed, resum } from "../support/sealedarchive.ts";

/** The debug build: hostile bytes must not reach an assertion of the kernels. */
const wasm = pathToFileURL(wasmPath("debug"));
const random = seededRandom(randomSeed("tampering"));
const NOT_THE_ONE = /is not the one that belongs there/;
const Type = { IMAGE: 1, PAGES: 2, END: 3, LEAF: 4, PLACES: 5, DIRECTORY: 7, FOOTER: 8 };

/** Three pages, of which one is not like any other. */
const image = (): Buffer =>
  Buffer.concat([
    random.bytes(700),
    Buffer.alloc(3396, 7),
    Buffer.alloc(4096),
    Buffer.alloc(4096, "ab"),
  ]);
const images = { one: image(), two: image() };

async function sealed() {
  const engine = await openTestEngine({ threads: 0 });
  const folder = temporaryFolder();
  const bytes = await makeSealed(engine, join(folder, "A.pfa"), images);
  return { engine, folder, bytes, batches: batchesOf(bytes) };
}

type Read = "intact" | PagefoldError;

/** Reads all that the index leads to. Throws if something comes out that is not right. */
async function readAll(bytes: Buffer): Promise<Read> {
  try {
    await using archive = await openArchive(accessTo(bytes), { key: KEY, wasm });
    for (const { name, byteLength } of archive.images) {
      const content = await archive.image(name).readBytes(0, byteLength);
      const expected = images[name as keyof typeof images];
      if (Buffer.compare(content, expected) !== 0) throw new Error(`${name}: wrong content`);
    }
    return archive.images.length === 2 ? "intact" : new PagefoldError("DAMAGED", "an older state");
  } catch (error) {
    if (error instanceof PagefoldError) return error;
    throw error;
  }
}

/** Every way of reading finds out; resolves with all that they say. */
async function findings(bytes: Buffer): Promise<string> {
  const read = await readAll(bytes);
  const lines = [read === "intact" ? "" : read.message];
  const parts = { storeBytes: 1 << 20, wasm };
  for (const verified of [
    verifyArchive(accessTo(bytes), "A.pfa", { key: KEY }, wasm),
    verifyStream(inPieces(bytes, 999), { key: KEY }, parts),
  ]) {
    const report = await verified.catch((error) => {
      if (!(error instanceof PagefoldError)) throw error;
      return { intact: false, faults: [error.message], lost: [] };
    });
    expect(report.intact).toBe(false);
    lines.push(...report.faults, ...report.lost.map(({ reason }) => reason));
  }
  return lines.join("\n");
}

describe("a sealed archive", () => {
  it("is read nowhere where a byte was changed, whatever the checksum says", async () => {
    const { bytes, batches } = await sealed();
    expect(await readAll(bytes)).toBe("intact");
    const places: number[] = [];
    for (let at = 8192; at < bytes.length; at++) places.push(at);
    for (const block of [0, 4096]) {
      for (let at = block; at < block + 120; at++) places.push(at);
      places.push(block + 4087, block + 4090, block + 120 + random.int(3900));
    }
    const missed: string[] = [];
    for (const at of places) {
      for (const isSummed of [false, true]) {
        // Another part of them in every run.
        if (random.int(4) > 0) continue;
        const changed = Buffer.from(bytes);
        changed[at] ^= 1 << random.int(8);
        if (isSummed) resum(changed, at, batches);
        if (Buffer.compare(changed, bytes) === 0) continue;
        const report = await verifyArchive(accessTo(changed), "A.pfa", { key: KEY }, wasm).catch(
          (error) => error,
        );
        const isClear = report instanceof PagefoldError || report.intact === false;
        // Of the superblock that is not the newest, only its own checksum speaks.
        const isOld = isSummed && at < 8192 && report.intact === true;
        if (!isClear && !isOld) missed.push(`${at} ${isSummed}: ${report}`);
        const read = await readAll(changed);
        if (read !== "intact") expect(["DAMAGED", "FORMAT", "KEY"]).toContain(read.code);
      }
    }
    expect(missed).toEqual([]);
  }, 120_000);

  it("is recovered from either superblock, and from none where it has a key", async () => {
    const { bytes } = await sealed();
    for (const at of [20, 4096 + 20]) {
      const damaged = Buffer.from(bytes);
      damaged[at] ^= 1;
      expect(await readAll(damaged)).toBe("intact");
      expect(await findings(damaged)).toContain("wrong checksum");
    }
    const both = Buffer.from(bytes);
    both[20] ^= 1;
    both[4096 + 20] ^= 1;
    expect(await findings(both)).toMatch(/^archive: both superblocks are damaged, and with them/);
  });

  it("tells of batches that were swapped with those of the same archive", async () => {
    const { bytes, batches } = await sealed();
    for (const type of Object.values(Type)) {
      const [a, b] = batches.filter((batch) => batch.type === type);
      const length = Math.min(a.end - a.at, b.end - b.at);
      // Where lengths differ only what both have is swapped, and made to fit.
      const changed = Buffer.from(bytes);
      bytes.copy(changed, a.at, b.at, b.at + length);
      bytes.copy(changed, b.at, a.at, a.at + length);
      expect(await findings(changed)).toMatch(a.end - a.at === b.end - b.at ? NOT_THE_ONE : /./);
      // Its number alone does not help.
      const moved = Buffer.from(bytes);
      bytes.copy(moved, b.at, a.at, a.at + length);
      moved.writeUInt32LE(bytes.readUInt32LE(b.at + 8), b.at + 8);
      resum(moved, b.at, batchesOf(bytes));
      expect(await findings(moved)).toMatch(a.end - a.at === b.end - b.at ? NOT_THE_ONE : /./);
    }
  });

  it("tells of clusters that were swapped", async () => {
    const { bytes, batches } = await sealed();
    const [a, b] = batches.filter(({ type }) => type === Type.PAGES);
    expect(a.end - a.bodyAt).toBe(b.end - b.bodyAt);
    const changed = Buffer.from(bytes);
    bytes.copy(changed, a.bodyAt, b.bodyAt, b.end);
    bytes.copy(changed, b.bodyAt, a.bodyAt, a.end);
    const found = await findings(changed);
    for (const cluster of [0, 1]) expect(found).toContain(`cluster ${cluster}: is not the one`);
    expect((await readAll(changed)) as PagefoldError).toMatchObject({ code: "DAMAGED" });
  });

  it("takes nothing from another archive of the same key", async () => {
    const { engine, folder, bytes, batches } = await sealed();
    const other = await makeSealed(engine, join(folder, "B.pfa"), images);
    const theirs = batchesOf(other);
    for (const [i, { type, at, bodyAt, end }] of batches.entries()) {
      const their = theirs[i];
      if (their.at !== at || their.end !== end) break;
      const changed = Buffer.from(bytes);
      other.copy(changed, at, at, end);
      expect(`${type}: ${await findings(changed)}`).toMatch(NOT_THE_ONE);
      if (end === bodyAt) continue;
      const body = Buffer.from(bytes);
      other.copy(body, bodyAt, bodyAt, end);
      expect(await findings(body)).toMatch(/cluster [01]: is not the one that belongs there/);
    }
    const head = Buffer.concat([other.subarray(0, 8192), bytes.subarray(8192)]);
    expect(await findings(head)).toMatch(/belongs there/);
  });

  it("takes nothing from a copy that grew differently", async () => {
    const { engine, folder } = await sealed();
    const first = await makeSealed(engine, join(folder, "A.pfa"), { one: images.one });
    const left = await makeFork(engine, folder, first, "two", images.two);
    const right = await makeFork(engine, folder, first, "two", image());
    expect(await readAll(left)).toBe("intact");
    const added = batchesOf(left).slice(batchesOf(first).length);
    expect(added.map(({ type }) => type)).toEqual([1, 2, 3, 6, 4, 5, 7, 8]);
    const theirs = batchesOf(right);
    let taken = 0;
    for (const { at, bodyAt, end } of added) {
      // The directory is deflated with its nonces, so its length may differ.
      if (!theirs.some((batch) => batch.at === at && batch.end === end)) break;
      taken++;
      const changed = Buffer.from(left);
      right.copy(changed, at, at, end);
      expect(await findings(changed)).toMatch(NOT_THE_ONE);
      if (end === bodyAt) continue;
      const body = Buffer.from(left);
      right.copy(body, bodyAt, bodyAt, end);
      expect(await findings(body)).toContain("cluster 1: is not the one that belongs there");
    }
    expect(taken).toBeGreaterThanOrEqual(6);
  });

  it("gives out what can be had, and only with its key", async () => {
    const { engine, folder, bytes, batches } = await sealed();
    const damaged = Buffer.from(bytes);
    for (const { type, at } of batches) if (type === Type.DIRECTORY) damaged[at + 70] ^= 1;
    const [, lost] = batches.filter(({ type }) => type === Type.PAGES);
    damaged[lost.end - 1] ^= 1;
    const path = join(folder, "damaged.pfa");
    writeFileSync(path, damaged);
    for (const input of [() => ({ path }), () => ({ bytes: inPieces(damaged, 999) })]) {
      const out = temporaryFolder();
      const report = await engine.unpack(input(), out, { key: KEY, keepGoing: true });
      expect(readFileSync(join(out, "one")).equals(images.one)).toBe(true);
      expect(report.lost.map(({ name, reason }) => [name, reason])).toEqual([
        ["two", "cluster 1: wrong checksum"],
      ]);
      const unread = engine.unpack(input(), out, { keepGoing: true, force: true });
      await expect(unread).rejects.toMatchObject({ code: "KEY" });
    }
  });

  it("takes no batch that is not sealed", async () => {
    const { engine, folder, bytes } = await sealed();
    const path = join(folder, "open.pfa");
    const open = { name: "one", bytes: inPieces(images.one, 4096), mtimeMs: 1000 };
    await engine.pack([open], { path }, { level: "fast" });
    const plain = readFileSync(path);
    expect(await findings(plain)).toContain("is not sealed: it takes no key");
    const mixed = Buffer.concat([bytes.subarray(0, 8192), plain.subarray(8192)]);
    const found = await findings(mixed);
    expect(found).toContain("is not sealed, and the archive is");
  });

  it("shows an older state of itself as that", async () => {
    const { bytes, batches } = await sealed();
    const [first] = batches.filter(({ type }) => type === Type.FOOTER);
    const cut = Buffer.from(bytes.subarray(0, first.end));
    // The superblock of generation 1 is there still; that of generation 2 is wiped out.
    cut.fill(0, 0, 4096);
    await using archive = await openArchive(accessTo(cut), { key: KEY, wasm });
    expect(archive.images.map(({ name }) => name)).toEqual(["one"]);
    expect(archive.generation).toBe(1);
  });
});
