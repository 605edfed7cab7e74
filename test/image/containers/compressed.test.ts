// Compressed images: known by their first bytes, and what is in them told from their beginning.
import { appendFileSync, mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { compressedPaths } from "../../../src/image/containers/compressed.ts";
import { Containers } from "../../../src/image/containers/containers.ts";
import { openImage } from "../../../src/image/open.ts";
import type { ForwardImage } from "../../../src/image/opened.ts";
import { buildCore } from "../../support/elf.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { randomSeed, seededRandom } from "../../support/random.ts";
import { type FrameShape, zstdFrames } from "../../support/zstd-frames.ts";
import { skippableFrame } from "../../support/zstd-vectors.ts";

const containers = new Containers();
const random = seededRandom(randomSeed("compressed images"));

function write(name: string, bytes: Uint8Array): string {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, bytes);
  return path;
}

async function opened(path: string): Promise<ForwardImage> {
  const image = await openImage(path, containers);
  onTestFinished(() => image.close());
  if (image.fd !== undefined) throw new Error(`${path} is not compressed`);
  return image;
}

async function contentOf(image: ForwardImage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const piece of image.content(undefined)) parts.push(Buffer.from(piece));
  return Buffer.concat(parts);
}

const SHAPES: [string, FrameShape][] = [
  ["one frame", {}],
  ["a frame of unknown length", { isSized: false }],
  ["many frames", { frameBytes: 100_000 }],
  ["many frames of unknown length", { frameBytes: 77_777, isSized: false }],
];

describe("compressed: raw images", () => {
  test.each(SHAPES)("in %s", async (_, shape) => {
    const content = Buffer.concat([random.bytes(300_000), new Uint8Array(400_000)]);
    const image = await opened(write("a", zstdFrames(content, shape)));
    expect(image).toMatchObject({ format: "raw", byteLength: undefined, segments: undefined });
    expect((await contentOf(image)).equals(content)).toBe(true);
    expect((await contentOf(image)).equals(content)).toBe(true);
    expect(image.checkUnchanged()).toBeUndefined();
  });

  test("of no length, of a few bytes, and behind a skippable frame", async () => {
    for (const length of [0, 1, 63, 64, 65]) {
      const content = random.bytes(length);
      const bytes = Buffer.concat([skippableFrame(99), zstdFrames(content)]);
      const image = await opened(write("a", bytes));
      expect(image.format).toBe("raw");
      expect((await contentOf(image)).equals(content)).toBe(true);
    }
  });

  test("are not looked for behind other bytes, or in a name", async () => {
    const others = [[], [0x28, 0xb5, 0x2f], [0, 0x28, 0xb5, 0x2f, 0xfd], [0x60, 0x2a, 0x4d, 0x18]];
    for (const bytes of others) {
      const image = await openImage(write("a.zst", Uint8Array.from(bytes)), containers);
      onTestFinished(() => image.close());
      expect(image).toMatchObject({ format: "raw", byteLength: bytes.length });
    }
  });

  test("that shrink meanwhile are named, and that were written to", async () => {
    const path = write("a", zstdFrames(random.bytes(900_000)));
    const image = await opened(path);
    const content = image.content(undefined)[Symbol.asyncIterator]();
    await content.next();
    truncateSync(path, 600_000);
    const rest = async (): Promise<void> => {
      while (!(await content.next()).done);
    };
    await expect(rest()).rejects.toMatchObject({
      code: "CHANGED",
      message: `${path}: ends at byte 600000`,
    });
    appendFileSync(path, random.bytes(900_000));
    expect(() => image.checkUnchanged()).toThrow(`${path}: grew`);
  });

  test("that are broken are refused with file, place and reason", async () => {
    const frames = zstdFrames(random.bytes(300_000));
    const path = write("a", frames.subarray(0, 200_000));
    const image = await opened(path);
    await expect(contentOf(image)).rejects.toMatchObject({
      code: "DAMAGED",
      message: `${path}: Zstandard frame 1 at byte 0: truncated: the input ends after 200000 bytes`,
    });
    const needs = Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd, 0x22, 0x39, 0x30, 1]);
    await expect(openImage(write("b", needs), containers)).rejects.toMatchObject({
      code: "FORMAT",
    });
    await expect(openImage(write("c", skippableFrame(5000)), containers)).rejects.toThrow(
      "has skippable Zstandard frames and no content",
    );
  });
});

describe("compressed: cores", () => {
  const headers = [{ offset: 5000, address: 0x7000, fileBytes: 8192 }];
  const core = buildCore({ byteLength: 500_000, headers });

  test.each(SHAPES)("in %s", async (_, shape) => {
    const image = await opened(write("a", zstdFrames(core, shape)));
    expect(image).toMatchObject({ format: "elf-core", byteLength: 500_000 });
    expect(image.segments).toEqual([
      { byteOffset: 0, byteLength: 5000 },
      { byteOffset: 5000, byteLength: 8192 },
      { byteOffset: 13_192, byteLength: 486_808 },
    ]);
    expect((await contentOf(image)).equals(core)).toBe(true);
  });

  test("whose headers stand far behind their beginning are read in any order", async () => {
    const tableOffset = 5 << 20;
    const early = core.subarray(64, 64 + 56);
    const late = Buffer.concat([core.subarray(0, 64), Buffer.alloc(tableOffset - 64), early]);
    late.writeBigUInt64LE(BigInt(tableOffset), 32);
    const image = await opened(write("late.core", zstdFrames(late)));
    expect(image).toMatchObject({ format: "elf-core", byteLength: late.length });
    expect(image.segments).toHaveLength(3);
    expect((await contentOf(image)).equals(late)).toBe(true);
    const back = Buffer.concat([late, Buffer.alloc(64)]);
    back.writeBigUInt64LE(BigInt(late.length), 40);
    back.writeUInt16LE(0xffff, 56);
    back.writeUInt32LE(1, late.length + 44);
    const path = write("back.core", zstdFrames(back));
    const file = await openImage(path, containers);
    onTestFinished(() => file.close());
    expect(file).toMatchObject({ path, format: "elf-core", byteLength: back.length });
    expect(file.decompressed).toBe("zstd");
    expect(file.fd).toBeDefined();
    expect(file.segments).toHaveLength(3);
  });

  test("that claim to be longer than anything are damage", async () => {
    const frame = zstdFrames(core);
    frame.fill(0xff, 6, 14);
    const path = write("a", frame);
    await expect(openImage(path, containers)).rejects.toMatchObject({ code: "DAMAGED" });
  });
});

test("compressed: paths are told by content; what cannot be read is not compressed", async () => {
  const folder = temporaryFolder();
  const path = (name: string): string => join(folder, name);
  writeFileSync(path("a.raw"), zstdFrames(random.bytes(10)));
  writeFileSync(path("b.zst"), "raw");
  mkdirSync(path("folder"));
  const paths = ["a.raw", "b.zst", "none.zst", "folder"].map(path);
  expect(await compressedPaths([...paths, "/dev/zero"])).toEqual(
    new Map([[path("a.raw"), ["zstd"]]]),
  );
});
