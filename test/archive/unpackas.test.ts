// Unpacking in another format: the memory is the same in each of them and at the same addresses,
// files appear complete or not at all, and what a format cannot hold is refused.
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { MemoryFormat } from "../../src/image/convert/convert.ts";
import { openTestEngine } from "../support/engine.ts";
import { temporaryFolder } from "../support/folder.ts";
import {
  coreFile,
  joined,
  limeFile,
  loadsOfCore,
  type Range,
  rangesOfLime,
  rawFile,
  someMemory,
} from "../support/memoryfiles.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const random = seededRandom(randomSeed("unpackas"));
const MEMORY = someMemory(random, 1 << 20);

/** Packs files of these names and bytes. */
async function packed(files: Record<string, Uint8Array>) {
  const engine = await openTestEngine();
  const folder = temporaryFolder();
  const inputs = Object.entries(files).map(([name, bytes]) => {
    writeFileSync(join(folder, name), bytes);
    return { name, path: join(folder, name) };
  });
  const path = join(folder, "A.pfa");
  await engine.pack(inputs, { path });
  return { engine, path, folder, out: join(folder, "out") };
}

/** The bytes of a file, as one image of an archive and unpacked as another format. */
async function converted(bytes: Uint8Array, as: MemoryFormat): Promise<Buffer> {
  const { engine, path, out } = await packed({ image: bytes });
  const report = await engine.unpack({ path }, out, { as });
  expect(readdirSync(out)).toHaveLength(1);
  const file = readFileSync(report.images[0].path);
  expect(report.images[0].byteLength).toBe(file.length);
  return file;
}

function expectMemory(found: readonly Range[], wanted: readonly Range[]): void {
  expect(found.map(({ address }) => address)).toEqual(wanted.map(({ address }) => address));
  found.forEach(({ bytes }, i) => {
    expect(Buffer.compare(bytes, wanted[i].bytes)).toBe(0);
  });
}

describe("unpack as another format", () => {
  it("keeps memory and addresses on the way from LiME to a core, to LiME and to raw", async () => {
    const core = await converted(limeFile(MEMORY), "elf");
    const loads = loadsOfCore(core);
    for (const { offset, virtual, physical } of loads) {
      expect(virtual).toBe(physical);
      expect(offset % 4096n).toBe(physical % 4096n);
    }
    expectMemory(
      loads.map(({ physical, bytes }) => ({ address: physical, bytes })),
      joined(MEMORY),
    );
    const lime = await converted(core, "lime");
    expectMemory(rangesOfLime(lime), joined(MEMORY));
    expect(Buffer.compare(await converted(lime, "raw"), rawFile(MEMORY))).toBe(0);
  });

  it("comes back from raw through a core and LiME, of any length", async () => {
    for (const cut of [0, 1, 4095]) {
      const whole = rawFile(MEMORY);
      const raw = whole.subarray(0, whole.length - cut);
      const lime = await converted(await converted(raw, "elf"), "lime");
      expectMemory(rangesOfLime(lime), [{ address: 0n, bytes: raw }]);
      expect(Buffer.compare(await converted(lime, "raw"), raw)).toBe(0);
    }
  });

  it("takes physical addresses from the core of a machine", async () => {
    const raw = await converted(coreFile(MEMORY, "physical"), "raw");
    expect(Buffer.compare(raw, rawFile(MEMORY))).toBe(0);
  });

  it("orders ranges by address, and takes what is there twice once", async () => {
    const [low, high] = [Buffer.alloc(12_288, 1), Buffer.alloc(8192, 2)];
    const memory = [
      { address: 0x100000n, bytes: high },
      { address: 0x1000n, bytes: low },
      { address: 0x2000n, bytes: low.subarray(0, 4096) },
      { address: 0x3800n, bytes: Buffer.alloc(4096, 3) },
    ];
    const whole = Buffer.concat([low, Buffer.alloc(2048, 3)]);
    const expected = [
      { address: 0x1000n, bytes: whole },
      { address: 0x100000n, bytes: high },
    ];
    expectMemory(rangesOfLime(await converted(coreFile(memory, "physical"), "lime")), expected);
    expectMemory(rangesOfLime(await converted(coreFile(memory, "virtual"), "lime")), expected);
  });

  it("keeps the memory of a process virtual, and has no raw file for it", async () => {
    const process = [
      { address: 0x5555_5555_4000n, bytes: random.bytes(8192) },
      { address: 0x7fff_f7fb_1000n, bytes: random.bytes(4096) },
      { address: 0xffff_ffff_ff60_0000n, bytes: random.bytes(4096) },
    ];
    expectMemory(rangesOfLime(await converted(coreFile(process, "virtual"), "lime")), process);
    const { engine, path, out } = await packed({ "a.core": coreFile(process, "virtual") });
    await expect(engine.unpack({ path }, out, { as: "raw" })).rejects.toMatchObject({
      code: "LIMIT",
      message:
        "a.core: its memory reaches up to address 0xffffffffff600fff, and a raw file has at " +
        "most 17592186044416 bytes; elf and lime have no gaps",
    });
    expect(readdirSync(out)).toEqual([]);
  });

  it("leaves out what wraps around the end of the address space", async () => {
    const end = { address: 2n ** 64n - 4096n, bytes: random.bytes(8192) };
    const low = { address: 0x1000n, bytes: random.bytes(4096) };
    const lime = rangesOfLime(await converted(coreFile([end, low], "virtual"), "lime"));
    expectMemory(lime, [low, { address: end.address, bytes: end.bytes.subarray(0, 4096) }]);
  });

  it("makes something of images without memory", async () => {
    expect(loadsOfCore(await converted(new Uint8Array(0), "elf"))).toEqual([]);
    expect(await converted(new Uint8Array(0), "lime")).toHaveLength(0);
    const empty = coreFile([], "virtual");
    expect(await converted(empty, "raw")).toHaveLength(0);
  });
});

