// Every frame we write is read by the `zstd` command and gives the same bytes. Frames are handed
// over one behind the other, since a process for each would take most of the time.
import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { builds } from "../support/kernels.ts";
import { memoryLike } from "../support/lz4-inputs.ts";
import { randomSeed, seededRandom } from "../support/random.ts";
import {
  anyPiece,
  largeInputs,
  runFilled,
  skewed,
  smallInputs,
  textLike,
} from "../support/zstd-inputs.ts";
import { openEncoder } from "../support/zstdencoder.ts";

const seed = randomSeed("zstd command");
const MAX_OUTPUT = 1 << 30;

/** What the command makes of frames that lie one behind the other. */
function decodeAll(frames: readonly Uint8Array[]): Uint8Array {
  const input = Buffer.concat(frames);
  const { status, stdout, stderr, error } = spawnSync("zstd", ["-d", "-c", "-q"], {
    input,
    maxBuffer: MAX_OUTPUT,
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`zstd -d: ${status}: ${stderr}`);
  return stdout;
}

describe.each(builds)("frames of the $name build, read by zstd", ({ name }) => {
  const encode = openEncoder(name);

  function expectBack(inputs: readonly Uint8Array[], level: number): void {
    const frames = inputs.map((input) => encode(input, { level }));
    expect(Buffer.compare(decodeAll(frames), Buffer.concat(inputs))).toBe(0);
  }

  test.each([1, 2])("level %i: all edges of all patterns", (level) => {
    const all = [...smallInputs(seed), ...largeInputs(seed)];
    expectBack(
      all.map(({ input }) => input),
      level,
    );
  });

  test.each([1, 2])("level %i: every size up to 600, and random ones beyond", (level) => {
    const random = seededRandom(seed);
    const inputs: Uint8Array[] = [];
    for (let length = 0; length < 600; length++) {
      inputs.push(memoryLike(length, length), textLike(length, length), skewed(length, length));
    }
    for (let i = 0; i < 100; i++) {
      const length = random.int(1 << (10 + random.int(11)));
      inputs.push(memoryLike(length, i), runFilled(length, i), textLike(length, i));
    }
    expectBack(inputs, level);
  });

  test.each([1, 2])("level %i, property: what is compressed decompresses to itself", (level) => {
    const input = fc.array(anyPiece, { maxLength: 20 }).map((pieces) => Buffer.concat(pieces));
    fc.assert(
      fc.property(fc.array(input, { minLength: 50, maxLength: 100 }), (inputs) => {
        expectBack(inputs, level);
      }),
      { seed, numRuns: 5 },
    );
  });
});
