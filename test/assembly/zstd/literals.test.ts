// Which form the literals of a Zstandard block take: raw, a run, a new code or that of the block
// before, in one stream or four. Round trips of any input are in compress.test.ts.
import { describe, expect, test } from "vitest";
import { type Seen, zstdDecodeOracle } from "../../oracle/zstd.ts";
import { builds } from "../../support/kernels.ts";
import { randomSeed, seededRandom } from "../../support/random.ts";
import { BLOCK_BYTES, skewed } from "../../support/zstd-inputs.ts";
import { openEncoder } from "../../support/zstdencoder.ts";

const seed = randomSeed("zstd literals");
/** For what is chosen by a few bytes: not every content is worth a code. */
const FIXED = 1;

/** No two neighbours of these are ever neighbours again, so there are no matches of 3 bytes. */
function fewValues(length: number, values: readonly number[], salt = 0): Uint8Array {
  const random = seededRandom(seed + salt);
  return Uint8Array.from({ length }, () => values[random.int(values.length)]);
}

describe.each(builds)("zstd literals, $name build", ({ name }) => {
  const encode = openEncoder(name);

  function seenIn(input: Uint8Array): Seen {
    const { content, seen } = zstdDecodeOracle(encode(input));
    expect(Buffer.compare(content, input)).toBe(0);
    return seen;
  }

  test.each([1000, 1023, 1024, 1025, 16383, 16384, BLOCK_BYTES])(
    "codes %i literals, in four streams from 1024 on",
    (length) => {
      const { literals, streams } = seenIn(skewed(length, seed));
      expect(literals).toEqual(["compressed"]);
      expect(streams).toEqual([length < 1024 ? 1 : 4]);
    },
  );

  test("gives words of 11 bits to counts that ask for longer ones", () => {
    // Fibonacci's numbers make the deepest trees: here one of 20 levels.
    const values: number[] = [];
    let [a, b] = [1, 1];
    for (let value = 0; value < 21; value++) {
      for (let i = 0; i < a; i++) values.push(value * 12);
      [a, b] = [b, a + b];
    }
    const random = seededRandom(seed);
    for (let i = values.length - 1; i > 0; i--) {
      const j = random.int(i + 1);
      [values[i], values[j]] = [values[j], values[i]];
    }
    expect(seenIn(Uint8Array.from(values)).literals).toEqual(["compressed"]);
  });

  test("repeats the code of the block before when a new one would not pay", () => {
    const first = skewed(BLOCK_BYTES, FIXED);
    const second = skewed(100, FIXED + 1);
    const { literals } = seenIn(Uint8Array.from([...first, ...second]));
    expect(literals).toEqual(["compressed", "treeless"]);
  });

  test("makes a new code when the one before lacks a value", () => {
    const first = Uint8Array.from(skewed(BLOCK_BYTES, seed), (byte) => byte >> 1);
    const second = Uint8Array.from(skewed(BLOCK_BYTES, seed + 1), (byte) => 255 - byte);
    const { literals } = seenIn(Uint8Array.from([...first, ...second]));
    expect(literals).toEqual(["compressed", "compressed"]);
  });

  test("keeps the code over a block without one", () => {
    const first = skewed(BLOCK_BYTES, FIXED);
    const noise = seededRandom(FIXED).bytes(BLOCK_BYTES);
    const zeros = new Uint8Array(BLOCK_BYTES);
    const { blocks, literals } = seenIn(
      Buffer.concat([first, noise, zeros, skewed(200, FIXED + 1)]),
    );
    expect(blocks).toEqual(["compressed", "raw", "run", "compressed"]);
    expect(literals).toEqual(["compressed", "treeless"]);
  });

  test("stores literals of which all values are about as frequent", () => {
    const noise = seededRandom(seed).bytes(2000);
    const { literals } = seenIn(Buffer.concat([noise, new Uint8Array(2000), noise]));
    expect(literals).toEqual(["raw"]);
  });

  test.each([
    [2, 300],
    [3, 2000],
    [16, 5000],
    [128, 40_000],
    [129, 40_000],
    [130, 40_000],
    [200, 60_000],
    [255, 60_000],
    [256, 60_000],
  ])("codes or stores %i values of equal chances, %i times", (values, length) => {
    for (const last of [values - 1, 255]) {
      const list = Array.from({ length: values - 1 }, (_, value) => value);
      seenIn(fewValues(length, [...list, last]));
    }
  });

  test("describes weights that are all the same, and codes with a single frequent value", () => {
    for (let most = 1; most <= 256; most *= 2) {
      for (const values of [2, 3, 5, 100, 129, 193, 200]) {
        const list = Array.from({ length: values }, (_, value) => value);
        seenIn(fewValues(20_000, [...list, ...Array(most).fill(255)], most));
      }
    }
  });
});
