// Which tables the sequences of a Zstandard block are written with, and the codes of the longest
// lengths. Modes read "literal lengths, offsets, match lengths": 0 predefined, 1 a single code,
// 2 described, 3 repeated. Round trips of any input are in compress.test.ts.
import { describe, expect, test } from "vitest";
import { type Seen, zstdDecodeOracle } from "../../oracle/zstd.ts";
import { builds } from "../../support/kernels.ts";
import { memoryLike } from "../../support/lz4-inputs.ts";
import { randomSeed, seededRandom } from "../../support/random.ts";
import { BLOCK_BYTES, FRAME_BYTES, textLike } from "../../support/zstd-inputs.ts";
import { openEncoder } from "../../support/zstdencoder.ts";

const seed = randomSeed("zstd sequences");

describe.each(builds)("zstd sequences, $name build", ({ name }) => {
  const encode = openEncoder(name);

  function seenIn(input: Uint8Array): Seen {
    const { content, seen } = zstdDecodeOracle(encode(input));
    expect(Buffer.compare(content, input)).toBe(0);
    return seen;
  }

  test("takes predefined tables for a few sequences", () => {
    expect(seenIn(Buffer.from("abcdefgh, abcdefgh; 12345678 abcdefgh 12345678")).modes).toEqual([
      "000",
    ]);
  });

  test("describes tables of its own for many", () => {
    const { modes } = seenIn(memoryLike(60_000, seed));
    expect(modes).toEqual(["222"]);
  });

  test("names a code once when all sequences have it", () => {
    // 12 new bytes, then zeros: one length of literals, one of matches, one distance. The last of
    // the new bytes is never the same, or it would belong to a match.
    const random = seededRandom(seed);
    const newBytes = (last: number) => [...random.bytes(11).map((byte) => byte | 1), last];
    const zeros = Array(50).fill(0);
    const parts = Array.from({ length: 200 }, (_, i) => [...newBytes(i + 1), ...zeros]);
    const { modes } = seenIn(Uint8Array.from(parts.flat()));
    expect(modes[0]).toMatch(/1/);
  });

  test("repeats the tables of the block before when they still fit", () => {
    const text = textLike(BLOCK_BYTES + 3000, seed);
    const { modes } = seenIn(text);
    expect(modes).toHaveLength(2);
    expect(modes[1]).toMatch(/3/);
  });

  test("writes matches and literals as long as a block", () => {
    const noise = seededRandom(seed).bytes(BLOCK_BYTES);
    const zeros = new Uint8Array(BLOCK_BYTES - 1);
    seenIn(Buffer.concat([noise, noise, noise]));
    seenIn(Uint8Array.from([1, ...zeros]));
    seenIn(Uint8Array.from([...zeros, 1]));
    for (const length of [65_535, 65_538, 65_539, 65_540, 131_000]) {
      seenIn(
        Uint8Array.from([...noise.subarray(0, BLOCK_BYTES - length), ...zeros.subarray(0, length)]),
      );
      seenIn(Buffer.concat([noise, noise.subarray(0, length)]));
      seenIn(Buffer.concat([noise.subarray(0, length), zeros]).subarray(0, BLOCK_BYTES));
    }
  });

  test("reaches back to the first byte of the largest frame", () => {
    const noise = seededRandom(seed).bytes(FRAME_BYTES - 300);
    seenIn(Buffer.concat([noise, noise.subarray(0, 300)]));
    seenIn(Buffer.concat([noise.subarray(0, 900_000), noise.subarray(0, 140_000)]));
  });

  test("writes as many sequences as small counts, and more than two bytes of them tell", () => {
    const random = seededRandom(seed);
    const word = (value: number) => [value & 255, value >> 8, 17, 99, 3];
    for (const count of [1, 2, 3, 126, 127, 128, 129, 5000, 26_000]) {
      const known = Array.from({ length: 40 }, (_, value) => word(value * 777));
      const parts = Array.from({ length: count }, () => known[random.int(40)]);
      seenIn(Uint8Array.from([...known.flat(), ...parts.flat()]));
    }
  });
});
