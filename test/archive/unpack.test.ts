// Unpacking: where files go and what they are like, what is refused, and what is saved from a
// damaged archive.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { PackInput } from "../../src/api.ts";
import { ArchiveBuilder } from "../support/archivebuilder.ts";
import { openTestEngine, resourcesOf } from "../support/engine.ts";
import { temporaryFolder } from "../support/folder.ts";
import { apart, mixed, noise } from "../support/images.ts";
import { seededRandom } from "../support/random.ts";

const random = seededRandom(61);
const images: Record<string, Buffer> = {
  "a.raw": mixed(random, 400).subarray(0, 400 * 4096 - 5),
  "dir/b.raw": noise(random, 300),
  "dir/deep/c.raw": Buffer.alloc(10 * 4096 + 1),
};

async function packed(threads = 2, contents = images) {
  const engine = await openTestEngine({ threads });
  const folder = temporaryFolder();
  const inputs = Object.entries(contents).map(([name, bytes], i): PackInput => {
    const source = (async function* () {
      yield bytes;
    })();
    return { name, bytes: source, mtimeMs: 1_600_000_000_000 + i * 1000 };
  });
  const path = join(folder, "A.pfa");
  await engine.pack(inputs, { path });
  return { engine, folder, path, out: join(folder, "out") };
}

describe("unpack", () => {
  it.each([0, 2])("makes private files with their times, with %i threads", async (threads) => {
    const { engine, path, out } = await packed(threads);
    const report = await engine.unpack({ path }, out);
    expect(report.lost).toEqual([]);
    for (const [i, [name, bytes]] of Object.entries(images).entries()) {
      const target = join(out, name);
      expect(report.images[i]).toEqual({
        name,
        path: target,
        format: "raw",
        byteLength: bytes.length,
      });
      expect(Buffer.compare(readFileSync(target), bytes)).toBe(0);
      const { mode, mtimeMs } = statSync(target);
      expect(mode & 0o777).toBe(0o600);
      expect(mtimeMs).toBe(1_600_000_000_000 + i * 1000);
    }
    expect(readdirSync(join(out, "dir"))).toEqual(["b.raw", "deep"]);
  });

  it("leaves holes where zeros are", async () => {
    const sparse = { "z.raw": apart(random, noise(random, 3)) };
    const { engine, path, out } = await packed(2, sparse);
    const { writtenBytes } = await engine.unpack({ path }, out);
    expect(writtenBytes).toBe(6 * 4096);
    const { size, blocks } = statSync(join(out, "z.raw"));
    expect(size).toBe(sparse["z.raw"].length);
    expect(blocks * 512).toBeLessThan(64 * 4096);
  });

  it("takes only what is named", async () => {
    const { engine, path, out } = await packed();
    await engine.unpack({ path }, out, { names: ["dir/b.raw"] });
    expect(readdirSync(out)).toEqual(["dir"]);
    expect(readdirSync(join(out, "dir"))).toEqual(["b.raw"]);
    const missing = engine.unpack({ path }, out, { names: ["b.raw"] });
    await expect(missing).rejects.toMatchObject({
      code: "RANGE",
      message: `${path}: there is no image "b.raw"`,
    });
  });

  it("replaces a file only when it may", async () => {
    const { engine, path, out } = await packed();
    mkdirSync(out);
    writeFileSync(join(out, "a.raw"), "mine");
    await expect(engine.unpack({ path }, out)).rejects.toMatchObject({ code: "OUTPUT" });
    await expect(engine.unpack({ path }, out)).rejects.toThrow(`${out}/a.raw: exists already`);
    expect(readFileSync(join(out, "a.raw"), "utf8")).toBe("mine");
    await engine.unpack({ path }, out, { force: true });
    expect(Buffer.compare(readFileSync(join(out, "a.raw")), images["a.raw"])).toBe(0);
  });

  it("never follows a link out of its directory", async () => {
    const { engine, folder, path, out } = await packed();
    const elsewhere = join(folder, "elsewhere");
    mkdirSync(elsewhere);
    mkdirSync(out);
    symlinkSync(elsewhere, join(out, "dir"));
    for (const force of [false, true]) {
      const unpacking = engine.unpack({ path }, out, { names: ["dir/b.raw"], force });
      await expect(unpacking).rejects.toThrow(/dir.*symbolic link/);
    }
    expect(readdirSync(elsewhere)).toEqual([]);
    writeFileSync(join(elsewhere, "victim"), "mine");
    symlinkSync(join(elsewhere, "victim"), join(out, "a.raw"));
    await engine.unpack({ path }, out, { names: ["a.raw"], force: true }).catch(() => undefined);
    expect(readFileSync(join(elsewhere, "victim"), "utf8")).toBe("mine");
  });

  it("restores more than fits into memory at once", async () => {
    const frames = 300_000;
    const builder = await ArchiveBuilder.create();
    const image = builder.beginImage("huge", { byteLength: frames * 4096 });
    const page = noise(random, 1);
    builder.addPages(image, 0, [{ kind: "stored", page }]);
    for (let frame = 1; frame < frames; frame += 65_536) {
      const zeros = Math.min(65_536, frames - frame);
      builder.addPages(image, frame, new Array(zeros).fill({ kind: "zero" }));
    }
    builder.endImage(image);
    const folder = temporaryFolder();
    const path = join(folder, "A.pfa");
    writeFileSync(path, builder.finish(1));
    const engine = await openTestEngine({ memoryBytes: 64 << 20, threads: 0 });
    // Fingerprints alone need 4.6 MiB: fewer are left.
    const { arena } = resourcesOf(engine);
    arena.reserve(arena.largestFreeBytes - (6 << 20), "somebody else");
    await engine.unpack({ path }, folder);
    const { size, blocks } = statSync(join(folder, "huge"));
    expect([size, blocks * 512 < 1 << 20]).toEqual([frames * 4096, true]);
  });

  it("refuses archives that are missing or foreign, by name", async () => {
    const { engine, folder, out } = await packed();
    const missing = join(folder, "missing.pfa");
    await expect(engine.unpack({ path: missing }, out)).rejects.toThrow(`${missing}: no such file`);
    const foreign = join(folder, "foreign.pfa");
    writeFileSync(foreign, noise(random, 5));
    await expect(engine.unpack({ path: foreign }, out)).rejects.toMatchObject({ code: "FORMAT" });
    await expect(engine.unpack({ path: foreign }, out)).rejects.toThrow(foreign);
    expect(existsSync(out)).toBe(false);
  });

  it("names the file that cannot be written", async () => {
    const { engine, path, out } = await packed();
    mkdirSync(out);
    writeFileSync(join(out, "dir"), "a file in the way");
    const blocked = engine.unpack({ path }, out, { names: ["dir/b.raw"] });
    await expect(blocked).rejects.toMatchObject({ code: "OUTPUT" });
    await expect(engine.unpack({ path }, out, { names: ["dir/b.raw"] })).rejects.toThrow(
      `${out}/d`,
    );
    await expect(engine.unpack({ path }, "/dev/null")).rejects.toThrow(/\/dev\/null/);
  });
});
