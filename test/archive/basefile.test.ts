// Archives made against a base image: they store what is new, and come back with the right base
// only.
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { BaseInput } from "../../src/api.ts";
import { openArchive } from "../../src/archive/reader.ts";
import { readArchive } from "../oracle/reader.ts";
import { openTestEngine, resourcesOf } from "../support/engine.ts";
import { temporaryFolder } from "../support/folder.ts";
import { edited, mixed, noise } from "../support/images.ts";
import { seededRandom } from "../support/random.ts";

const random = seededRandom(81);
const old = Buffer.concat([noise(random, 700), mixed(random, 200)]).subarray(0, 900 * 4096 - 100);
/** Some pages as they were, some moved, some changed a little, some new; longer than before. */
const changed = Buffer.concat([
  edited(random, old.subarray(0, 700 * 4096)),
  old.subarray(100 * 4096, 300 * 4096),
  noise(random, 30),
]);
const newest = edited(random, changed, 2);

async function prepared(threads = 2) {
  const engine = await openTestEngine({ threads });
  const folder = temporaryFolder();
  const file = (name: string): string => join(folder, name);
  writeFileSync(file("old.raw"), old);
  writeFileSync(file("new.raw"), changed);
  writeFileSync(file("newest.raw"), newest);
  const input = (name: string) => ({ name, path: file(name) });
  return { engine, folder, file, input, free: resourcesOf(engine).arena.largestFreeBytes };
}

const pagesOf = (bytes: Buffer): Buffer[] =>
  Array.from({ length: Math.ceil(bytes.length / 4096) }, (_, i) =>
    Buffer.concat([bytes.subarray(i * 4096, (i + 1) * 4096), Buffer.alloc(4096)]).subarray(0, 4096),
  );

/** What comparing should find, the slow way. */
function differing(older: Buffer, newer: Buffer) {
  const change = { comparedFrames: 0, changedFrames: 0, changedBlocks: 0 };
  const [a, b] = [pagesOf(older), pagesOf(newer)];
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    let blocks = 0;
    for (let at = 0; at < 4096; at += 64) {
      if (a[i].compare(b[i], at, at + 64, at, at + 64) !== 0) blocks++;
    }
    change.comparedFrames++;
    change.changedFrames += blocks > 0 ? 1 : 0;
    change.changedBlocks += blocks;
  }
  return change;
}

