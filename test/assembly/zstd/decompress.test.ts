// The Zstandard decoder on both builds: frames that others wrote, frames that our encoder writes,
// exact capacities, cut inputs, and each rule of the format by a frame that breaks it.
import * as zlib from "node:zlib";
import { describe, expect, test } from "vitest";
import * as abi from "../../../src/kernels/abi.ts";
import { builds } from "../../support/kernels.ts";
import { randomSeed } from "../../support/random.ts";
import { painted, smallInputs } from "../../support/zstd-inputs.ts";
import {
  contentsOf,
  readZstdVector,
  skippableFrame,
  ZSTD_VECTORS,
} from "../../support/zstd-vectors.ts";
import { openDecoder } from "../../support/zstddecoder.ts";
import { openEncoder } from "../../support/zstdencoder.ts";

const MAX_BYTES = 3_000_000;
const MAGIC = [0x28, 0xb5, 0x2f, 0xfd];
/** One segment of `size` (below 256) bytes, then `blocks`. */
function frame(size: number, ...blocks: number[][]): Uint8Array {
  return Uint8Array.from([...MAGIC, 0x20, size, ...blocks.flat()]);
}
/** Kinds: raw 0, repeated byte 1, compressed 2, reserved 3. */
function block(kind: number, size: number, content: number[], isLast = true): number[] {
  const head = (size << 3) | (kind << 1) | (isLast ? 1 : 0);
  return [head & 255, (head >> 8) & 255, head >> 16, ...content];
}
const raw = (...content: number[]) => block(0, content.length, content);
const compressed = (...content: number[]) => block(2, content.length, content);

const BROKEN: { name: string; frame: Uint8Array; code: number }[] = [
  { name: "another magic", frame: Uint8Array.of(1, 2, 3, 4, 5, 6), code: abi.ZSTD_BAD_MAGIC },
  { name: "half a magic", frame: Uint8Array.of(0x28, 0xb5), code: abi.ZSTD_TRUNCATED },
  {
    name: "a skippable frame that goes on past the end",
    frame: skippableFrame(9).subarray(0, 16),
    code: abi.ZSTD_TRUNCATED,
  },
  {
    name: "the reserved bit of a head",
    frame: Uint8Array.of(...MAGIC, 0x28, 1, ...raw(1)),
    code: abi.ZSTD_BAD_HEADER,
  },
  {
    name: "a dictionary",
    frame: Uint8Array.of(...MAGIC, 0x21, 9, 1, ...raw(1)),
    code: abi.ZSTD_DICTIONARY,
  },
  {
    name: "a window above 128 MiB",
    frame: Uint8Array.of(...MAGIC, 0, (17 << 3) | 1, ...raw(1)),
    code: abi.ZSTD_WINDOW,
  },
  {
    name: "a size above 4 GiB",
    frame: Uint8Array.of(...MAGIC, 0xe0, 0, 0, 0, 0, 1, 0, 0, 0, ...raw(1)),
    code: abi.ZSTD_WINDOW,
  },
  { name: "a reserved kind of block", frame: frame(1, block(3, 1, [1])), code: abi.ZSTD_BAD_BLOCK },
  { name: "a block above the window", frame: frame(1, raw(1, 2)), code: abi.ZSTD_BAD_BLOCK },
  { name: "less content than said", frame: frame(2, raw(1)), code: abi.ZSTD_BAD_SIZE },
  {
    name: "more content than said",
    frame: frame(2, block(0, 2, [1, 2], false), raw(1)),
    code: abi.ZSTD_BAD_SIZE,
  },
  {
    name: "another checksum",
    frame: Uint8Array.of(...MAGIC, 0x24, 1, ...raw(1), 0, 0, 0, 0),
    code: abi.ZSTD_BAD_CHECKSUM,
  },
  {
    name: "half a checksum",
    frame: Uint8Array.of(...MAGIC, 0x24, 1, ...raw(1), 0, 0),
    code: abi.ZSTD_TRUNCATED,
  },
  { name: "no last block", frame: frame(1, block(0, 1, [1], false)), code: abi.ZSTD_TRUNCATED },
  // From here on: literals (1 << 3 is one raw literal), then the count of sequences.
  { name: "no sequences section", frame: frame(9, compressed(8, 7)), code: abi.ZSTD_BAD_BLOCK },
  {
    name: "bytes behind the block",
    frame: frame(9, compressed(8, 7, 0, 0)),
    code: abi.ZSTD_BAD_BITS,
  },
  {
    name: "literals of codes that never were",
    frame: frame(9, compressed(0x43 | 0x10, 0x40, 0, 1, 0, 0)),
    code: abi.ZSTD_NO_TABLE,
  },
  {
    name: "a table that never was",
    frame: frame(9, compressed(8, 7, 1, 0xc0, 1)),
    code: abi.ZSTD_NO_TABLE,
  },
  {
    name: "a code of literal lengths above 35",
    frame: frame(9, compressed(8, 7, 1, 0x54, 36, 0, 0, 1)),
    code: abi.ZSTD_BAD_TABLE,
  },
  {
    name: "an FSE table of 2^10 states",
    frame: frame(99, compressed(8, 7, 1, 0x94, 5, 0, 0, 0, 0, 1)),
    code: abi.ZSTD_BAD_TABLE,
  },
  {
    name: "reserved bits of the modes",
    frame: frame(9, compressed(8, 7, 1, 0x55, 0, 0, 0, 1)),
    code: abi.ZSTD_BAD_BITS,
  },
  {
    name: "bits left of the sequences",
    frame: frame(9, compressed(8, 7, 1, 0x54, 1, 0, 0, 2)),
    code: abi.ZSTD_BAD_BITS,
  },
  {
    name: "a match before the first byte",
    frame: frame(9, compressed(8, 7, 1, 0x54, 0, 0, 0, 1)),
    code: abi.ZSTD_BAD_SEQUENCE,
  },
  {
    name: "more literals than there are",
    frame: frame(9, compressed(8, 7, 1, 0x54, 2, 0, 0, 1)),
    code: abi.ZSTD_BAD_SEQUENCE,
  },
  {
    name: "Huffman weights that do not add up",
    frame: frame(99, compressed(0x22, 0, 1, 0x81, 0x13, 1, 1, 0)),
    code: abi.ZSTD_BAD_CODES,
  },
];

