// A sealed archive, through everything that the library does with archives, with workers and
// without: what goes in comes out, and what is stored tells nothing.
import { createSecretKey, randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Engine, PackInput } from "../../src/api.ts";
import { openArchive } from "../../src/archive/reader.ts";
import type { PageSink } from "../../src/image/image.ts";
import { readArchive } from "../oracle/reader.ts";
import { collector, inPieces, openTestEngine } from "../support/engine.ts";
import { temporaryFolder } from "../support/folder.ts";
import { apart, edited, mixed, noise } from "../support/images.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const random = seededRandom(randomSeed("sealed"));
const first = mixed(random, 900);
const second = Buffer.concat([edited(random, first), noise(random, 30)]);
const third = apart(random, second.subarray(0, 300 * 4096));
const key = randomBytes(32);

function fileInput(folder: string, name: string, bytes: Uint8Array): PackInput {
  writeFileSync(join(folder, name), bytes);
  return { name, path: join(folder, name) };
}

type Images = Record<string, Uint8Array>;

/** Reads the archive in every way that there is. */
async function expectImages(engine: Engine, path: string, images: Images) {
  const bytes = readFileSync(path);
  for (const image of await readArchive(bytes, { key })) {
    expect(Buffer.compare(image.bytes, images[image.name])).toBe(0);
  }
  for (const input of [{ path }, { bytes: inPieces(bytes, 50_001) }]) {
    const folder = temporaryFolder();
    await engine.unpack(input, folder, { key });
    for (const [name, content] of Object.entries(images)) {
      expect(Buffer.compare(readFileSync(join(folder, name)), content)).toBe(0);
    }
  }
  for (const input of [{ path }, { bytes: inPieces(bytes, 9_999) }]) {
    expect(await engine.verify(input, { key })).toMatchObject({ intact: true, faults: [] });
  }
  await using archive = await openArchive(path, { key });
  expect(await archive.verify()).toMatchObject({ intact: true, faults: [] });
  expect((await archive.usage()).map(({ name }) => name)).toEqual(Object.keys(images));
  for (const [name, content] of Object.entries(images)) {
    const at = random.int(content.length);
    const length = random.int(Math.min(content.length - at, 100_000));
    const read = await archive.image(name).readBytes(at, length);
    expect(Buffer.compare(read, content.subarray(at, at + length))).toBe(0);
  }
}

describe.each([0, 2])("a sealed archive, with %i threads", (threads) => {
  it("is packed, appended to and repacked", async () => {
    const engine = await openTestEngine({ threads });
    const folder = temporaryFolder();
    const path = join(folder, "A.pfa");
    await engine.pack([fileInput(folder, "a", first)], { path }, { key });
    await expectImages(engine, path, { a: first });
    const inputs = [fileInput(folder, "b", second), fileInput(folder, "c", third)];
    const added = await engine.append(path, inputs, { key });
    const open = join(folder, "open.pfa");
    await engine.pack([fileInput(folder, "a", first)], { path: open });
    const { images } = await engine.append(open, inputs);
    expect(added.images.map(({ counts }) => counts)).toEqual(images.map(({ counts }) => counts));
    await expectImages(engine, path, { a: first, b: second, c: third });

    const again = join(folder, "B.pfa");
    await engine.repack(path, { path: again }, { key, drop: ["a"] });
    await expectImages(engine, again, { b: second, c: third });
    await expect(openArchive(again)).rejects.toMatchObject({ code: "KEY" });
    const unsealed = join(folder, "C.pfa");
    await engine.repack(again, { path: unsealed }, { key, newKey: false });
    await using archive = await openArchive(unsealed);
    expect(archive.images.map(({ name }) => name)).toEqual(["b", "c"]);
    const other = join(folder, "D.pfa");
    await engine.repack(unsealed, { path: other }, { newKey: key });
    await expectImages(engine, other, { b: second, c: third });
  });

  it("goes through a pipe, and is committed by the first append", async () => {
    const engine = await openTestEngine({ threads });
    const folder = temporaryFolder();
    const path = join(folder, "A.pfa");
    const piped = collector();
    const input = (name: string, bytes: Uint8Array): PackInput => {
      return { name, bytes: inPieces(bytes, 77_777), mtimeMs: 5 };
    };
    await engine.pack([input("c", third), input("a", first)], piped, { key });
    writeFileSync(path, piped.bytes());
    await expectImages(engine, path, { c: third, a: first });
    for (const [name, bytes] of [["b", second] as const, ["d", noise(random, 9)] as const]) {
      await engine.append(path, [fileInput(folder, name, bytes)], { key });
    }
    await using archive = await openArchive(path, { key });
    expect(archive.generation).toBe(3);
    expect(await archive.verify()).toMatchObject({ intact: true, faults: [] });
  });

  it("is a base, and has one", async () => {
    const engine = await openTestEngine({ threads });
    const folder = temporaryFolder();
    const path = join(folder, "A.pfa");
    await engine.pack([fileInput(folder, "a", first)], { path }, { key });
    const base = { archive: path, name: "a", key: createSecretKey(key) };
    const step = join(folder, "S.pfa");
    const changed = fileInput(folder, "b", second);
    const { outputBytes } = await engine.pack([changed], { path: step }, { key, base });
    expect(outputBytes).toBeLessThan(400_000);
    for (const input of [{ path: step }, { bytes: inPieces(readFileSync(step), 65_536) }]) {
      const out = temporaryFolder();
      await engine.unpack(input, out, { key, base });
      expect(Buffer.compare(readFileSync(join(out, "b")), second)).toBe(0);
    }
    expect(await engine.verify({ path: step }, { key, base })).toMatchObject({ intact: true });
  });
});

