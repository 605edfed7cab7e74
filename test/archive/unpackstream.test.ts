// Unpacking from a pipe: files as they were, nothing half written, what damage leaves.
import { readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ArchiveBuilder } from "../support/archivebuilder.ts";
import { collector, inPieces, openTestEngine } from "../support/engine.ts";
import { temporaryFolder } from "../support/folder.ts";
import { edited, mixed } from "../support/images.ts";
import { seededRandom } from "../support/random.ts";
import { dirtySome, sourceOf, takeAll } from "../support/rounds.ts";
import { sampleArchive, stored } from "../support/samplearchive.ts";

const MIB = 1 << 20;

describe("unpack from a stream", () => {
  it("writes what was packed, through a pipe, in little memory", async () => {
    const engine = await openTestEngine({ memoryBytes: 64 * MIB, threads: 1 });
    const folder = temporaryFolder();
    const random = seededRandom(21);
    const files = [mixed(random, 2000), mixed(random, 900).subarray(0, 900 * 4096 - 11)];
    files.push(edited(random, files[0]));
    const inputs = files.map((bytes, i) => {
      const path = join(folder, `${i}.raw`);
      writeFileSync(path, bytes);
      return { name: `sub/${i}.raw`, path };
    });
    const archive = collector();
    await engine.pack(inputs, archive);
    const out = join(folder, "out");
    const pieces = inPieces(archive.bytes(), 65536);
    const report = await engine.unpack({ bytes: pieces }, out);
    for (const [i, { name, path, byteLength }] of report.images.entries()) {
      expect(readFileSync(path).equals(files[i])).toBe(true);
      expect([name, byteLength]).toEqual([`sub/${i}.raw`, files[i].length]);
      expect(statSync(path).mode & 0o777).toBe(0o600);
      const difference = statSync(path).mtimeMs - statSync(inputs[i].path).mtimeMs;
      expect(Math.abs(difference)).toBeLessThan(2);
    }
    expect(readdirSync(out)).toEqual(["sub"]);
    expect(report.writtenBytes).toBeGreaterThan(0);
  });

  it("writes the images that are asked for, and names one that is not there", async () => {
    const engine = await openTestEngine();
    const { bytes, images } = await sampleArchive(0);
    const out = temporaryFolder();
    const names = ["sub/vm1.elf"];
    await engine.unpack({ bytes: inPieces(bytes, 4000) }, out, { names });
    expect(readdirSync(out)).toEqual(["sub"]);
    expect(readFileSync(join(out, "sub/vm1.elf")).length).toBe(images[1].byteLength);
    const missing = engine.unpack({ bytes: inPieces(bytes, 4000) }, out, { names: ["nobody"] });
    await expect(missing).rejects.toMatchObject({ code: "RANGE" });
  });

  it("applies later rounds to files that have their names already", async () => {
    const engine = await openTestEngine();
    const random = seededRandom(4);
    const image = mixed(random, 900);
    const parts: Uint8Array[] = [];
    const encoder = engine.encoder();
    await takeAll(encoder.stream("vm", sourceOf(image)), parts);
    for (const share of [0.3, 0.01]) {
      const dirty = dirtySome(random, image, share);
      await takeAll(encoder.stream("vm", sourceOf(image), { dirty }), parts);
    }
    await takeAll(encoder.finish(), parts);
    await encoder.close();
    const out = temporaryFolder();
    const report = await engine.unpack({ bytes: inPieces(Buffer.concat(parts), 9999) }, out);
    expect(report.images).toHaveLength(1);
    expect(readFileSync(join(out, "vm")).equals(image)).toBe(true);
    expect(readdirSync(out)).toEqual(["vm"]);
  });

  it("leaves nothing half written when the stream is cut or aborted", async () => {
    const engine = await openTestEngine();
    const { bytes } = await sampleArchive(0);
    const half = bytes.subarray(0, 8192 + 30_000);
    const out = temporaryFolder();
    const cut = engine.unpack({ bytes: inPieces(half, 4000) }, out);
    await expect(cut).rejects.toMatchObject({
      code: "DAMAGED",
      message: expect.stringContaining("truncated"),
    });
    const abort = new AbortController();
    async function* aborting() {
      yield half;
      abort.abort(new Error("enough"));
      yield bytes.subarray(half.length);
    }
    const aborted = engine.unpack({ bytes: aborting() }, out, { signal: abort.signal });
    await expect(aborted).rejects.toThrow("enough");
    expect(readdirSync(out, { recursive: true }).filter((name) => name !== "sub")).toEqual([]);
  });

  it("refuses names that lead out of its directory, and existing files", async () => {
    const engine = await openTestEngine();
    const { bytes } = await sampleArchive(0);
    const out = temporaryFolder();
    symlinkSync("/tmp", join(out, "sub"));
    const names = ["sub/vm1.elf"];
    const through = engine.unpack({ bytes: inPieces(bytes, 4000) }, out, { names, force: true });
    await expect(through).rejects.toThrow("symbolic link");
    writeFileSync(join(out, "vm0.raw"), "mine");
    const existing = engine.unpack({ bytes: inPieces(bytes, 4000) }, out, { names: ["vm0.raw"] });
    await expect(existing).rejects.toMatchObject({ code: "OUTPUT" });
    expect(readFileSync(join(out, "vm0.raw"), "utf8")).toBe("mine");
  });

  it("keeps going: zeros for what is lost, a list of it, and the rest", async () => {
    const engine = await openTestEngine();
    const builder = await ArchiveBuilder.create();
    const image = builder.beginImage("vm");
    builder.addPages(
      image,
      0,
      Array.from({ length: 8 }, () => stored()),
    );
    const second = builder.soFar().length;
    builder.addPages(
      image,
      8,
      Array.from({ length: 4 }, () => stored()),
    );
    const third = builder.soFar().length;
    builder.addPages(image, 12, [stored(), { kind: "zero" }]);
    builder.endImage(image);
    const whole = Buffer.concat(builder.images[0].pages);
    const bytes = builder.finish(0);
    // The last byte of the first batch is in its second cluster; the second batch loses its head.
    bytes[second - 1] ^= 1;
    bytes[second + 66] ^= 1;
    const out = temporaryFolder();
    const pieces = (): AsyncIterable<Uint8Array> => inPieces(bytes, 4000);
    await expect(engine.unpack({ bytes: pieces() }, out)).rejects.toMatchObject({
      code: "DAMAGED",
    });
    const warnings: string[] = [];
    const report = await engine.unpack({ bytes: pieces() }, out, {
      keepGoing: true,
      onWarning: (warning) => warnings.push(warning),
    });
    expect(report.lost.map(({ firstFrame, frameCount }) => [firstFrame, frameCount])).toEqual([
      [4, 4],
      [8, 4],
    ]);
    expect(warnings).toEqual(["PAGES batch 2: wrong checksum"]);
    const expected = Buffer.from(whole).fill(0, 4 * 4096, 12 * 4096);
    expect(readFileSync(join(out, "vm")).equals(expected)).toBe(true);
    const list = readFileSync(join(out, "vm.lost"), "utf8");
    expect(list).toContain("16384\t16384\tcluster 1: wrong checksum");
    const cut = inPieces(bytes.subarray(0, third + 10), 4000);
    const rest = await engine.unpack({ bytes: cut }, out, { keepGoing: true, force: true });
    expect(rest.images).toEqual([expect.objectContaining({ byteLength: 8 * 4096 })]);
  });

  it("needs the base, and no other one", async () => {
    const engine = await openTestEngine();
    const folder = temporaryFolder();
    const random = seededRandom(9);
    const old = mixed(random, 600);
    const paths = [old, edited(random, old), edited(random, old)].map((bytes, i) => {
      const path = join(folder, `${i}.raw`);
      writeFileSync(path, bytes);
      return path;
    });
    const archive = collector();
    const base = { path: paths[0] };
    await engine.pack([{ name: "new", path: paths[1] }], archive, { base });
    const out = join(folder, "out");
    const unpack = (path: string | undefined) => {
      const options = path ? { base: { path } } : {};
      return engine.unpack({ bytes: inPieces(archive.bytes(), 50_000) }, out, options);
    };
    await expect(unpack(undefined)).rejects.toMatchObject({ code: "BASE" });
    await expect(unpack(paths[2])).rejects.toMatchObject({ code: "BASE" });
    expect(readdirSync(out)).toEqual([]);
    await unpack(paths[0]);
    expect(readFileSync(join(out, "new")).equals(readFileSync(paths[1]))).toBe(true);
  });
});
