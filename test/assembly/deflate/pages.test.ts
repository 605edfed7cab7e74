// The kernel that compresses as zlib does, against pako (a port of zlib) and against what zlib
// itself made of the same inputs (vectors/zlib.json), on both builds.
import { createHash } from "node:crypto";
import { inflateSync } from "node:zlib";
import fc from "fast-check";
import { deflate } from "pako";
import { describe, expect, test } from "vitest";
import { ZLIB_SCRATCH_BYTES } from "../../../src/kernels/abi.ts";
import { anyDeflateInput, deflateInputs } from "../../support/deflate-inputs.ts";
import { builds, FIRST_FREE_BYTE, openKernels } from "../../support/kernels.ts";
import { memoryLike } from "../../support/lz4-inputs.ts";
import { randomSeed, seededRandom } from "../../support/random.ts";
import vectors from "../../vectors/zlib.json" with { type: "json" };

const MAX_BYTES = 1 << 17;
const GUARD = 64;
const SCRATCH = FIRST_FREE_BYTE;
const LENGTHS = SCRATCH + ZLIB_SCRATCH_BYTES;
const SRC = LENGTHS + 4096 + GUARD;
const DST = SRC + MAX_BYTES + GUARD;
/** Chromium's zlib, of Node as well, hashes otherwise and finds other matches. */
const ZLIB = { level: 1, legacyHash: true } as const;
const seed = randomSeed("deflate");

describe.each(builds)("deflate, $name build", ({ name }) => {
  const { kernels, bytes, view } = openKernels(name, DST + 2 * MAX_BYTES);

  /** The streams of all pages of `pageBytes` in `input`. */
  function streams(input: Uint8Array, pageBytes = input.length): Uint8Array[] {
    const count = input.length / pageBytes;
    const capacity = count * (pageBytes + Math.ceil(pageBytes / 8) + 64);
    bytes.set(input, SRC);
    bytes.fill(0xa5, DST - GUARD, DST + capacity + GUARD);
    const total = kernels.zlibPages(SRC, pageBytes, count, DST, LENGTHS, SCRATCH);
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

  function expectAsZlib(input: Uint8Array): void {
    const [stream] = streams(input);
    expect(Buffer.compare(stream, deflate(input, ZLIB))).toBe(0);
  }

  test.each(deflateInputs(seed))("makes of $name what pako makes, and it can be read", (one) => {
    expectAsZlib(one.input);
    expect(Buffer.compare(inflateSync(streams(one.input)[0]), one.input)).toBe(0);
  });

  test("makes of anything what pako makes", () => {
    const seeds = fc.integer({ min: 0, max: 2 ** 32 - 1 });
    const same = (any: number) => expectAsZlib(anyDeflateInput(any));
    fc.assert(fc.property(seeds, same), { seed, numRuns: 60 });
  });

  test("makes what zlib itself made", () => {
    const found = deflateInputs(vectors.seed).map(({ name, input }) => {
      const [stream] = streams(input);
      const sha256 = createHash("sha256").update(stream).digest("hex").slice(0, 16);
      return { name, bytes: stream.length, sha256 };
    });
    expect(found).toEqual(vectors.streams);
  });

  test("finds nothing in the pages before, however they lie", () => {
    const page = memoryLike(4096, seed);
    const pages = new Uint8Array(20 * 4096);
    for (let i = 0; i < 20; i++)
      pages.set(i % 3 === 2 ? seededRandom(i).bytes(4096) : page, i * 4096);
    for (const [i, stream] of streams(pages, 4096).entries()) {
      const wanted = deflate(pages.subarray(i * 4096, (i + 1) * 4096), ZLIB);
      expect(Buffer.compare(stream, wanted)).toBe(0);
    }
  });

  test("makes the same whatever lies in the scratch and behind the page", () => {
    const input = memoryLike(4000, seed);
    bytes.fill(0, SCRATCH, LENGTHS);
    const [first] = streams(input);
    bytes.fill(0x5a, SCRATCH, LENGTHS);
    bytes.set(input.subarray(-64), SRC + input.length);
    expect(Buffer.compare(streams(input)[0], first)).toBe(0);
  });
});
