// What the match finder of level 1 finds, seen through the frames it leads to. That they give any
// input back, whatever lies around it, is said in compress.test.ts.
import { describe, expect, test } from "vitest";
import { zstdDecodeOracle } from "../../oracle/zstd.ts";
import { builds } from "../../support/kernels.ts";
import { memoryLike } from "../../support/lz4-inputs.ts";
import { randomSeed, seededRandom } from "../../support/random.ts";
import { BLOCK_BYTES, FRAME_BYTES, painted } from "../../support/zstd-inputs.ts";
import { openEncoder } from "../../support/zstdencoder.ts";

const seed = randomSeed("zstd matchfast");
/** What a frame of one or two sequences takes beyond its literals, at most. */
const FRAME_EXTRA = 40;

describe.each(builds)("zstd matchfast, $name build", ({ name }) => {
  const encode = openEncoder(name);

  /** The size of the frame, which gives the input back. */
  function size(...pieces: Uint8Array[]): number {
    const input = Buffer.concat(pieces);
    const frame = encode(input);
    expect(Buffer.compare(zstdDecodeOracle(frame).content, input)).toBe(0);
    return frame.length;
  }

  test.each([
    { what: "next to it", gap: 0 },
    { what: "across a block", gap: BLOCK_BYTES },
    { what: "across the frame", gap: FRAME_BYTES - 2000 },
  ])("finds a copy of noise $what", ({ gap }) => {
    const noise = seededRandom(seed).bytes(1000);
    expect(size(noise, new Uint8Array(gap), noise)).toBeLessThan(1100 + gap / 500);
  });

  test("finds the same distance again behind a few changed bytes", () => {
    const noise = seededRandom(seed).bytes(60_000);
    const edited = Uint8Array.from(noise);
    for (let at = 7; at < edited.length; at += 16) edited[at] ^= 0x55;
    // Each sequence has one literal and the last offset: a few bits each for lengths that recur.
    expect(size(noise, edited)).toBeLessThan(noise.length + noise.length / 8);
  });

  test("swaps the first two offsets where no literals lie between two matches", () => {
    const random = seededRandom(seed);
    const [a, b] = [random.bytes(4000), random.bytes(4000)];
    const mixed: Uint8Array[] = [];
    for (let at = 0; at < 4000; at += 40) {
      mixed.push(a.subarray(at, at + 20), b.subarray(at + 20, at + 40));
    }
    expect(size(a, b, ...mixed)).toBeLessThan(8000 + 100 * 12);
  });

  test("gives up no match at the frame's first bytes, and takes none before them", () => {
    const noise = seededRandom(seed).bytes(300);
    expect(size(noise, noise)).toBeLessThan(300 + FRAME_EXTRA);
    const ones = new Uint8Array(700).fill(1);
    for (const aroundFill of [0, 1]) {
      const frame = encode(ones, { aroundFill });
      expect(Buffer.compare(zstdDecodeOracle(frame).content, ones)).toBe(0);
    }
  });

  test("frames of every size up to 600, cut out of the same bytes, give them back", () => {
    for (const all of [painted(600), memoryLike(600, seed), new Uint8Array(600).fill(9)]) {
      for (let length = 0; length <= all.length; length++) size(all.subarray(0, length));
    }
  });

  test("owes nothing to the frames before", () => {
    const inputs = [900, 9000, 70_000, 3 * BLOCK_BYTES].map((n) => memoryLike(n, seed + n));
    const alone = inputs.map((input) => Buffer.from(encode(input, { scratchFill: 0 })));
    for (const [i, first] of inputs.entries()) {
      for (const [j, second] of inputs.entries()) {
        expect(Buffer.compare(encode(first), alone[i])).toBe(0);
        expect(Buffer.compare(encode(second), alone[j])).toBe(0);
      }
    }
  });
});
