// Heads of Zstandard frames and blocks, field by field; each width of each field.
import { describe, expect, it } from "vitest";
import {
  decodeZstdBlockHead,
  decodeZstdFrameHead,
  zstdFrameHeadBytes,
  zstdMagic,
} from "../../src/wire/zstdframe.ts";

const head = (descriptor: number, ...bytes: number[]) => {
  expect(zstdFrameHeadBytes(descriptor)).toBe(bytes.length);
  return decodeZstdFrameHead(descriptor, Uint8Array.from(bytes), "it");
};

describe("zstd frame head", () => {
  it("is told by its magic", () => {
    expect(zstdMagic(Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd))).toBe("frame");
    for (const low of [0x50, 0x53, 0x5f]) {
      expect(zstdMagic(Uint8Array.of(low, 0x2a, 0x4d, 0x18))).toBe("skippable");
    }
    expect(zstdMagic(Uint8Array.of(0x60, 0x2a, 0x4d, 0x18))).toBe("other");
    expect(zstdMagic(Uint8Array.of(0x28, 0xb5, 0x2f))).toBe("other");
  });

  it("states a window of a power of two and eighths of it", () => {
    expect(head(0, 0)).toEqual({
      windowBytes: 1024,
      maxBlockBytes: 1024,
      dictionary: 0,
      contentBytes: undefined,
      hasChecksum: false,
    });
    expect(head(0, 0xff).windowBytes).toBe(2 ** 41 + 7 * 2 ** 38);
    expect(head(0, (17 << 3) | 1)).toMatchObject({
      windowBytes: 2 ** 27 + 2 ** 24,
      maxBlockBytes: 131_072,
    });
  });

  it("states sizes of one, two, four and eight bytes, which are windows of single segments", () => {
    expect(head(0x20, 9)).toMatchObject({ contentBytes: 9, windowBytes: 9, maxBlockBytes: 9 });
    expect(head(0x60, 1, 1)).toMatchObject({ contentBytes: 513, windowBytes: 513 });
    expect(head(0xa0, 0, 0, 0, 0x80)).toMatchObject({ contentBytes: 2 ** 31 });
    expect(head(0xe0, 0, 0, 0, 0, 0, 1, 0, 0)).toMatchObject({ contentBytes: 2 ** 40 });
    expect(head(0x40, 8, 0, 0)).toMatchObject({ contentBytes: 256, windowBytes: 2048 });
  });

  it("states dictionaries of one, two and four bytes, and a checksum", () => {
    expect(head(0x25, 7, 1)).toMatchObject({ dictionary: 7, contentBytes: 1, hasChecksum: true });
    expect(head(0x22, 1, 2, 1)).toMatchObject({ dictionary: 0x201, hasChecksum: false });
    expect(head(0x03, 0, 0, 0, 0, 0xff)).toMatchObject({ dictionary: 0xff000000 });
  });

  it("is refused with the reserved bit", () => {
    expect(() => head(0x28, 1)).toThrow(/^it: the reserved bit of its head is set$/);
  });
});

describe("zstd block head", () => {
  it("states kind, size, and whether it is the last", () => {
    const block = (value: number) =>
      decodeZstdBlockHead(Uint8Array.of(value & 255, (value >> 8) & 255, value >> 16));
    const of = (size: number, kind: number, last: number) => block(size * 8 + kind * 2 + last);
    expect(of(5, 0, 0)).toEqual({ kind: "raw", size: 5, storedBytes: 5, isLast: false });
    expect(of(5000, 1, 1)).toEqual({ kind: "repeated", size: 5000, storedBytes: 1, isLast: true });
    expect(of(2 ** 21 - 1, 2, 0)).toMatchObject({ kind: "compressed", size: 2 ** 21 - 1 });
    expect(of(1, 3, 1)).toMatchObject({ kind: "reserved" });
  });
});