describe.each(builds)("zstd decoder, $name build", ({ name }) => {
  const { decode, fault } = openDecoder(name, MAX_BYTES);

  function expectContent(frames: Uint8Array, content: Uint8Array): void {
    const decoded = decode(frames, content.length);
    expect(fault()).toBeUndefined();
    expect(decoded.result).toBe(content.length);
    expect(Buffer.compare(decoded.content, content)).toBe(0);
  }

  test.each(ZSTD_VECTORS)("reads $name, in exactly the room it needs", (vector) => {
    const content = Buffer.concat(contentsOf(vector));
    const frames = readZstdVector(vector.name);
    expectContent(frames, content);
    if (content.length === 0) return;
    expect(decode(frames, content.length - 1).result).toBe(-abi.ZSTD_OVER_CAPACITY);
    expect(fault()).toBeUndefined();
  });

  test.each(["level-1", "level-19", "tiny-window", "empty", "skewed"])(
    "refuses %s cut anywhere",
    (of) => {
      const frames = readZstdVector(of);
      for (let length = 1; length < frames.length; length++) {
        expect(decode(frames.subarray(0, length), 40_000).result).toBe(-abi.ZSTD_TRUNCATED);
      }
    },
  );

  test("reads what our encoder writes", () => {
    const encode = openEncoder(name);
    for (const { input } of smallInputs(randomSeed("zstd decoder"))) {
      for (const level of [1, 2]) expectContent(encode(input, { level }), input);
    }
  });

  test("reads nothing as nothing, and skippable frames as nothing", () => {
    expectContent(new Uint8Array(0), new Uint8Array(0));
    expectContent(skippableFrame(0), new Uint8Array(0));
    const frames = Buffer.concat([skippableFrame(3), frame(1, raw(1)), skippableFrame(3)]);
    expectContent(frames, Uint8Array.of(1));
  });

  test("reads repeated bytes, as blocks and as literals", () => {
    expectContent(frame(200, block(1, 200, [7])), new Uint8Array(200).fill(7));
    expectContent(frame(30, compressed(0xf1, 9, 0)), new Uint8Array(30).fill(9));
    // A dictionary of number 0 is none.
    const none = Uint8Array.of(...MAGIC, 0x21, 0, 1, ...raw(5));
    expectContent(none, Uint8Array.of(5));
  });

  test("repeats near bytes of every distance", () => {
    for (let distance = 1; distance < 16; distance++) {
      const want = painted(40).map((byte, at) => (at < 16 ? byte : 0));
      for (let at = 16; at < 40; at++) want[at] = want[at - distance];
      // 16 raw literals; one sequence of literal code 16 (one extra bit), match code 21 (24 bytes).
      const offset = distance + 3;
      const code = 31 - Math.clz32(offset);
      const stream = (2 << code) | ((offset - (1 << code)) << 1);
      const literals = [16 << 3, ...want.subarray(0, 16)];
      const sequences = [1, 0x54, 16, code, 21, stream];
      expectContent(frame(40, compressed(...literals, ...sequences)), want);
    }
  });

  test.each(BROKEN)("refuses $name", ({ frame: broken, code }) => {
    expect(decode(broken, 1000).result).toBe(-code);
    expect(fault()).toBeUndefined();
  });

  // Where the runtime has Zstandard, its encoder is one more that must be understood.
  const native = (zlib as { zstdCompressSync?: (bytes: Uint8Array) => Uint8Array })
    .zstdCompressSync;
  test("reads what the runtime writes, if it can", () => {
    for (const { input } of native ? smallInputs(1) : [])
      expectContent(native?.(input) ?? input, input);
  });
});
