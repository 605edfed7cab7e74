// An archive grows: what it holds is found again, one writer at a time, and nothing that was
// committed is ever touched.
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Engine, PackInput } from "../../src/api.ts";
import { openArchive } from "../../src/archive/reader.ts";
import { readArchive } from "../oracle/reader.ts";
import { collector, inPieces, openTestEngine } from "../support/engine.ts";
import { temporaryFolder } from "../support/folder.ts";
import { apart, edited, mixed, noise } from "../support/images.ts";
import { seededRandom } from "../support/random.ts";

const random = seededRandom(41);
const first = mixed(random, 600);
const second = edited(random, first);
const third = Buffer.concat([second.subarray(4096 * 100), noise(random, 20)]);

function fileInput(folder: string, name: string, bytes: Uint8Array): PackInput {
  writeFileSync(join(folder, name), bytes);
  return { name, path: join(folder, name) };
}

async function expectImages(engine: Engine, path: string, images: Record<string, Uint8Array>) {
  const read = await readArchive(readFileSync(path).subarray(0, statSync(path).size));
  expect(read.map(({ name }) => name)).toEqual(Object.keys(images));
  for (const { name, bytes } of read) expect(Buffer.compare(bytes, images[name])).toBe(0);
  const folder = temporaryFolder();
  await engine.unpack({ path }, folder);
  for (const [name, bytes] of Object.entries(images)) {
    expect(Buffer.compare(readFileSync(join(folder, name)), bytes)).toBe(0);
  }
  expect(await engine.verify({ path })).toMatchObject({ intact: true, faults: [] });
}

describe("append", () => {
  it.each([0, 2])("finds what all earlier appends have, with %i threads", async (threads) => {
    const engine = await openTestEngine({ threads });
    const folder = temporaryFolder();
    const path = join(folder, "A.pfa");
    await engine.pack([fileInput(folder, "1", first)], { path });
    await engine.append(path, [fileInput(folder, "2", second)]);
    const report = await engine.append(path, [
      fileInput(folder, "3", third),
      fileInput(folder, "4", first),
    ]);
    const [counts3, counts4] = report.images.map(({ counts }) => counts);
    expect(counts3.duplicateAcross).toBeGreaterThan(300);
    expect(counts4).toMatchObject({ similar: 0, compressed: 0, raw: 0 });
    expect(report.outputBytes).toBeLessThan(60 * 4096);
    await expectImages(engine, path, { 1: first, 2: second, 3: third, 4: first });
    await using archive = await openArchive(path);
    expect(archive.generation).toBe(3);
    expect(readdirSync(folder).sort()).toEqual(["1", "2", "3", "4", "A.pfa"]);
  });

  it("gives the same bytes for any number of threads", async () => {
    const results: Buffer[] = [];
    for (const threads of [0, 1, 3]) {
      const engine = await openTestEngine({ threads });
      const folder = temporaryFolder();
      const path = join(folder, "A.pfa");
      const image = (name: string, bytes: Uint8Array): PackInput => {
        return { name, bytes: inPieces(bytes, 99_999), mtimeMs: 7 };
      };
      await engine.pack([image("1", first)], { path });
      await engine.append(path, [image("2", apart(seededRandom(42), first)), image("3", third)]);
      results.push(readFileSync(path));
    }
    expect(Buffer.compare(results[1], results[0])).toBe(0);
    expect(Buffer.compare(results[2], results[0])).toBe(0);
  });

  it("goes on where a pipe has ended", async () => {
    const engine = await openTestEngine();
    const folder = temporaryFolder();
    const path = join(folder, "A.pfa");
    const piped = collector();
    await engine.pack([fileInput(folder, "1", first)], piped);
    writeFileSync(path, piped.bytes());
    const report = await engine.append(path, [fileInput(folder, "2", first)]);
    expect(report.outputBytes).toBeLessThan(first.length / 50);
    await expectImages(engine, path, { 1: first, 2: first });
  });

  it("stores again what the archive has lost", async () => {
    const engine = await openTestEngine();
    const folder = temporaryFolder();
    const path = join(folder, "A.pfa");
    const image = noise(random, 200);
    await engine.pack([fileInput(folder, "1", image)], { path }, { level: "fast" });
    const damaged = readFileSync(path);
    damaged[damaged.indexOf(image.subarray(50 * 4096, 50 * 4096 + 64))] ^= 1;
    writeFileSync(path, damaged);
    const { images } = await engine.append(path, [fileInput(folder, "2", image)]);
    expect(images[0].counts).toMatchObject({ duplicateAcross: 184, raw: 16 });
    await engine.unpack({ path }, join(folder, "out"), { names: ["2"] });
    expect(Buffer.compare(readFileSync(join(folder, "out/2")), image)).toBe(0);
  });

  it("leaves everything as it was when it fails", async () => {
    const engine = await openTestEngine();
    const folder = temporaryFolder();
    const path = join(folder, "A.pfa");
    const input = fileInput(folder, "1", first);
    await engine.pack([input], { path });
    const before = readFileSync(path);
    const failing = async function* (): AsyncGenerator<Uint8Array> {
      yield* inPieces(third, 1 << 16);
      throw new Error("the pipe broke");
    };
    const broken = { name: "2", bytes: failing() };
    await expect(engine.append(path, [broken])).rejects.toThrow("the pipe broke");
    const expectedSha256 = new Map([["3", "00"]]);
    const wrong = engine.append(path, [{ ...input, name: "3" }], { expectedSha256 });
    await expect(wrong).rejects.toMatchObject({ code: "MISMATCH" });
    await expect(engine.append(path, [input])).rejects.toMatchObject({
      code: "OUTPUT",
      message: `${path}: has an image "1" already`,
    });
    expect(Buffer.compare(readFileSync(path), before)).toBe(0);
    expect(readdirSync(folder).sort()).toEqual(["1", "A.pfa"]);
  });

  it("keeps a piped archive readable when it fails", async () => {
    const engine = await openTestEngine();
    const folder = temporaryFolder();
    const path = join(folder, "A.pfa");
    const piped = collector();
    const input = fileInput(folder, "1", first);
    await engine.pack([input], piped);
    writeFileSync(path, piped.bytes());
    await expect(engine.append(path, [input])).rejects.toThrow("already");
    expect(Buffer.compare(readFileSync(path), piped.bytes())).toBe(0);
    const missing = { name: "2", path: join(folder, "missing") };
    await expect(engine.append(path, [missing])).rejects.toMatchObject({ code: "INPUT" });
    expect(Buffer.compare(readFileSync(path).subarray(8192), piped.bytes().subarray(8192))).toBe(0);
    await expectImages(engine, path, { 1: first });
  });

  it("refuses what is not there and what is no archive", async () => {
    const engine = await openTestEngine({ threads: 0 });
    const folder = temporaryFolder();
    const input = fileInput(folder, "1", first);
    const missing = join(folder, "missing.pfa");
    await expect(engine.append(missing, [input])).rejects.toThrow(`${missing}: no such file`);
    const foreign = join(folder, "1");
    const refused = engine.append(foreign, [input]);
    await expect(refused).rejects.toMatchObject({ code: "FORMAT" });
    await expect(engine.append(foreign, [input])).rejects.toThrow(foreign);
    expect(readdirSync(folder)).toEqual(["1"]);
    expect(Buffer.compare(readFileSync(foreign), first)).toBe(0);
  });
});
