// Hostile frames, judged by the real decoder: what it refuses we refuse, what both accept gives the
// same bytes. We refuse more than it in a few ways, each with a code of its own; whether the frame
// is broken then, the slow oracle has to say. The canaries are decoders with a fault; the same
// harness must catch them.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import * as abi from "../../src/kernels/abi.ts";
import { zstdFramesOracle } from "../oracle/zstd.ts";
import { temporaryFolder } from "../support/folder.ts";
import { builds } from "../support/kernels.ts";
import { memoryLike } from "../support/lz4-inputs.ts";
import { randomSeed, seededRandom } from "../support/random.ts";
import { hostileZstd } from "../support/zstd-hostile.ts";
import { painted, skewed, textLike } from "../support/zstd-inputs.ts";
import { readZstdVector, ZSTD_VECTORS } from "../support/zstd-vectors.ts";
import { type Decoded, openDecoder } from "../support/zstddecoder.ts";
import { openEncoder } from "../support/zstdencoder.ts";

const CASES = 3000;
const MAX_BYTES = 600_000;
const seed = randomSeed("zstd decode fuzz");

/**
 * Where RFC 8878 is broken and the real decoder (1.5) may go on: blocks above the limit of a small
 * window, Huffman codes of 12 bits, streams that leave bits or lack some. The command does not
 * look at the window of a small frame, and has no limit of output.
 */
const STRICTER = [
  abi.ZSTD_WINDOW,
  abi.ZSTD_BAD_BLOCK,
  abi.ZSTD_LONG_CODES,
  abi.ZSTD_BAD_LITERALS,
  abi.ZSTD_BAD_BITS,
  abi.ZSTD_OVER_CAPACITY,
];

/** Whether a refusal of what the command accepts is one: the frame is broken, or has no room. */
function isRight(code: number, frames: Uint8Array, content: Uint8Array): boolean {
  if (!STRICTER.includes(code)) return false;
  if (code === abi.ZSTD_OVER_CAPACITY) return content.length > MAX_BYTES;
  try {
    zstdFramesOracle(frames);
    return false;
  } catch {
    return true;
  }
}

/** What the command makes of each frame; undefined where it refuses. */
function realDecoder(frames: readonly Uint8Array[]): (Uint8Array | undefined)[] {
  const folder = temporaryFolder();
  const paths = frames.map((frame, i) => {
    const path = join(folder, `${i}.zst`);
    writeFileSync(path, frame);
    return path;
  });
  for (let i = 0; i < paths.length; i += 500) {
    spawnSync("zstd", ["-d", "-q", "-q", ...paths.slice(i, i + 500)]);
  }
  return paths.map((path) => {
    const out = path.slice(0, -".zst".length);
    return existsSync(out) ? new Uint8Array(readFileSync(out)) : undefined;
  });
}

const sound = ZSTD_VECTORS.map(({ name }) => readZstdVector(name)).filter(
  ({ length }) => length < 9000,
);
const encode = openEncoder("release");
for (const make of [painted, memoryLike, textLike, skewed]) {
  for (const length of [3, 300, 3000, 40_000]) sound.push(encode(make(length, seed)));
}
const random = seededRandom(seed);
const hostile = Array.from({ length: CASES }, () => hostileZstd(sound, random)).filter(
  ({ length }) => length > 0,
);

/** The first case in which a decoder and the real one do not agree, in words. */
function findDisagreement(
  decode: (frames: Uint8Array) => Decoded,
  real: readonly (Uint8Array | undefined)[],
): string | undefined {
  for (const [i, frames] of hostile.entries()) {
    const { result, content } = decode(frames);
    const want = real[i];
    const hex = Buffer.from(frames.subarray(0, 200)).toString("hex");
    if (want === undefined && result >= 0) return `case ${i}: accepted: ${hex}`;
    if (want === undefined) continue;
    if (result >= 0 && Buffer.compare(content, want) !== 0) return `case ${i}: bytes: ${hex}`;
    if (result < 0 && !isRight(-result, frames, want)) return `case ${i}: ${result}: ${hex}`;
  }
  return undefined;
}

describe("hostile frames", () => {
  test("are accepted and refused as by the zstd command, on both builds", () => {
    const real = realDecoder(hostile);
    const accepted = real.filter((content) => content !== undefined).length;
    console.log(`the command accepts ${accepted} of ${hostile.length} frames`);
    expect(accepted).toBeGreaterThan(CASES / 10);
    for (const { name } of builds) {
      const { decode, fault } = openDecoder(name, MAX_BYTES);
      const guarded = (frames: Uint8Array): Decoded => {
        const decoded = decode(frames, MAX_BYTES);
        expect(fault()).toBeUndefined();
        return decoded;
      };
      expect(findDisagreement(guarded, real)).toBeUndefined();
      const forgetful = (frames: Uint8Array): Decoded => {
        const decoded = guarded(frames);
        return decoded.result === -abi.ZSTD_BAD_CHECKSUM ? { ...decoded, result: 0 } : decoded;
      };
      expect(findDisagreement(forgetful, real)).toMatch(/^case \d+: accepted/);
      // Each stricter code, given to one sound frame in eight.
      for (const code of STRICTER) {
        const anxious = (frames: Uint8Array): Decoded => {
          const decoded = guarded(frames);
          const isHit = decoded.result > 0 && frames.length % 8 === 3;
          return isHit ? { ...decoded, result: -code } : decoded;
        };
        expect(findDisagreement(anxious, real)).toMatch(new RegExp(`^case \\d+: -${code}: `));
      }
    }
  });
});
