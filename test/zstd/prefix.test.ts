// Frames behind a prefix are what the `zstd` command writes and reads with --patch-from: ours are
// read by it, its are read by us.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { PartCodec } from "../../src/replication/partcodec.ts";
import { temporaryFolder } from "../support/folder.ts";
import { memoryLike } from "../support/lz4-inputs.ts";
import { randomSeed, seededRandom } from "../support/random.ts";
import { textLike } from "../support/zstd-inputs.ts";

const seed = randomSeed("zstd --patch-from");
const random = seededRandom(seed);

/** Older and newer content, of which most is the same, some moved. */
function versions(length: number): [Uint8Array, Uint8Array] {
  const older = length % 2 === 0 ? memoryLike(length, seed) : textLike(length, seed);
  const newer = older.slice();
  for (let at = random.int(100); at < length; at += 1 + random.int(2000))
    newer[at] = random.int(256);
  const [from, to, count] = [random.int(length), random.int(length), random.int(length >> 2)];
  newer.set(older.subarray(from, Math.min(length, from + Math.min(count, length - to))), to);
  return [older, newer];
}

function paths(): string[] {
  const folder = temporaryFolder();
  return ["older", "newer", "frame"].map((name) => join(folder, name));
}

const pairs = [64, 333, 4096, 70_001, 131_072, 300_000, 1 << 20].map(versions);

describe("frames behind a prefix", () => {
  const codec = new PartCodec();
  const zstd = (...words: string[]) => execFileSync("zstd", ["-q", "-f", ...words]);

  test("of ours are read by zstd --patch-from", () => {
    const [olderPath, path, framePath] = paths();
    for (const [older, newer] of pairs) {
      const frame = codec.compress(newer, { pieces: [older], olderAt: older.length });
      expect(frame.length).toBeLessThan(newer.length);
      writeFileSync(olderPath, older);
      writeFileSync(framePath, frame);
      zstd("-d", `--patch-from=${olderPath}`, framePath, "-o", path);
      expect(Buffer.compare(readFileSync(path), newer)).toBe(0);
    }
  });

  test.each([1, 3, 9, 19])("of zstd -%i --patch-from are read by us", (level) => {
    const [olderPath, path, framePath] = paths();
    for (const [older, newer] of pairs) {
      writeFileSync(olderPath, older);
      writeFileSync(path, newer);
      zstd(`-${level}`, `--patch-from=${olderPath}`, path, "-o", framePath);
      const prefix = { pieces: [older], olderAt: 0 };
      const found = codec.decompress(readFileSync(framePath), newer.length, "a frame", prefix);
      expect(Buffer.compare(found, newer)).toBe(0);
    }
  });
});