describe("a sealed archive", () => {
  it("is what an encoder makes, and what a decoder takes", async () => {
    const engine = await openTestEngine();
    const pages = new Map<string, Buffer>();
    const sinkOf = (name: string, frameCount = 0): PageSink => {
      const image = Buffer.alloc(frameCount * 4096);
      pages.set(name, image);
      return { write: async (frame, bytes) => void image.set(bytes, frame * 4096) };
    };
    const sourceOf = (image: Buffer) => ({
      frameCount: image.length / 4096,
      read: async (frame: number, count: number, into: Uint8Array) => {
        into.set(image.subarray(frame * 4096, (frame + count) * 4096));
      },
    });
    const encoder = engine.encoder({ key });
    async function* rounds() {
      yield* encoder.stream("a", sourceOf(first));
      const changed = edited(random, first);
      pages.set("changed", changed);
      yield* encoder.stream("a", sourceOf(changed), { dirty: Buffer.alloc(200, 0xff) });
      yield* encoder.finish();
    }
    const stream: Uint8Array[] = [];
    for await (const piece of rounds()) stream.push(piece);
    await encoder.close();
    const bytes = Buffer.concat(stream);
    await engine.decoder().decode(inPieces(bytes, 12_345), sinkOf, { key });
    expect(pages.get("a")?.equals(pages.get("changed") as Buffer)).toBe(true);
    await expect(
      engine.decoder().decode(inPieces(bytes, 12_345), sinkOf, {}),
    ).rejects.toMatchObject({ code: "KEY" });
  });

  it("holds nothing that was in its images, and is not the same twice", async () => {
    const engine = await openTestEngine();
    const folder = temporaryFolder();
    const text = Buffer.alloc(64 * 4096);
    for (let page = 0; page < 64; page++) {
      text.set(random.bytes(4096), page * 4096);
      text.write(`the secret of page ${page}`, page * 4096 + 100);
    }
    const input = { ...fileInput(folder, "name-of-the-image", text), notes: { owner: "nobody" } };
    const archives: Buffer[] = [];
    for (const file of ["A.pfa", "B.pfa"]) {
      const path = join(folder, file);
      await engine.pack([input], { path }, { key, level: "store" });
      archives.push(readFileSync(path));
    }
    const [a, b] = archives;
    // The directory is deflated, nonces and all.
    expect(Math.abs(a.length - b.length)).toBeLessThan(8);
    for (const word of ["the secret of", "name-of-the-image", "nobody"]) {
      expect(a.includes(word)).toBe(false);
    }
    for (let at = 8192 + 64; at + 16 <= a.length; at += 4096) {
      expect(b.includes(a.subarray(at, at + 16))).toBe(false);
    }
  });
});
