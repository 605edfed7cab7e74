// The memory of one guest in every format that there is: each file comes back as it was, each gives
// the same memory at the same addresses, and together they are stored as one of them.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openTestEngine } from "../support/engine.ts";
import { temporaryFolder } from "../support/folder.ts";
import { mixed } from "../support/images.ts";
import { makeKdump } from "../support/kdump.ts";
import { saveImage } from "../support/libvirtsave.ts";
import { mappedRamFile } from "../support/mappedram.ts";
import { coreFile, limeFile, loadsOfCore, rangesOfLime } from "../support/memoryfiles.ts";
import { StreamMaker } from "../support/qemustream.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const PAGE_BYTES = 4096;
const random = seededRandom(randomSeed("formats"));
const MEMORY = mixed(random, 600);
const PAGES = Array.from({ length: 600 }, (_, frame) =>
  MEMORY.subarray(frame * PAGE_BYTES, (frame + 1) * PAGE_BYTES),
);
const ZERO = Buffer.alloc(PAGE_BYTES);
const isZero = (page: Uint8Array): boolean => ZERO.equals(page);
const RANGE = [{ address: 0n, bytes: MEMORY }];

/** Some pages are sent before they have their last content; one more block is that of a device. */
function migrationStream(): Uint8Array {
  const maker = new StreamMaker().magic().configuration("pc-q35-9.0");
  const blocks = [
    { name: "pc.ram", pages: PAGES.length },
    { name: "vga.vram", pages: 3 },
  ];
  maker.startRam(blocks).part(2);
  for (let frame = 0; frame < PAGES.length; frame++) {
    const early = frame % 7 === 0 ? random.bytes(PAGE_BYTES) : PAGES[frame];
    if (isZero(early)) maker.record("zero", 0, frame);
    else maker.record("page", 0, frame, early);
  }
  for (let frame = 0; frame < 3; frame++) maker.record("page", 1, frame, random.bytes(PAGE_BYTES));
  maker.endOfPart().footer().part(3);
  for (let frame = 0; frame < PAGES.length; frame += 7) {
    if (isZero(PAGES[frame])) maker.record("zero", 0, frame);
    else maker.record("page", 0, frame, PAGES[frame]);
  }
  return maker.endOfPart().footer().devices(random, 4).u8(0).description().made().bytes;
}

function kdump(): Uint8Array {
  return makeKdump({
    pages: PAGES.map((bytes, frame) => ({
      frame,
      bytes,
      kind: isZero(bytes) ? "shared" : (["zlib", "plain", "zlib"] as const)[frame % 3],
    })),
  });
}

const FILES: Record<string, Uint8Array> = {
  "vm.raw": MEMORY,
  "vm.elf": coreFile(RANGE, "physical"),
  "vm.lime": limeFile(RANGE),
  "vm.kdump": kdump(),
  "vm.stream": migrationStream(),
  "vm.save": saveImage(migrationStream()),
  "vm.mapped": mappedRamFile([
    { name: "pc.ram", pages: PAGES.map((page) => (isZero(page) ? undefined : page)) },
    { name: "vga.vram", pages: [random.bytes(PAGE_BYTES)] },
  ]).bytes,
};
const FORMATS: Record<string, string> = {
  "vm.raw": "raw",
  "vm.elf": "elf-core",
  "vm.lime": "lime",
  "vm.kdump": "kdump",
  "vm.stream": "qemu-migration",
  "vm.save": "libvirt-save",
  "vm.mapped": "qemu-mapped-ram",
};
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
      const own = isStream ? PAGES.length / 7 + 3 : 0;
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
