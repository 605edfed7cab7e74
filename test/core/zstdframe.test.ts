// Heads of Zstandard frames and blocks, field by field; each width of each field.
import { describe, expect, it } from "vitest";
import {
  decodeZstdBlockHead,
  decodeZstdFrameHead,
  faultOfZstdPayload,
  zstdFrameHeadBytes,
  zstdMagic,
} from "../../src/core/zstdframe.ts";
import { zstdFrames } from "../support/zstd-frames.ts";
import {
  contentsOf,
  readZstdVector,
  skippableFrame,
  ZSTD_VECTORS,
} from "../support/zstd-vectors.ts";

const head = (descriptor: number, ...bytes: number[]) => {
  expect(zstdFrameHeadBytes(descriptor)).toBe(bytes.length);
  const decoded = decodeZstdFrameHead(descriptor, Uint8Array.from(bytes));
  if (!decoded) throw new Error("the head is bad");
  return decoded;
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
    expect(decodeZstdFrameHead(0x28, Uint8Array.of(1))).toBeUndefined();
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

describe("zstd payload", () => {
  const content = Buffer.from("a payload of one frame, no more");
  const frame = zstdFrames(content);
  const fault = (...parts: Uint8Array[]) =>
    faultOfZstdPayload(Buffer.concat(parts), content.length);

  it("is one frame that states its length", () => {
    expect(fault(frame)).toBeUndefined();
    for (const vector of ZSTD_VECTORS) {
      const [one, ...others] = contentsOf(vector);
      const found = faultOfZstdPayload(readZstdVector(vector.name), one.length);
      const isUnsized = vector.isPiped && one.length > 0;
      if (isUnsized) expect(found).toMatch(/says no number of bytes, the header \d+$/);
      else if (vector.skippable) expect(found).toBe("the payload begins no Zstandard frame");
      else if (others.length > 0) expect(found).toMatch(/^\d+ bytes follow its Zstandard frame$/);
      else expect(`${vector.name} ${found}`).toBe(`${vector.name} undefined`);
    }
  });

  it("is nothing more", () => {
    const many = zstdFrames(content, { frameBytes: 9 });
    const says = "its Zstandard frame says";
    expect(fault(many)).toBe(`${says} 9 bytes, the header ${content.length}`);
    expect(fault(frame, zstdFrames(Buffer.alloc(0)))).toBe("17 bytes follow its Zstandard frame");
    expect(fault(frame, skippableFrame(1))).toBe("9 bytes follow its Zstandard frame");
    expect(fault(skippableFrame(1), frame)).toBe("the payload begins no Zstandard frame");
    expect(fault(frame, Buffer.of(0))).toBe("1 bytes follow its Zstandard frame");
    const unsized = zstdFrames(content, { isSized: false });
    expect(fault(unsized)).toBe(`${says} no number of bytes, the header ${content.length}`);
    const longer = zstdFrames(Buffer.concat([content, content]));
    expect(fault(longer)).toBe(`${says} 62 bytes, the header 31`);
  });

  it("is nothing less, wherever it is cut", () => {
    for (let length = 0; length < frame.length; length++) {
      expect(fault(frame.subarray(0, length))).toMatch(/cut off$|begins no Zstandard frame$/);
    }
  });

  it("has no dictionary and no reserved bit", () => {
    const magic = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd);
    const rest = Buffer.concat([Buffer.of(31, (31 << 3) | 1, 0, 0), content]);
    expect(fault(magic, Buffer.of(0x20), rest)).toBeUndefined();
    expect(fault(magic, Buffer.of(0x28), rest)).toMatch(/has its reserved bit set$/);
    expect(fault(magic, Buffer.of(0x21, 0), rest)).toBeUndefined();
    expect(fault(magic, Buffer.of(0x21, 7), rest)).toMatch(/needs the dictionary 7$/);
  });
});
