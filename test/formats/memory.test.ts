// The memory of one guest in every format that there is: each file comes back as it was, each gives
// the same memory at the same addresses, and together they are stored as one of them.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openTestEngine } from "../support/engine.ts";
import { temporaryFolder } from "../support/folder.ts";
import { FORMATS, guestFiles, isZero, pagesOf, RESENT_EVERY } from "../support/guestfiles.ts";
import { mixed } from "../support/images.ts";
import { mappedRamFile } from "../support/mappedram.ts";
import { loadsOfCore, rangesOfLime } from "../support/memoryfiles.ts";
import { StreamMaker } from "../support/qemustream.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const random = seededRandom(randomSeed("formats"));
const MEMORY = mixed(random, 600);
const PAGES = pagesOf(MEMORY);
const FILES = guestFiles(random, MEMORY);
const NAMES = Object.keys(FILES);

async function packed(files: Record<string, Uint8Array>) {
  const engine = await openTestEngine();
  const folder = temporaryFolder();
  const inputs = Object.entries(files).map(([name, bytes]) => {
    writeFileSync(join(folder, name), bytes);
    return { name, path: join(folder, name) };
  });
  const path = join(folder, "A.pfa");
  const report = await engine.pack(inputs, { path });
  return { engine, path, out: join(folder, "out"), report };
}

describe("one guest in all formats", () => {
  it("comes back, file by file", async () => {
    const { engine, path, out } = await packed(FILES);
    const { images } = await engine.unpack({ path }, out);
    expect(Object.fromEntries(images.map(({ name, format }) => [name, format]))).toEqual(FORMATS);
    for (const name of NAMES) {
      expect(Buffer.compare(readFileSync(join(out, name)), FILES[name]), name).toBe(0);
    }
  });

  it("has the same memory at the same addresses in each", async () => {
    const { engine, path, out } = await packed(FILES);
    const raw = await engine.unpack({ path }, out, { as: "raw" });
    expect(raw.images.map(({ name }) => name)).toEqual(NAMES);
    for (const { name, path: file } of raw.images) {
      expect(Buffer.compare(readFileSync(file), MEMORY), name).toBe(0);
    }
    const elf = await engine.unpack({ path }, out, { as: "elf", force: true });
    for (const { name, path: file } of elf.images) {
      const loads = loadsOfCore(readFileSync(file));
      expect(
        loads.map(({ physical }) => physical),
        name,
      ).toEqual([0n]);
      expect(Buffer.compare(loads[0].bytes, MEMORY), name).toBe(0);
    }
    const lime = await engine.unpack({ path }, out, { as: "lime", force: true });
    for (const { name, path: file } of lime.images) {
      const ranges = rangesOfLime(readFileSync(file));
      expect(
        ranges.map(({ address }) => address),
        name,
      ).toEqual([0n]);
      expect(Buffer.compare(ranges[0].bytes, MEMORY), name).toBe(0);
    }
    expect(readdirSync(out).filter((name) => name.startsWith("."))).toEqual([]);
  });

  it("does the same through a pipe", async () => {
    const { engine, path, out } = await packed(FILES);
    const bytes = (async function* () {
      yield readFileSync(path);
    })();
    const { images } = await engine.unpack({ bytes }, out, { as: "raw" });
    for (const { name, path: file } of images) {
      expect(Buffer.compare(readFileSync(file), MEMORY), name).toBe(0);
    }
  });

  it("is stored once: pages of later images are those of the first", async () => {
    const { report } = await packed(FILES);
    const zeros = PAGES.filter(isZero).length;
    for (const { name, counts } of report.images.slice(1)) {
      // What is there before a page has its last content is new; so is how a file is made up.
      const isStream = name === "vm.stream" || name === "vm.save";
      const own = isStream ? PAGES.length / RESENT_EVERY + 3 : 0;
      const added = counts.compressed + counts.raw + counts.similar;
      expect(added, name).toBeLessThan(own + 30);
      expect(counts.duplicateAcross, name).toBeGreaterThan((PAGES.length - zeros) / 3);
    }
  });

  it("is refused where the memory is elsewhere", async () => {
    const shared = mappedRamFile([{ name: "pc.ram", pages: PAGES, isShared: true }]).bytes;
    const { engine, path, out } = await packed({ "vm.mapped": shared });
    await expect(engine.unpack({ path }, out, { as: "raw" })).rejects.toMatchObject({
      code: "FORMAT",
      message: "vm.mapped: holds no memory whose addresses are known",
    });
  });

  it("is refused where not all of the memory can be read", async () => {
    const maker = new StreamMaker().magic().configuration("pc-q35-9.0");
    maker.startRam([{ name: "pc.ram", pages: 2 }]).part(3);
    maker.record("page", 0, 0, PAGES[0]).record("xbzrle", 0, 1, random.bytes(100));
    const { bytes } = maker.endOfPart().footer().u8(0).description().made();
    const { engine, path, out } = await packed({ "vm.stream": bytes });
    await engine.unpack({ path }, out);
    expect(Buffer.compare(readFileSync(join(out, "vm.stream")), bytes)).toBe(0);
    await expect(engine.unpack({ path }, out, { as: "raw" })).rejects.toMatchObject({
      code: "FORMAT",
      message: expect.stringMatching(/^vm\.stream: holds .*, whose memory is not read$/),
    });
  });
});
