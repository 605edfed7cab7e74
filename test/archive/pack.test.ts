// What is packed comes back: read by the oracle, which knows nothing of this code, page by page
// through an open archive, and unpacked.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Engine, PackInput } from "../../src/api.ts";
import { openArchive } from "../../src/archive/reader.ts";
import { readArchive } from "../oracle/reader.ts";
import { buildCore } from "../support/elf.ts";
import { collector, inPieces, openTestEngine } from "../support/engine.ts";
import { temporaryFolder } from "../support/folder.ts";
import { apart, mixed, noise } from "../support/images.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const MIB = 1 << 20;

type Images = Record<string, Uint8Array>;

function writeImages(folder: string, images: Images): PackInput[] {
  return Object.entries(images).map(([name, bytes]) => {
    const path = join(folder, "in", name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
    return { name, path };
  });
}

/** Reads an archive in three ways and demands `images` each time. */
async function expectContent(engine: Engine, path: string, images: Images): Promise<void> {
  const names = Object.keys(images);
  const oracle = await readArchive(readFileSync(path));
  expect(oracle.map(({ name }) => name)).toEqual(names);
  for (const { name, bytes } of oracle) {
    expect(`${name} ${Buffer.compare(bytes, images[name])}`).toBe(`${name} 0`);
  }
  await using archive = await openArchive(path);
  for (const name of names) {
    const { frameCount, readBytes, byteLength } = archive.image(name);
    expect(byteLength).toBe(images[name].length);
    expect(frameCount).toBeGreaterThanOrEqual(Math.ceil(byteLength / 4096));
    expect(Buffer.compare(await readBytes(0, byteLength), images[name])).toBe(0);
  }
  const report = await archive.verify();
  expect(report).toMatchObject({ intact: true, faults: [], lost: [] });
  const folder = temporaryFolder();
  const { images: unpacked } = await engine.unpack({ path }, folder);
  expect(unpacked.map(({ name }) => name)).toEqual(names);
  for (const name of names) {
    expect(Buffer.compare(readFileSync(join(folder, name)), images[name])).toBe(0);
  }
}

async function expectRoundTrip(images: Images, threads = 2): Promise<void> {
  const engine = await openTestEngine({ threads });
  const folder = temporaryFolder();
  const path = join(folder, "A.pfa");
  const report = await engine.pack(writeImages(folder, images), { path });
  expect(report.outputBytes).toBe(statSync(path).size);
  expect(report.images.map(({ name }) => name)).toEqual(Object.keys(images));
  for (const { name, byteLength, frameCount, counts } of report.images) {
    expect(byteLength).toBe(images[name].length);
    expect(Object.values(counts).reduce((sum, count) => sum + count, 0)).toBe(frameCount);
  }
  await expectContent(engine, path, images);
}

describe("pack", () => {
  const lengths = [0, 1, 4095, 4096, 4097, MIB - 1, MIB, MIB + 1];
  it.each(lengths)("keeps an image of %i bytes", async (length) => {
    const random = seededRandom(length);
    await expectRoundTrip({ "a.raw": mixed(random, 260).subarray(0, length) });
  });

  it.each([0, 2])("keeps pages of every kind, with %i threads", async (threads) => {
    const random = seededRandom(randomSeed("pack"));
    const first = mixed(random, 900);
    const second = Buffer.concat([first.subarray(300 * 4096, 700 * 4096), mixed(random, 333)]);
    await expectRoundTrip({ "vm/0.raw": first, "vm/1.raw": second, "2.raw": first }, threads);
  });

  it("keeps pages that are like earlier ones", async () => {
    const random = seededRandom(3);
    await expectRoundTrip({ "a.raw": apart(random, mixed(random, 300)) });
  });

  it("keeps an ELF core whose segments begin at odd offsets", async () => {
    const random = seededRandom(4);
    const pages = mixed(random, 24);
    const core = buildCore({
      byteLength: 1003 + 8 * 4096 + 5 + 8 * 4096 + 100,
      headers: [
        { offset: 1003, fileBytes: 8 * 4096, address: 0x40_0000 },
        { offset: 1003 + 8 * 4096 + 5, fileBytes: 8 * 4096 + 77, address: 0x80_0000 },
      ],
    });
    core.set(pages.subarray(0, 8 * 4096), 1003);
    core.set(pages.subarray(0, 8 * 4096), 1003 + 8 * 4096 + 5);
    const engine = await openTestEngine();
    const folder = temporaryFolder();
    const path = join(folder, "A.pfa");
    const report = await engine.pack(writeImages(folder, { "x.core": core }), { path });
    // Memory pages are found again although no page of the file is where one was before.
    const { zero, uniform, duplicateInside } = report.images[0].counts;
    expect(zero + uniform + duplicateInside).toBeGreaterThanOrEqual(8);
    await using archive = await openArchive(path);
    expect(archive.image("x.core").format).toBe("elf-core");
    await expectContent(engine, path, { "x.core": core });
  });

  it("keeps many small images and empty ones", async () => {
    const random = seededRandom(6);
    const images: Images = {};
    for (let i = 0; i < 150; i++) {
      images[`host${i % 7}/vm${i}.raw`] = mixed(random, 3).subarray(0, i * 60);
    }
    await expectRoundTrip(images);
  });

  it("stores without compression when it is told so", async () => {
    const engine = await openTestEngine();
    const folder = temporaryFolder();
    const images = { "a.raw": mixed(seededRandom(7), 400) };
    const path = join(folder, "A.pfa");
    const options = { level: "store" } as const;
    const { counts } = (await engine.pack(writeImages(folder, images), { path }, options))
      .images[0];
    expect(counts.compressed).toBe(0);
    expect(counts.raw).toBeGreaterThan(0);
    await expectContent(engine, path, images);
  });

  it("gives the same content through a pipe, from streams and from page sources", async () => {
    const engine = await openTestEngine();
    const folder = temporaryFolder();
    const random = seededRandom(8);
    const images = { a: mixed(random, 700).subarray(0, 700 * 4096 - 9), b: mixed(random, 300) };
    const source = {
      frameCount: 300,
      async read(frame: number, count: number, into: Uint8Array): Promise<void> {
        into.set(images.b.subarray(frame * 4096, (frame + count) * 4096));
      },
    };
    const inputs = (): PackInput[] => [
      { name: "a", bytes: inPieces(images.a, 10_007), mtimeMs: 1 },
      { name: "b", source, mtimeMs: 2 },
    ];
    const piped = collector();
    await engine.pack(inputs(), piped);
    writeFileSync(join(folder, "piped.pfa"), piped.bytes());
    await expectContent(engine, join(folder, "piped.pfa"), images);
    await engine.pack(inputs(), { path: join(folder, "file.pfa") });
    await expectContent(engine, join(folder, "file.pfa"), images);
  });

  it("keeps notes, times and digests", async () => {
    const engine = await openTestEngine();
    const folder = temporaryFolder();
    const bytes = noise(seededRandom(9), 3).subarray(0, 9000);
    const [input] = writeImages(folder, { "a.raw": bytes });
    utimesSync(join(folder, "in/a.raw"), 1000, 1234567.25);
    const notes = { host: "α", empty: "" };
    const path = join(folder, "A.pfa");
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const options = { digests: ["sha256" as const] };
    const { images } = await engine.pack([{ ...input, notes }], { path }, options);
    expect(images[0].sha256).toBe(sha256);
    await using archive = await openArchive(path);
    expect(archive.image("a.raw")).toMatchObject({ notes, sha256, mtimeMs: 1234567250 });
  });

  it("demands the digest that the owner knows", async () => {
    const engine = await openTestEngine();
    const folder = temporaryFolder();
    const bytes = mixed(seededRandom(10), 600).subarray(0, 600 * 4096 - 1);
    const inputs = writeImages(folder, { "a.raw": bytes });
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const path = join(folder, "A.pfa");
    const wrong = new Map([["a.raw", "0".repeat(64)]]);
    await expect(engine.pack(inputs, { path }, { expectedSha256: wrong })).rejects.toMatchObject({
      code: "MISMATCH",
      message: `a.raw: SHA-256 is ${sha256}, not ${"0".repeat(64)}`,
    });
    const unknown = new Map([["b.raw", sha256]]);
    const refused = engine.pack(inputs, { path }, { expectedSha256: unknown });
    await expect(refused).rejects.toThrow("a.raw: no SHA-256 to check");
    expect(() => statSync(path)).toThrow("ENOENT");
    await engine.pack(inputs, { path }, { expectedSha256: new Map([["a.raw", sha256]]) });
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it("refuses an output that exists, unless it may be replaced", async () => {
    const engine = await openTestEngine();
    const folder = temporaryFolder();
    const inputs = writeImages(folder, { a: Buffer.from("a") });
    const path = join(folder, "A.pfa");
    writeFileSync(path, "mine");
    await expect(engine.pack(inputs, { path })).rejects.toThrow(`${path}: exists already`);
    expect(readFileSync(path, "utf8")).toBe("mine");
    await engine.pack(inputs, { path, force: true });
    await expectContent(engine, path, { a: Buffer.from("a") });
  });

  it.each([
    ["../a", "USAGE"],
    ["/a", "USAGE"],
    ["a\0b", "USAGE"],
    ["", "USAGE"],
  ])("refuses the name %j", async (name, code) => {
    const engine = await openTestEngine({ threads: 0 });
    const folder = temporaryFolder();
    writeFileSync(join(folder, "in"), "a");
    const input = { name, path: join(folder, "in") };
    await expect(engine.pack([input], collector())).rejects.toMatchObject({ code });
    const twice = [{ ...input, name: "a" }];
    await expect(engine.pack([...twice, ...twice], collector())).rejects.toThrow("given twice");
  });
});
