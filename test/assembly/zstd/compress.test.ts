// The Zstandard encoder against its oracle and against the decoder of node:zlib where there is one:
// round trips of all sizes and patterns, exact capacities, determinism.
import * as zlib from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { zstdDecodeOracle } from "../../oracle/zstd.ts";
import { builds } from "../../support/kernels.ts";
import { memoryLike } from "../../support/lz4-inputs.ts";
import { randomSeed, seededRandom } from "../../support/random.ts";
import {
  anyPiece,
  BLOCK_BYTES,
  FRAME_BYTES,
  largeInputs,
  painted,
  skewed,
  smallInputs,
  textLike,
} from "../../support/zstd-inputs.ts";
import { openEncoder, zstdBound } from "../../support/zstdencoder.ts";

const seed = randomSeed("zstd compress");
/** From Node 22.15 and 23.8 on. */
const { zstdDecompressSync } = zlib as { zstdDecompressSync?: (frame: Uint8Array) => Uint8Array };

describe.each(builds)("zstd compress, $name build", ({ name }) => {
  const encode = openEncoder(name);

  function expectBack(frame: Uint8Array, input: Uint8Array): void {
    expect(frame.length).toBeGreaterThan(0);
    expect(Buffer.compare(zstdDecodeOracle(frame).content, input)).toBe(0);
    if (zstdDecompressSync) expect(Buffer.compare(zstdDecompressSync(frame), input)).toBe(0);
  }

  test.each(smallInputs(seed))("gives $name back", ({ input }) => {
    expectBack(encode(input), input);
  });

  test.each(largeInputs(seed))("gives $name back", ({ input }) => {
    expectBack(encode(input), input);
  });

  test("refuses more than 1 MiB", () => {
    const encodeRaw = () => encode(new Uint8Array(FRAME_BYTES + 1), { capacity: 100 });
    expect(encodeRaw()).toHaveLength(0);
  });

  test("stores noise with 3 bytes per block and what a frame begins with", () => {
    for (const length of [100, 5000, BLOCK_BYTES, BLOCK_BYTES + 1, 300_000]) {
      const input = seededRandom(seed).bytes(length);
      const frame = encode(input);
      const head = length < 256 ? 6 : length < 65792 ? 7 : 9;
      expect(frame.length).toBe(head + 3 * Math.ceil(length / BLOCK_BYTES) + length);
    }
  });

  test("writes a block of one value as a run", () => {
    const input = Uint8Array.from([...painted(BLOCK_BYTES), ...new Uint8Array(2 * BLOCK_BYTES)]);
    const frame = encode(input);
    expect(zstdDecodeOracle(frame).seen.blocks).toEqual(["compressed", "run", "run"]);
    expectBack(frame, input);
  });

  test("forgets what a block that was stored in the end had changed", () => {
    const text = textLike(BLOCK_BYTES, seed);
    const noise = seededRandom(seed).bytes(BLOCK_BYTES);
    // The noise ends with a match that the finder takes and the stored block throws away.
    noise.set(noise.subarray(100, 140), BLOCK_BYTES - 60);
    const input = Buffer.concat([text, noise, text, noise, memoryLike(BLOCK_BYTES, seed), text]);
    const frame = encode(input);
    expect(zstdDecodeOracle(frame).seen.blocks.slice(0, 2)).toEqual(["compressed", "raw"]);
    expectBack(frame, input);
  });

  test("writes the same frame whatever lies in the scratch and around the input", () => {
    const lengths = [4095, 65536, BLOCK_BYTES + 5000];
    for (const input of lengths.flatMap((n) => [memoryLike(n, seed), textLike(n, seed)])) {
      const first = encode(input, { scratchFill: 0, aroundFill: 0 });
      for (const fill of [0x5a, 0xff]) {
        const again = encode(input, { scratchFill: fill, aroundFill: fill });
        expect(Buffer.compare(again, first)).toBe(0);
        const same = encode(input, { scratchFill: fill, aroundFill: input[input.length - 1] });
        expect(Buffer.compare(same, first)).toBe(0);
      }
    }
  });

  test.each([
    { what: "nothing", input: new Uint8Array(0) },
    { what: "one byte", input: Uint8Array.of(7) },
    { what: "memory", input: memoryLike(600, seed) },
    { what: "text", input: textLike(900, seed) },
    { what: "zeros", input: new Uint8Array(700) },
    { what: "noise", input: seededRandom(seed).bytes(600) },
    { what: "skewed noise", input: skewed(1500, seed) },
  ])("uses every capacity it fits in, and no byte more: $what", ({ input }) => {
    const frame = encode(input, { capacity: 4 * BLOCK_BYTES });
    for (let capacity = 0; capacity <= zstdBound(input.length) + 1100; capacity++) {
      const want = capacity < frame.length ? new Uint8Array(0) : frame;
      expect(Buffer.compare(encode(input, { capacity }), want)).toBe(0);
    }
  });

  test("fits a frame of several blocks into its exact size", () => {
    const input = Buffer.concat([
      memoryLike(BLOCK_BYTES, seed),
      seededRandom(seed).bytes(BLOCK_BYTES),
      new Uint8Array(BLOCK_BYTES),
      textLike(BLOCK_BYTES, seed),
      skewed(1000, seed),
    ]);
    const frame = encode(input);
    for (const spare of [0, 1, 500, 1023, 1024, 1027, 1028, BLOCK_BYTES]) {
      const again = encode(input, { capacity: frame.length + spare });
      expect(Buffer.compare(again, frame)).toBe(0);
    }
    for (const short of [1, 2, 3, 4, 500, 1100, BLOCK_BYTES]) {
      expect(encode(input, { capacity: frame.length - short })).toHaveLength(0);
    }
  });

  test("property: what is compressed decompresses to itself", () => {
    fc.assert(
      fc.property(fc.array(anyPiece, { maxLength: 30 }), (pieces) => {
        const input = Buffer.concat(pieces);
        expectBack(encode(input), input);
      }),
      { seed, numRuns: 150 },
    );
  });
});