describe("unpack as: files", () => {
  it("calls them by the format, and leaves what is of the format as it is", async () => {
    const [raw, core, lime] = [rawFile(MEMORY), coreFile(MEMORY, "physical"), limeFile(MEMORY)];
    const { engine, path, out } = await packed({ "a.raw": raw, "a.core": core, "a.lime": lime });
    const { images } = await engine.unpack({ path }, out, { as: "raw" });
    expect(readdirSync(out)).toEqual(["a.core.raw", "a.lime.raw", "a.raw"]);
    expect(images.map(({ name, format }) => [name, format])).toEqual([
      ["a.raw", "raw"],
      ["a.core", "raw"],
      ["a.lime", "raw"],
    ]);
    for (const { path: file, byteLength } of images) {
      expect(Buffer.compare(readFileSync(file), raw)).toBe(0);
      expect(byteLength).toBe(raw.length);
      expect(statSync(file).mode & 0o777).toBe(0o600);
      expect(Math.abs(statSync(file).mtimeMs - Date.now())).toBeLessThan(60_000);
    }
    await engine.unpack({ path }, out, { as: "elf", names: ["a.core", "a.lime"] });
    expect(readdirSync(out)).toEqual(["a.core", "a.core.raw", "a.lime.elf", "a.lime.raw", "a.raw"]);
    expect(Buffer.compare(readFileSync(join(out, "a.core")), core)).toBe(0);
  });

  it("does the same through a pipe", async () => {
    const { engine, path, out } = await packed({ "a.core": coreFile(MEMORY, "physical") });
    const bytes = (async function* () {
      yield readFileSync(path);
    })();
    const report = await engine.unpack({ bytes }, out, { as: "raw" });
    expect(report.images).toMatchObject([{ name: "a.core", format: "raw" }]);
    expect(Buffer.compare(readFileSync(join(out, "a.core.raw")), rawFile(MEMORY))).toBe(0);
    expect(readdirSync(out)).toEqual(["a.core.raw"]);
  });

  it("leaves holes where zeros are", async () => {
    const bytes = Buffer.alloc(3 << 20);
    bytes.set(random.bytes(4096), 1 << 20);
    const { engine, path, out } = await packed({ "a.lime": limeFile([{ address: 0n, bytes }]) });
    for (const as of ["raw", "elf"] as const) {
      const [{ path: file }] = (await engine.unpack({ path }, out, { as })).images;
      expect(statSync(file).blocks * 512).toBeLessThan(64 << 10);
    }
  });

  it("replaces a file only when it may, and leaves nothing else behind", async () => {
    const { engine, path, out } = await packed({ "a.raw": rawFile(MEMORY) });
    mkdirSync(out);
    writeFileSync(join(out, "a.raw.elf"), "mine");
    const again = engine.unpack({ path }, out, { as: "elf" });
    await expect(again).rejects.toMatchObject({ code: "OUTPUT" });
    expect(readFileSync(join(out, "a.raw.elf"), "utf8")).toBe("mine");
    expect(readdirSync(out)).toEqual(["a.raw.elf"]);
    await engine.unpack({ path }, out, { as: "elf", force: true });
    expect(loadsOfCore(readFileSync(join(out, "a.raw.elf")))).toHaveLength(1);
    await engine.unpack({ path }, out, { as: "raw", force: true });
    await expect(engine.unpack({ path }, out, { as: "raw" })).rejects.toMatchObject({
      message: `${join(out, "a.raw")}: exists already`,
    });
    expect(readdirSync(out)).toEqual(["a.raw", "a.raw.elf"]);
  });

  it("refuses two images for one file, and to convert what is damaged", async () => {
    const files = { "a.core": coreFile(MEMORY, "physical"), "a.core.raw": rawFile(MEMORY) };
    const { engine, path, out } = await packed(files);
    await expect(engine.unpack({ path }, out, { as: "raw", force: true })).rejects.toMatchObject({
      code: "USAGE",
      message: `${join(out, "a.core.raw")}: both a.core and a.core.raw would go there`,
    });
    await expect(engine.unpack({ path }, out, { as: "raw", keepGoing: true })).rejects.toThrow(
      "what is damaged can be unpacked only as it was",
    );
    expect(readdirSync(out)).toEqual([]);
    expect(existsSync(join(out, "a.core.raw"))).toBe(false);
  });

  it("ends when it is told to, and leaves nothing behind", async () => {
    const { engine, path, out } = await packed({ "a.raw": rawFile(MEMORY) });
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(engine.unpack({ path }, out, { as: "elf", signal })).rejects.toThrow("enough");
    expect(readdirSync(out)).toEqual([]);
  });
});
