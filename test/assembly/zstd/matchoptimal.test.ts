// The match finder of level 2, seen through the frames it leads to: they give any input back, owe
// nothing to what lies around it, and are smaller than those of level 1.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { zstdDecodeOracle } from "../../oracle/zstd.ts";
import { builds } from "../../support/kernels.ts";
import { memoryLike } from "../../support/lz4-inputs.ts";
import { randomSeed, seededRandom } from "../../support/random.ts";
import {
  anyPiece,
  BLOCK_BYTES,
  largeInputs,
  painted,
  smallInputs,
  textLike,
} from "../../support/zstd-inputs.ts";
import { openEncoder } from "../../support/zstdencoder.ts";

const seed = randomSeed("zstd matchoptimal");
const level = 2;

describe.each(builds)("zstd matchoptimal, $name build", ({ name }) => {
  const encode = openEncoder(name);

  function expectBack(frame: Uint8Array, input: Uint8Array): void {
    expect(frame.length).toBeGreaterThan(0);
    expect(Buffer.compare(zstdDecodeOracle(frame).content, input)).toBe(0);
  }

  test.each([...smallInputs(seed), ...largeInputs(seed)])("gives $name back", ({ input }) => {
    expectBack(encode(input, { level }), input);
  });

  test("frames of every size up to 600, cut out of the same bytes, give them back", () => {
    for (const all of [painted(600), memoryLike(600, seed), new Uint8Array(600).fill(9)]) {
      for (let length = 0; length <= all.length; length++) {
        const input = all.subarray(0, length);
        expectBack(encode(input, { level }), input);
      }
    }
  });

  test.each([
    { what: "memory", make: memoryLike },
    { what: "text", make: textLike },
  ])("makes $what smaller than level 1 does", ({ make }) => {
    const input = make(2 * BLOCK_BYTES, seed);
    const small = encode(input, { level });
    expectBack(small, input);
    expect(small.length).toBeLessThan(0.97 * encode(input).length);
  });

  test("takes matches of three bytes", () => {
    // Every word shares its upper three bytes with many others, and nothing longer than these.
    const random = seededRandom(seed);
    const tops = Array.from({ length: 1000 }, () => random.bytes(3));
    const input = random.bytes(40_000);
    for (let at = 0; at < input.length; at += 4) input.set(tops[random.int(1000)], at + 1);
    expect(encode(input, { level }).length).toBeLessThan(0.95 * encode(input).length);
  });

  test("follows a change that comes with three repeat offsets", () => {
    const random = seededRandom(seed);
    const sources = [1, 2, 3].map(() => random.bytes(6000));
    const mixed: Uint8Array[] = [...sources];
    for (let at = 0; at + 30 <= 6000; at += 30) {
      mixed.push(sources[random.int(3)].subarray(at, at + 29), random.bytes(1));
    }
    const input = Buffer.concat(mixed);
    expectBack(encode(input, { level }), input);
    expect(encode(input, { level }).length).toBeLessThan(18_000 + 200 * 4);
  });

  test("finds again what came before noise, through which it hurries", () => {
    const noise = seededRandom(seed).bytes(100_000);
    for (const length of [2000, 5000, 20_000, 100_000]) {
      const input = Buffer.concat([noise.subarray(0, length), noise.subarray(0, 1900)]);
      const frame = encode(input, { level });
      expectBack(frame, input);
      expect(frame.length).toBeLessThan(length + 400);
    }
  });

  test("finds again the end of a long match", () => {
    const random = seededRandom(seed);
    const long = random.bytes(5000);
    const tail = long.subarray(4970);
    const input = Buffer.concat([long, random.bytes(50), long, random.bytes(50), tail]);
    const frame = encode(input, { level });
    expectBack(frame, input);
    expect(frame.length).toBeLessThan(5000 + 100 + 40);
  });

  test("writes the same frame whatever lies in the scratch and around the input", () => {
    const lengths = [4095, 65536, BLOCK_BYTES + 5000];
    for (const input of lengths.flatMap((n) => [memoryLike(n, seed), textLike(n, seed)])) {
      const first = encode(input, { level, scratchFill: 0, aroundFill: 0 });
      for (const fill of [0x5a, 0xff, input[input.length - 1]]) {
        const again = encode(input, { level, scratchFill: fill, aroundFill: fill });
        expect(Buffer.compare(again, first)).toBe(0);
      }
      encode(painted(70_000), { level: 1 });
      expect(Buffer.compare(encode(input, { level }), first)).toBe(0);
    }
  });

  test("property: what is compressed decompresses to itself", () => {
    fc.assert(
      fc.property(fc.array(anyPiece, { maxLength: 30 }), (pieces) => {
        const input = Buffer.concat(pieces);
        expectBack(encode(input, { level }), input);
      }),
      { seed, numRuns: 100 },
    );
  });
});
