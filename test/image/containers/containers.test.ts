// Containers: each known by its content, one inside of another, and all kinds of images in them;
// files and streams alike.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { deflateSync, gzipSync } from "node:zlib";
import { describe, expect, onTestFinished, test } from "vitest";
import { Containers, compressionOf } from "../../../src/image/containers/containers.ts";
import { openImage, openStream } from "../../../src/image/open.ts";
import type { ForwardImage, ImageFile } from "../../../src/image/opened.ts";
import { buildCore } from "../../support/elf.ts";
import { inPieces } from "../../support/engine.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { fuzzImage } from "../../support/imagefuzz.ts";
import { limeFile } from "../../support/lime.ts";
import { lz4Frames, lz4Legacy } from "../../support/lz4-frames.ts";
import { memoryLike } from "../../support/lz4-inputs.ts";
import { mappedRamFile } from "../../support/mappedram.ts";
import { makeStream } from "../../support/qemustream.ts";
import { seededRandom } from "../../support/random.ts";
import { zstdFrames } from "../../support/zstd-frames.ts";
import { skippableFrame } from "../../support/zstd-vectors.ts";

const LONG_MS = 30 * 60_000;
const containers = new Containers();
const raw = memoryLike(50_000, 1);
const headers = [{ offset: 5000, address: 0x7000, fileBytes: 8192 }];
const core = buildCore({ byteLength: 20_000, headers });
const lime = limeFile([
  { first: 0x1000n, byteLength: 0x3000 },
  { first: 0x10_0000n, byteLength: 8192 },
]);
const blocks = [{ name: "pc.ram", pages: [new Uint8Array(4096).fill(5), undefined] }];
const { bytes: mapped } = mappedRamFile(blocks, { hasPageSizes: true });
const { bytes: migration } = makeStream(seededRandom(6), { recordsPerRound: 30 });
const IMAGES: [string, Uint8Array][] = [
  ["raw", raw],
  ["elf-core", core],
  ["lime", lime],
  ["qemu-mapped-ram", mapped],
  ["qemu-migration", migration],
];
const WRAPS = {
  gzip: (bytes: Uint8Array) => gzipSync(bytes, { level: 1 }),
  lz4: (bytes: Uint8Array) => lz4Frames(bytes, { isLinked: true, blockBytes: 5000 }),
  zstd: (bytes: Uint8Array) => zstdFrames(bytes, { frameBytes: 9999 }),
};
const KINDS = Object.keys(WRAPS) as (keyof typeof WRAPS)[];

async function openedFile(bytes: Uint8Array): Promise<ImageFile | ForwardImage> {
  const path = join(temporaryFolder(), "image");
  writeFileSync(path, bytes);
  return closing(await openImage(path, containers));
}

async function openedStream(bytes: Uint8Array): Promise<ImageFile | ForwardImage> {
  return closing(await openStream(inPieces(bytes, 1000), containers, { name: "a", mtimeNs: 5n }));
}

function closing<T extends ImageFile | ForwardImage>(image: T): T {
  onTestFinished(() => image.close());
  return image;
}

/** What is known before the content is read, and the length of that. */
async function shown(image: ImageFile | ForwardImage) {
  const { format, decompressed } = image;
  if (image.fd !== undefined) {
    return { format, decompressed, pieces: image.segments.length, byteLength: image.byteLength };
  }
  let byteLength = 0;
  for await (const piece of image.content()) byteLength += piece.length;
  const pieces = image.segments?.length;
  return { format, decompressed, pieces, byteLength: image.woven?.fileBytes ?? byteLength };
}

describe.each(IMAGES)("containers: %s", (format, bytes) => {
  test.each(KINDS)("in %s", async (kind) => {
    const wrapped = WRAPS[kind](bytes);
    const alone = await shown(await openedFile(bytes));
    const inside = await shown(await openedFile(wrapped));
    expect(inside).toMatchObject({ format, decompressed: kind, byteLength: bytes.length });
    // Of raw bytes that are decompressed nobody knows how many there are.
    if (format !== "raw") expect(inside.pieces).toBe(alone.pieces);
    expect(await shown(await openedStream(wrapped))).toEqual(inside);
    const twice = WRAPS[KINDS[(KINDS.indexOf(kind) + 1) % 3]](wrapped);
    const { decompressed: outer, ...rest } = await shown(await openedFile(twice));
    expect({ ...rest, decompressed: kind }).toEqual(inside);
    expect(KINDS).toContain(outer);
  });

  test("as a stream", async () => {
    const alone = await shown(await openedFile(bytes));
    const stream = await shown(await openedStream(bytes));
    expect(stream).toMatchObject({ format, decompressed: undefined, byteLength: bytes.length });
    if (format !== "raw") expect(stream.pieces).toBe(alone.pieces);
  });
});

test("containers: what LiME compresses by itself", async () => {
  // The module compresses its output with a window of 2 KiB.
  const file = await openedFile(deflateSync(lime, { windowBits: 11, memLevel: 5 }));
  const inside = { format: "lime", decompressed: "zlib", pieces: 4, byteLength: lime.length };
  expect(await shown(file)).toEqual(inside);
  const other = deflateSync(raw);
  expect(await shown(await openedFile(other))).toMatchObject({ format: "raw", pieces: 1 });
});

test("containers: a third one is taken as it is", async () => {
  const inner = gzipSync(raw);
  const image = await openedFile(gzipSync(zstdFrames(inner)));
  expect(await shown(image)).toMatchObject({ decompressed: "gzip", byteLength: inner.length });
});

test("containers: skippable frames stand before frames of both kinds", () => {
  const skip = Buffer.concat([skippableFrame(9), skippableFrame(0)]);
  expect(compressionOf(Buffer.concat([skip, lz4Frames(raw)]))).toBe("lz4");
  expect(compressionOf(Buffer.concat([skip, lz4Legacy(raw)]))).toBe("lz4");
  expect(compressionOf(Buffer.concat([skip, zstdFrames(raw)]))).toBe("zstd");
  expect(compressionOf(skippableFrame(9000).subarray(0, 4096))).toBe("zstd");
  expect(compressionOf(raw)).toBeUndefined();
});

describe("containers: mutated", () => {
  test.each([
    ["a core in gzip", WRAPS.gzip(core), "elf-core in gzip"],
    ["a LiME file in LZ4", lz4Frames(lime, { isSized: true, blockBytes: 3000 }), "lime in lz4"],
    ["a core in legacy LZ4", lz4Legacy(core, 5000), "elf-core in lz4"],
    ["a LiME file of compress=1", deflateSync(lime, { windowBits: 11 }), "lime in zlib"],
    ["a migration stream in LZ4 in gzip", gzipSync(WRAPS.lz4(migration)), "qemu-migration in gzip"],
  ])("%s", { timeout: LONG_MS }, async (name, good, expected) => {
    const outcomes = await fuzzImage(good, { name });
    expect(outcomes.get(expected)).toBeGreaterThan(0);
  });
});
