// The kernel that compresses as libsnappy does, against what releases of libsnappy made of the same
// inputs (vectors/snappy.json), on both builds.
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { SNAPPY_SCRATCH_BYTES } from "../../../src/kernels/abi.ts";
import { SNAPPY_RELEASES, type SnappyRelease } from "../../../src/kernels/snappy.ts";
import { snappyDecodeOracle } from "../../oracle/snappy.ts";
import { anyDeflateInput, deflateInputs } from "../../support/deflate-inputs.ts";
import { builds, FIRST_FREE_BYTE, openKernels } from "../../support/kernels.ts";
import { memoryLike } from "../../support/lz4-inputs.ts";
import { randomSeed } from "../../support/random.ts";
import vectors from "../../vectors/snappy.json" with { type: "json" };

const MAX_BYTES = 1 << 17;
const GUARD = 64;
const SCRATCH = FIRST_FREE_BYTE;
const LENGTHS = SCRATCH + SNAPPY_SCRATCH_BYTES;
const SRC = LENGTHS + 4096;
const DST = SRC + MAX_BYTES + GUARD;
const seed = randomSeed("snappy");
const releases = Object.entries(SNAPPY_RELEASES);
const releaseOf: Readonly<Record<string, SnappyRelease>> = SNAPPY_RELEASES;

describe.each(builds)("snappy, $name build", ({ name }) => {
  const { kernels, bytes, view } = openKernels(name, DST + 2 * MAX_BYTES);

  /** The blocks of all pages of `pageBytes` in `input`. */
  function blocks(input: Uint8Array, release: SnappyRelease, pageBytes = input.length) {
    const count = input.length / pageBytes;
    const capacity = count * (pageBytes + Math.ceil(pageBytes / 6) + 64);
    bytes.set(input, SRC);
    bytes.fill(0xa5, DST - GUARD, DST + capacity + GUARD);
    const total = kernels.snappyPages(SRC, pageBytes, count, DST, LENGTHS, release, SCRATCH);
    const outside = [
      ...bytes.subarray(DST - GUARD, DST),
      ...bytes.subarray(DST + capacity, DST + capacity + GUARD),
    ];
    expect(outside.every((byte) => byte === 0xa5)).toBe(true);
    let at = DST;
    const made = Array.from({ length: count }, (_, page) => {
      const length = view.getUint32(LENGTHS + 4 * page, true);
      at += length;
      return bytes.slice(at - length, at);
    });
    expect(at - DST).toBe(total);
    return made;
  }

  test.each(vectors.releases)("makes what libsnappy $release made", ({ release, blocks: made }) => {
    const found = deflateInputs(vectors.seed).map(({ name, input }) => {
      const [block] = blocks(input, releaseOf[release]);
      const sha256 = createHash("sha256").update(block).digest("hex").slice(0, 8);
      return `${name}: ${block.length} ${sha256}`;
    });
    expect(found).toEqual(made);
  });

  test.each(releases)("makes of anything what can be read, as %s", (_, release) => {
    for (let i = 0; i < 20; i++) {
      const input = anyDeflateInput(seed + i);
      const content = snappyDecodeOracle(blocks(input, release)[0], input.length);
      expect(content !== undefined && Buffer.compare(content, input) === 0).toBe(true);
    }
  });

  test.each(releases)("finds nothing in the pages before, as %s", (_, release) => {
    const pages = memoryLike(20 * 4096, seed);
    const alone = Array.from(
      { length: 20 },
      (_, i) => blocks(pages.subarray(i * 4096, (i + 1) * 4096), release)[0],
    );
    bytes.fill(0x5a, SCRATCH, LENGTHS);
    expect(Buffer.compare(Buffer.concat(blocks(pages, release, 4096)), Buffer.concat(alone))).toBe(
      0,
    );
  });
});
