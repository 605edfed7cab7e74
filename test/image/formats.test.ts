// Formats are told by content: a file of each is opened mutated, and nothing but a partition, the
// same bytes or one clear line comes out of it.
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { formatOf } from "../../src/image/formats.ts";
import { buildCore } from "../support/elf.ts";
import { fuzzImage } from "../support/imagefuzz.ts";
import { saveHead, saveImage } from "../support/libvirtsave.ts";
import { limeFile } from "../support/lime.ts";
import { mappedRamFile } from "../support/mappedram.ts";
import { makeStream } from "../support/qemustream.ts";
import { seededRandom } from "../support/random.ts";
import { zstdFrames } from "../support/zstd-frames.ts";

/** The long form of 100 000 rounds takes some minutes. */
const LONG_MS = 30 * 60_000;

const headers = [
  { offset: 5000, address: 0x7000, fileBytes: 8192 },
  { offset: 15_000, address: 0x20_0000, fileBytes: 4096 },
];
const core = buildCore({ byteLength: 20_000, headers });
const lime = limeFile([
  { first: 0x1000n, byteLength: 0x3000 },
  { first: 0x10_0000n, byteLength: 8192 },
]);
const { bytes: migration } = makeStream(seededRandom(6), { recordsPerRound: 30 });
const blocks = [{ name: "pc.ram", pages: [new Uint8Array(4096).fill(5), undefined] }];
const { bytes: mapped } = mappedRamFile(blocks, { hasPageSizes: true });
const head = saveHead({ format: 6, xml: "<domain/>" });
const { bytes: sparse } = mappedRamFile(blocks, { start: head.length });
sparse.set(head);
const gzipSave = saveImage(gzipSync(migration), { format: 1, xml: "<domain/>" });
const zstdSave = saveImage(zstdFrames(migration), { format: 5, xml: "<domain/>" });

test("formats: known by their first bytes, in whatever buffer these lie", () => {
  const inside = (bytes: Uint8Array) => Buffer.concat([Buffer.alloc(3), bytes]).subarray(3);
  expect(formatOf(inside(core))?.format).toBe("elf-core");
  expect(formatOf(inside(lime))?.format).toBe("lime");
  expect(formatOf(core.subarray(0, 63))).toBeUndefined();
  expect(formatOf(new Uint8Array(0))).toBeUndefined();
  expect(formatOf(new Uint8Array(4096))).toBeUndefined();
});

describe("formats: mutated", () => {
  test.each([
    ["a core", core, "elf-core"],
    ["a LiME file", lime, "lime"],
    ["a core in Zstandard", zstdFrames(core, { frameBytes: 3000 }), "elf-core in zstd"],
    ["a LiME file in Zstandard", zstdFrames(lime, { isSized: false }), "lime in zstd"],
    ["a migration stream", migration, "qemu-migration"],
    ["a mapped-ram file", mapped, "qemu-mapped-ram", 256],
    ["a save image", saveImage(migration, { xml: "<domain/>" }), "libvirt-save"],
    ["a sparse save image", sparse, "libvirt-save", 256],
    ["a save image with gzip", gzipSave, "libvirt-save in libvirt-gzip"],
    ["a save image with Zstandard", zstdSave, "libvirt-save in libvirt-zstd"],
  ])("%s", { timeout: LONG_MS }, async (name, good, expected, hotBytes?: number) => {
    const outcomes = await fuzzImage(good, { name, ...(hotBytes && { hotBytes }) });
    expect(outcomes.get(expected)).toBeGreaterThan(0);
  });
});
