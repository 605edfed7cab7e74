// The LZ4 kernel against its oracle, on both builds: round trips, the rules for the end of a
// block, exact capacities, frozen blocks. The hostile input stands in lz4.fuzz.test.ts.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LZ4_SCRATCH_BYTES } from "../../src/kernels/abi.ts";
import { lz4DecodeOracle, lz4EncodeOracle, lz4Matches } from "../oracle/lz4.ts";
import { builds, FIRST_FREE_BYTE, openKernels } from "../support/kernels.ts";
import { lz4Inputs, lz4VectorInputs, memoryLike } from "../support/lz4-inputs.ts";
import { randomSeed, seededRandom } from "../support/random.ts";
import vectors from "../vectors/lz4.json" with { type: "json" };

const MAX_INPUT = 65536;
const GUARD = 64;
const SCRATCH = FIRST_FREE_BYTE;
const SRC = SCRATCH + LZ4_SCRATCH_BYTES;
const DST = SRC + MAX_INPUT + 1024 + GUARD;
const USABLE_BYTES = DST - FIRST_FREE_BYTE + 2 * MAX_INPUT;
const seed = randomSeed("lz4");

/** The longest block that `length` bytes can make. */
function bound(length: number): number {
  return length + Math.floor(length / 255) + 16;
}

describe.each(builds)("lz4, $name build", ({ name }) => {
  const { kernels, bytes } = openKernels(name, USABLE_BYTES);

  /** Both write into a guarded output; undefined stands for "does not fit" and "refused". */
  function guarded(capacity: number, write: () => number): Uint8Array | undefined {
    bytes.fill(0xa5, DST - GUARD, DST + capacity + GUARD);
    const length = write();
    expect(length).toBeLessThanOrEqual(capacity);
    const outside = [
      ...bytes.subarray(DST - GUARD, DST),
      ...bytes.subarray(DST + capacity, DST + capacity + GUARD),
    ];
    expect(outside.every((byte) => byte === 0xa5)).toBe(true);
    return length < 0 ? undefined : bytes.slice(DST, DST + length);
  }
  function compress(input: Uint8Array, capacity = bound(input.length)): Uint8Array {
    bytes.set(input, SRC);
    const write = () => kernels.lz4Compress(SRC, input.length, DST, capacity, SCRATCH);
    return guarded(capacity, write) as Uint8Array;
  }
  function decompress(block: Uint8Array, capacity: number): Uint8Array | undefined {
    bytes.set(block, SRC);
    return guarded(capacity, () => kernels.lz4Decompress(SRC, block.length, DST, capacity));
  }
  function equal(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
    return a === undefined || b === undefined ? a === b : Buffer.compare(a, b) === 0;
  }

  test.each(lz4Inputs(seed))("gives $name back, as its oracle does", ({ input }) => {
    const block = compress(input);
    expect(block.length).toBeGreaterThan(0);
    expect(equal(decompress(block, input.length), input)).toBe(true);
    expect(equal(lz4DecodeOracle(block, input.length), input)).toBe(true);
    expect(equal(decompress(lz4EncodeOracle(input), input.length), input)).toBe(true);
    for (const { start, end } of lz4Matches(block)) {
      expect(start).toBeLessThanOrEqual(input.length - 12);
      expect(end).toBeLessThanOrEqual(input.length - 5);
    }
  });

  test("refuses more than 64 KiB", () => {
    expect(kernels.lz4Compress(SRC, MAX_INPUT + 1, DST, 2 * MAX_INPUT, SCRATCH)).toBe(0);
  });

  test("writes the same block whatever lies in the scratch and before the input", () => {
    const input = memoryLike(4096, seed);
    const first = compress(input);
    bytes.fill(0x5a, SCRATCH, SRC);
    expect(equal(compress(input), first)).toBe(true);
  });

  test.each([
    { what: "memory", input: memoryLike(600, seed) },
    { what: "zeros", input: new Uint8Array(3000) },
    { what: "noise", input: seededRandom(seed).bytes(600) },
    {
      what: "noise before zeros",
      input: Uint8Array.from([...seededRandom(seed).bytes(300), ...new Uint8Array(700)]),
    },
  ])("uses every capacity it fits in, and no byte more: $what", ({ input }) => {
    const block = compress(input);
    for (let capacity = 0; capacity <= bound(input.length); capacity++) {
      const want = capacity < block.length ? new Uint8Array(0) : block;
      expect(equal(compress(input, capacity), want)).toBe(true);
    }
    for (let capacity = 0; capacity <= input.length + 40; capacity++) {
      const want = capacity < input.length ? undefined : input;
      expect(equal(decompress(block, capacity), want)).toBe(true);
    }
  });

  test("copies every distance and length that shares bytes with itself", () => {
    for (let distance = 1; distance <= 40; distance++) {
      const literals = seededRandom(distance).bytes(distance);
      for (let length = 24; length <= 90; length++) {
        const input = Uint8Array.from(
          { length: distance + length },
          (_, at) => literals[at % distance],
        );
        const block = lz4EncodeOracle(input);
        expect(equal(decompress(block, input.length), input)).toBe(true);
        expect(equal(decompress(block, input.length + 64), input)).toBe(true);
      }
    }
  });

  test("property: what is compressed decompresses to itself, within the bound", () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.tuple(fc.nat(255), fc.nat(300)).map(([byte, n]) => new Uint8Array(n).fill(byte)),
      fc.tuple(fc.nat(3), fc.nat(200)).map(([s, n]) => memoryLike(n * 8, s)),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const input = Uint8Array.from(pieces.flatMap((p) => [...p]));
        const block = compress(input);
        expect(block.length).toBeGreaterThan(0);
        expect(equal(decompress(block, input.length), input)).toBe(true);
      }),
      { seed, numRuns: 300 },
    );
  });

  test.each(lz4VectorInputs())("still writes the frozen block of $name", ({ name, input }) => {
    const frozen = vectors.find((vector) => vector.name === name);
    expect(Buffer.from(compress(input)).toString("hex")).toBe(frozen?.block);
  });
});
