// Images that zstd has compressed are packed for what is in them: byte for byte the archive of the
// plain ones but for a note. As inputs, as streams, as bases, and for inspect.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Engine, PackInput, PackOptions } from "../../src/api.ts";
import { openBase } from "../../src/archive/base.ts";
import { openArchive } from "../../src/archive/reader.ts";
import { readArchive } from "../oracle/reader.ts";
import { buildCore } from "../support/elf.ts";
import { collector, inPieces, openTestEngine, resourcesOf } from "../support/engine.ts";
import { temporaryFolder } from "../support/folder.ts";
import { edited, mixed, noise } from "../support/images.ts";
import { randomSeed, seededRandom } from "../support/random.ts";
import { type FrameShape, zstdFrames } from "../support/zstd-frames.ts";

const random = seededRandom(randomSeed("pack compressed"));
const raw = mixed(random, 800).subarray(0, 800 * 4096 - 99);
const headers = [
  { offset: 5000, address: 0x7000, fileBytes: 700 * 4096 },
  { offset: 5000 + 701 * 4096 + 77, address: 0x90_0000, fileBytes: 300 * 4096 },
];
const core = Buffer.from(buildCore({ byteLength: 1010 * 4096 + 5, headers }));
raw.copy(core, 5000, 4096);

const FRAME = "Zstandard frame 1 at byte 0";

interface Prepared {
  engine: Engine;
  folder: string;
  file: (name: string) => string;
}

async function prepared(threads = 2): Promise<Prepared> {
  const engine = await openTestEngine({ threads });
  const folder = temporaryFolder();
  const file = (name: string): string => join(folder, name);
  return { engine, folder, file };
}

function put(path: string, bytes: Uint8Array): string {
  writeFileSync(path, bytes);
  utimesSync(path, 1_000_000, 1_000_000);
  return path;
}

/** What an archive says of its images, without the note and the time. */
async function describeArchive(path: string) {
  await using archive = await openArchive(path);
  return archive.images.map(({ notes: _, ...image }) => image);
}

const SHAPES: FrameShape[] = [{}, { isSized: false }, { frameBytes: 333_333, isSized: false }];

describe("pack of compressed images", () => {
  it.each(SHAPES)("is pack of what is in them: %j", async (shape) => {
    const { engine, file } = await prepared();
    const options: PackOptions = { digests: ["sha256"] };
    const images = { raw, core, again: raw, none: Buffer.alloc(0), one: Buffer.alloc(1) };
    const plain: PackInput[] = [];
    const packed: PackInput[] = [];
    for (const [name, bytes] of Object.entries(images)) {
      plain.push({ name, path: put(file(name), bytes) });
      packed.push({ name, path: put(file(`${name}.x`), zstdFrames(bytes, shape)) });
    }
    const wanted = await engine.pack(plain, { path: file("plain.pfa") }, options);
    const report = await engine.pack(packed, { path: file("A.pfa") }, options);
    expect(report.images).toEqual(
      wanted.images.map((image) => ({ ...image, decompressed: "zstd" })),
    );
    expect(await describeArchive(file("A.pfa"))).toEqual(await describeArchive(file("plain.pfa")));
    const oracle = await readArchive(readFileSync(file("A.pfa")));
    for (const [i, bytes] of Object.values(images).entries()) {
      expect(Buffer.compare(oracle[i].bytes, bytes)).toBe(0);
    }
    await engine.unpack({ path: file("A.pfa") }, file("out"));
    for (const [name, bytes] of Object.entries(images)) {
      expect(readFileSync(join(file("out"), name)).equals(bytes)).toBe(true);
    }
  });

  it("keeps a note of it, but not in place of the owner's", async () => {
    const { engine, file } = await prepared(0);
    const path = put(file("a"), zstdFrames(raw));
    const own = { decompressed: "by hand" };
    await engine.pack([{ name: "a", path, notes: { host: "a7" } }], { path: file("A.pfa") });
    await engine.append(file("A.pfa"), [{ name: "b", path, notes: own }]);
    const full = Object.fromEntries(Array.from({ length: 1024 }, (_, i) => [`key ${i}`, ""]));
    await engine.append(file("A.pfa"), [{ name: "c", path, notes: full }]);
    await using archive = await openArchive(file("A.pfa"));
    expect(archive.images.map(({ notes }) => notes)).toEqual([
      { host: "a7", decompressed: "zstd" },
      own,
      full,
    ]);
  });

  it.each([1, 3, 70_000])("sees it in streams of pieces of %i bytes", async (pieceBytes) => {
    const { engine } = await prepared();
    const content = raw.subarray(0, 40 * 4096 + 5);
    const stream = (bytes: Uint8Array) => inPieces(bytes, pieceBytes);
    const output = collector();
    const { images } = await engine.pack(
      [
        { name: "plain", bytes: stream(content) },
        { name: "packed", bytes: stream(zstdFrames(content, { isSized: false })) },
        { name: "short", bytes: stream(Uint8Array.from([0x28, 0xb5])) },
      ],
      output,
    );
    expect(images.map(({ decompressed }) => decompressed)).toEqual([undefined, "zstd", undefined]);
    const oracle = await readArchive(output.bytes());
    expect(oracle.slice(0, 2).map(({ bytes }) => Buffer.compare(bytes, content))).toEqual([0, 0]);
    expect(oracle[2].bytes).toHaveLength(2);
  });

  it("takes them as they are where that is wanted", async () => {
    const { engine, file } = await prepared();
    const frames = zstdFrames(raw);
    const path = put(file("a"), frames);
    const inputs = [
      { name: "file", path },
      { name: "stream", bytes: inPieces(frames, 9999) },
    ];
    const options = { decompress: false };
    const { images } = await engine.pack(inputs, { path: file("A.pfa") }, options);
    expect(images.map(({ byteLength }) => byteLength)).toEqual([frames.length, frames.length]);
    const inspected = await engine.inspect([{ name: "file", path }], options);
    expect(inspected.images[0]).toMatchObject({ byteLength: frames.length, format: "raw" });
    expect(inspected.images[0].decompressed).toBeUndefined();
  });

  it("demands the digest of the content", async () => {
    const { engine, file } = await prepared();
    const input = { name: "a", path: put(file("a"), zstdFrames(core)) };
    const sum = createHash("sha256").update(core).digest("hex");
    const right = { expectedSha256: new Map([["a", sum]]) };
    await engine.pack([input], { path: file("A.pfa") }, right);
    const wrong = { expectedSha256: new Map([["a", sum.replace(/./g, "0")]]) };
    const refused = engine.pack([input], { path: file("B.pfa") }, wrong);
    await expect(refused).rejects.toMatchObject({ code: "MISMATCH" });
  });

  it.each([0, 2])("leaves nothing behind when one is broken, with %i threads", async (threads) => {
    const { engine, folder, file } = await prepared(threads);
    const free = resourcesOf(engine).arena.largestFreeBytes;
    const path = put(file("a"), zstdFrames(raw).subarray(0, 1_500_000));
    const good = { name: "good", path: put(file("good"), raw) };
    const before = readdirSync(folder);
    const output = { path: file("A.pfa") };
    await expect(engine.pack([good, { name: "a", path }], output)).rejects.toMatchObject({
      code: "DAMAGED",
      message: `${path}: ${FRAME}: truncated: the input ends after 1500000 bytes`,
    });
    const bytes = inPieces(readFileSync(path), 65_536);
    await expect(engine.pack([{ name: "s", bytes }], output)).rejects.toThrow("s: Zstandard frame");
    await expect(engine.inspect([{ name: "a", path }])).rejects.toMatchObject({ code: "DAMAGED" });
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(engine.pack([{ name: "a", path }], output, { signal })).rejects.toThrow("enough");
    expect(readdirSync(folder)).toEqual(before);
    expect(resourcesOf(engine).arena.largestFreeBytes).toBe(free);
  });
});