describe("pack against a base", () => {
  it.each([0, 2])("stores only what is new, with %i threads", async (threads) => {
    const { engine, file, input, free } = await prepared(threads);
    const path = file("E.pfa");
    const base = { path: file("old.raw") };
    const { images } = await engine.pack([input("new.raw")], { path }, { base });
    expect(images[0].counts.base).toBeGreaterThanOrEqual(233 + 200);
    expect(images[0].counts.similar).toBeGreaterThan(450);
    expect(statSync(path).size).toBeLessThan(60 * 4096 + 467 * 400);
    const [read] = await readArchive(readFileSync(path), { base: pagesOf(old) });
    expect(Buffer.compare(read.bytes, changed)).toBe(0);
    await engine.unpack({ path }, file("out"), { base });
    expect(Buffer.compare(readFileSync(file("out/new.raw")), changed)).toBe(0);
    expect(await engine.verify({ path }, { base })).toMatchObject({ intact: true, lost: [] });
    expect(resourcesOf(engine).arena.largestFreeBytes).toBe(free);
  });

  it("gives the same bytes for any number of threads", async () => {
    const { file } = await prepared();
    const base = { path: file("old.raw") };
    const results: Buffer[] = [];
    for (const threads of [0, 1, 3]) {
      const engine = await openTestEngine({ threads });
      const source = (async function* () {
        yield changed;
      })();
      const path = file(`${threads}.pfa`);
      await engine.pack([{ name: "n", bytes: source, mtimeMs: 1 }], { path }, { base });
      results.push(readFileSync(path));
    }
    expect(Buffer.compare(results[1], results[0])).toBe(0);
    expect(Buffer.compare(results[2], results[0])).toBe(0);
  });

  it("compares files with the base, in any number of threads", async () => {
    const { file, input } = await prepared();
    const base = { path: file("old.raw") };
    const results: Buffer[] = [];
    for (const threads of [0, 1, 3]) {
      const engine = await openTestEngine({ threads });
      const path = file(`${threads}.pfa`);
      const inputs = [input("new.raw"), input("newest.raw")];
      const { images } = await engine.pack(inputs, { path }, { base });
      results.push(readFileSync(path));
      const pairs = [changed, newest].map((image) => differing(old, image));
      expect(images.map(({ change }) => change)).toEqual(pairs);
      await engine.unpack({ path }, file(`out${threads}`), { base });
      expect(readFileSync(file(`out${threads}/newest.raw`)).equals(newest)).toBe(true);
    }
    expect(results[1].equals(results[0])).toBe(true);
    expect(results[2].equals(results[0])).toBe(true);
  });

  it("stores nothing of an image that is its base, or a shorter one", async () => {
    const { engine, file } = await prepared();
    writeFileSync(file("short.raw"), old.subarray(0, 500 * 4096 + 5));
    for (const name of ["old.raw", "short.raw"]) {
      const path = file(`${name}.pfa`);
      const base = { path: file("old.raw") };
      const { images } = await engine.pack([{ name, path: file(name) }], { path }, { base });
      expect(images[0].storedBytes).toBeLessThan(100);
      await engine.unpack({ path }, file("out"), { base });
      expect(readFileSync(file(`out/${name}`)).equals(readFileSync(file(name)))).toBe(true);
    }
  });

  it("takes an image of an archive as base, in chains", async () => {
    const { engine, file, input, free } = await prepared();
    const [first, second, third] = ["1.pfa", "2.pfa", "3.pfa"].map(file);
    await engine.pack([input("old.raw")], { path: first });
    const base = { archive: first, name: "old.raw" };
    await engine.pack([input("new.raw")], { path: second }, { base });
    await engine.unpack({ path: second }, file("out"), { base });
    expect(Buffer.compare(readFileSync(file("out/new.raw")), changed)).toBe(0);
    // The base may be had from elsewhere, too: what counts is what it holds.
    const same = { path: file("old.raw") };
    await engine.unpack({ path: second }, file("out"), { base: same, force: true });
    const next = { path: file("out/new.raw") };
    await engine.pack([input("newest.raw")], { path: third }, { base: next });
    await engine.unpack({ path: third }, file("out"), { base: next });
    expect(Buffer.compare(readFileSync(file("out/newest.raw")), newest)).toBe(0);
    expect(resourcesOf(engine).arena.largestFreeBytes).toBe(free);
  });

  it("refuses a missing or another base by name, before any output", async () => {
    const { engine, file, input, free } = await prepared();
    const path = file("E.pfa");
    await engine.pack([input("new.raw")], { path }, { base: { path: file("old.raw") } });
    const out = file("out");
    const withBase = (base?: BaseInput) => engine.unpack({ path }, out, { base });
    await expect(withBase()).rejects.toMatchObject({ code: "BASE" });
    await expect(withBase()).rejects.toThrow(`made against ${file("old.raw")}, which is needed`);
    const flipped = Buffer.from(old);
    flipped[800_000] ^= 1;
    writeFileSync(file("flipped.raw"), flipped);
    await expect(withBase({ path: file("flipped.raw") })).rejects.toMatchObject({ code: "BASE" });
    await expect(withBase({ path: file("flipped.raw") })).rejects.toThrow(file("flipped.raw"));
    const longer = { path: file("new.raw") };
    await expect(withBase(longer)).rejects.toThrow(`${old.length} bytes, not ${changed.length}`);
    const missing = { path: file("missing.raw") };
    await expect(withBase(missing)).rejects.toMatchObject({ code: "INPUT" });
    await expect(engine.verify({ path }, { base: longer })).rejects.toMatchObject({ code: "BASE" });
    expect(readdirSync(file("."))).not.toContain("out");
    const repacking = engine.repack(path, { path: file("R.pfa") });
    await expect(repacking).rejects.toMatchObject({ code: "BASE" });
    expect(readdirSync(file("."))).not.toContain("R.pfa");
    expect(resourcesOf(engine).arena.largestFreeBytes).toBe(free);
  });

  it("is appended beside images that stand alone", async () => {
    const { engine, file, input } = await prepared();
    const path = file("A.pfa");
    const base = { path: file("old.raw") };
    await engine.pack([input("newest.raw")], { path });
    await engine.append(path, [input("new.raw")], { base });
    await engine.unpack({ path }, file("alone"), { names: ["newest.raw"] });
    await engine.unpack({ path }, file("both"), { base });
    expect(Buffer.compare(readFileSync(file("both/new.raw")), changed)).toBe(0);
    expect(Buffer.compare(readFileSync(file("both/newest.raw")), newest)).toBe(0);
    await using archive = await openArchive(path);
    expect(archive.image("newest.raw").base).toBeUndefined();
    expect(archive.image("new.raw").base).toMatchObject({ byteLength: old.length });
  });
});
