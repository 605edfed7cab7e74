// Hostile frames for the Zstandard decoder: mutated, cut and joined ones in a guarded output. What
// the slow oracle accepts must give the same bytes. The canaries are decoders with a fault, which
// the same harness must catch. Whether what both refuse is rightly refused is for the real decoder
// to say: test/zstd/.
import { describe, expect, test } from "vitest";
import { ZSTD_BAD_CODES, ZSTD_OVER_CAPACITY, ZSTD_WINDOW } from "../../../src/kernels/abi.ts";
import { zstdFramesOracle } from "../../oracle/zstd.ts";
import { builds } from "../../support/kernels.ts";
import { memoryLike } from "../../support/lz4-inputs.ts";
import { randomSeed, type SeededRandom, seededRandom } from "../../support/random.ts";
import { hostileZstd } from "../../support/zstd-hostile.ts";
import { painted, skewed, textLike } from "../../support/zstd-inputs.ts";
import { readZstdVector, ZSTD_VECTORS } from "../../support/zstd-vectors.ts";
import { type Decoded, type OpenDecoder, openDecoder } from "../../support/zstddecoder.ts";
import { openEncoder } from "../../support/zstdencoder.ts";

const CASES = 6000;
const MAX_BYTES = 20_000;
/** Frames of the vectors with more content would keep the oracle busy. */
const MAX_VECTOR_BYTES = 5000;
const seed = randomSeed("zstd fuzz");
const vectors = ZSTD_VECTORS.filter((vector) => vector.content().length <= MAX_VECTOR_BYTES);

function oracleSays(frame: Uint8Array): Uint8Array | undefined {
  try {
    return zstdFramesOracle(frame);
  } catch {
    return undefined;
  }
}

/** The first case that a decoder gets wrong, in words; undefined when it got all of them right. */
function findFault(
  decoder: OpenDecoder,
  sound: readonly Uint8Array[],
  random: SeededRandom,
): string | undefined {
  for (let round = 0; round < CASES; round++) {
    const frame = hostileZstd(sound, random);
    const capacity = random.int(MAX_BYTES);
    let decoded: Decoded;
    try {
      decoded = decoder.decode(frame, capacity);
    } catch (trap) {
      return `case ${round}: ${trap}`;
    }
    const outside = decoder.fault();
    if (outside !== undefined) return `case ${round}: ${outside}`;
    const { result, content } = decoded;
    if (result > capacity) return `case ${round}: ${result} bytes in ${capacity}`;
    const want = oracleSays(frame);
    if (want === undefined) continue;
    // The oracle has no limits, and does not ask for a pair of longest codes.
    const isLimit = [ZSTD_OVER_CAPACITY, ZSTD_WINDOW, ZSTD_BAD_CODES].includes(-result);
    if (result < 0 && !isLimit) return `case ${round}: ${result}, the oracle accepts`;
    if (result === -ZSTD_OVER_CAPACITY && want.length <= capacity) return `case ${round}: no room`;
    if (result >= 0 && Buffer.compare(content, want) !== 0) return `case ${round}: other bytes`;
  }
  return undefined;
}

describe.each(builds)("zstd decoder under fire, $name build", ({ name }) => {
  const decoder = openDecoder(name, MAX_BYTES);
  const encode = openEncoder(name);
  const own = [3, 300, 1200, 5000].flatMap((length) =>
    [painted, memoryLike, textLike, skewed].flatMap((make) =>
      [1, 2].map((level) => encode(make(length, seed), { level })),
    ),
  );

  const sound = [...own, ...vectors.map((vector) => readZstdVector(vector.name))];

  test("writes nothing outside, and agrees with the oracle", () => {
    expect(findFault(decoder, sound, seededRandom(seed))).toBeUndefined();
  });

  test("canary: decoders that forget something are caught", () => {
    const forgetsCapacity: OpenDecoder = {
      decode: (frame) => decoder.decode(frame, MAX_BYTES),
      fault: decoder.fault,
    };
    expect(findFault(forgetsCapacity, sound, seededRandom(seed))).toMatch(/^case/);
    const readsLess: OpenDecoder = {
      decode: (frame, capacity) => decoder.decode(frame.subarray(0, -1), capacity),
      fault: decoder.fault,
    };
    expect(findFault(readsLess, sound, seededRandom(seed))).toMatch(/^case/);
  });
});

test("the oracle reads what the zstd command has written", () => {
  for (const { name, content } of ZSTD_VECTORS) {
    const wanted = content();
    if (wanted.length > 300_000) continue;
    const same = Buffer.compare(zstdFramesOracle(readZstdVector(name)), wanted) === 0;
    expect(`${name} ${same}`).toBe(`${name} true`);
  }
});