describe("a compressed base", () => {
  it("is the base that the plain one is", async () => {
    const { engine, file } = await prepared();
    const old = noise(random, 600);
    const changed = edited(random, old);
    const plain = put(file("old.raw"), old);
    const packed = put(file("old.raw.zst"), zstdFrames(old, { isSized: false }));
    const input = { name: "new", path: put(file("new"), changed) };
    const bases = [{ path: plain }, { path: packed }];
    for (const [i, base] of bases.entries()) {
      const path = file(`${i}.pfa`);
      const { images } = await engine.pack([input], { path }, { base });
      expect(images[0].counts.base).toBeGreaterThan(190);
      for (const [j, other] of bases.entries()) {
        await engine.unpack({ path }, file(`out ${i} ${j}`), { base: other });
        expect(readFileSync(file(`out ${i} ${j}/new`)).equals(changed)).toBe(true);
        const bytes = inPieces(readFileSync(path), 100_000);
        expect(await engine.verify({ bytes }, { base: other })).toMatchObject({ intact: true });
        expect(await engine.verify({ path }, { base: other })).toMatchObject({ intact: true });
      }
      await using archive = await openArchive(path);
      const image = archive.image("new");
      await using opened = await openBase({ path: packed }, image);
      const pages = await image.readPages(0, 3, { base: opened });
      expect(Buffer.compare(pages, changed.subarray(0, 3 * 4096))).toBe(0);
    }
  });
});

describe("inspect of compressed images", () => {
  it.each([0, 2])("finds what it finds in plain ones, with %i threads", async (threads) => {
    const { engine, file } = await prepared(threads);
    // More than one window, and no whole number of them.
    const large = Buffer.concat([mixed(random, 3000), Buffer.alloc(70 << 20), raw]);
    const images = { large, raw, core, none: Buffer.alloc(0) };
    mkdirSync(file("plain"));
    const plain: { name: string; path: string }[] = [];
    const packed: typeof plain = [];
    for (const [name, bytes] of Object.entries(images)) {
      plain.push({ name, path: put(file(`plain/${name}`), bytes) });
      packed.push({ name, path: put(file(name), zstdFrames(bytes, { isSized: name === "raw" })) });
    }
    const wanted = await engine.inspect(plain);
    const found = await engine.inspect(packed);
    const exact = (report: typeof found) => report.images.map(({ similar: _, ...rest }) => rest);
    expect(exact(found)).toEqual(
      exact(wanted).map((image) => ({ ...image, decompressed: "zstd" })),
    );
  });
});
