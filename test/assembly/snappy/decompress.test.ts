// Snappy blocks decoded: every element, its bounds, and hostile ones in a guarded output, judged by
// the oracle. The canary is a decoder with one check missing; the same harness must catch it.
import { describe, expect, test } from "vitest";
import { SNAPPY_SCRATCH_BYTES } from "../../../src/kernels/abi.ts";
import { snappyDecodeOracle } from "../../oracle/snappy.ts";
import { builds, FIRST_FREE_BYTE, openKernels } from "../../support/kernels.ts";
import { memoryLike } from "../../support/lz4-inputs.ts";
import { randomSeed, type SeededRandom, seededRandom } from "../../support/random.ts";

const GUARD = 320;
const LENGTHS = FIRST_FREE_BYTE + SNAPPY_SCRATCH_BYTES;
const SRC = LENGTHS + 64;
const DST = SRC + 8192;
const USABLE_BYTES = DST - FIRST_FREE_BYTE + 16384;
const CASES = 20_000;

type Decode = (src: number, srcLength: number, dst: number, capacity: number) => number;

/** Literals of `n` bytes, however their length has to be written. */
function literal(n: number, lengthBytes = 0): number[] {
  const last = n - 1;
  const more = Array.from({ length: lengthBytes }, (_, i) => (last >>> (8 * i)) & 255);
  const head = lengthBytes === 0 ? [last << 2] : [(59 + lengthBytes) << 2, ...more];
  return [...head, ...Array.from({ length: n }, (_, i) => i & 255)];
}

/** A sound block with a few bytes changed or cut, or plain noise. */
function hostile(sound: Uint8Array, random: SeededRandom): Uint8Array {
  if (random.int(4) === 0) return random.bytes(random.int(200));
  const block = sound.slice(0, random.int(3) === 0 ? random.int(sound.length + 1) : undefined);
  for (let changes = random.int(4); changes > 0 && block.length > 0; changes--) {
    const at = random.int(block.length);
    const choices = [0, 0xff, 0xf0, 0x03, block[at] ^ (1 << random.int(8)), random.int(256)];
    block[at] = choices[random.int(choices.length)];
  }
  return block;
}

describe.each(builds)("snappy decoder, $name build", ({ name }) => {
  const { kernels, bytes } = openKernels(name, USABLE_BYTES);
  const seed = randomSeed("snappy decoder");

  /** What is wrong with how `decode` treats a block, in words; undefined when nothing is. */
  function fault(block: Uint8Array, capacity: number, decode: Decode): string | undefined {
    bytes.fill(0xa5, DST - GUARD, DST + capacity + GUARD);
    // The block ends where memory ends, so that reading on traps.
    const src = bytes.length - block.length;
    bytes.set(block, src);
    let length: number;
    try {
      length = decode(src, block.length, DST, capacity);
    } catch (trap) {
      return `${trap}`;
    }
    const want = snappyDecodeOracle(block, capacity);
    const outside = [
      ...bytes.subarray(DST - GUARD, DST),
      ...bytes.subarray(DST + capacity, DST + capacity + GUARD),
    ];
    if (outside.some((byte) => byte !== 0xa5)) return "wrote outside of the output";
    if (want === undefined ? length >= 0 : length !== want.length) {
      return `returned ${length}, oracle ${want?.length ?? "refuses"}`;
    }
    if (want === undefined) return undefined;
    const isSame = Buffer.compare(want, bytes.subarray(DST, DST + length)) === 0;
    return isSame ? undefined : "other bytes than the oracle's";
  }
  const decode: Decode = (...where) => kernels.snappyDecompress(...where);

  /** The first hostile case that `decoder` gets wrong. */
  function findFault(decoder: Decode): string | undefined {
    const random = seededRandom(seed);
    const sound = [0, 1, 40, 200, 400, 640].map((length, i) => {
      if (length === 0) return Uint8Array.of(0);
      bytes.set(memoryLike(length, seed + i), SRC);
      const end = kernels.snappyPages(SRC, length, 1, DST, LENGTHS, 3, FIRST_FREE_BYTE);
      return bytes.slice(DST, DST + end);
    });
    for (let round = 0; round < CASES; round++) {
      const block = hostile(sound[random.int(sound.length)], random);
      const found = fault(block, random.int(700), decoder);
      if (found !== undefined) return `case ${round}: ${found}`;
    }
    return undefined;
  }

  const LITERAL_8 = literal(8);
  test.each([
    { what: "nothing", block: [0], result: 0 },
    { what: "no size", block: [], result: -1 },
    { what: "a size that goes on", block: [0x80], result: -1 },
    { what: "a size of 6 bytes", block: [0x80, 0x80, 0x80, 0x80, 0x80, 0], result: -4 },
    { what: "a size of 2^32", block: [0x80, 0x80, 0x80, 0x80, 0x10], result: -4 },
    { what: "more than fits", block: [0xc1, 0x3e, 0], result: -2 },
    { what: "60 literals", block: [60, ...literal(60)], result: 60 },
    { what: "61 literals", block: [61, ...literal(61, 1)], result: 61 },
    { what: "300 literals", block: [0xac, 2, ...literal(300, 2)], result: 300 },
    { what: "literals whose length has 3 bytes", block: [8, ...literal(8, 3)], result: 8 },
    { what: "literals whose length has 4 bytes", block: [8, ...literal(8, 4)], result: 8 },
    { what: "2^32 literals", block: [8, 63 << 2, 255, 255, 255, 255, 1], result: -4 },
    { what: "fewer literals than told", block: [9, 8 << 2, 1, 2], result: -1 },
    { what: "half a length", block: [9, 61 << 2, 1], result: -1 },
    { what: "more than told", block: [7, ...LITERAL_8], result: -4 },
    { what: "less than told", block: [9, ...LITERAL_8], result: -4 },
    { what: "a short copy", block: [15, ...LITERAL_8, 0x0d, 8], result: 15 },
    { what: "a copy of a byte", block: [72, ...LITERAL_8, 0xfe, 1, 0], result: 72 },
    { what: "a copy of 3 bytes", block: [28, ...LITERAL_8, 0x4e, 3, 0], result: 28 },
    { what: "a far copy", block: [12, ...LITERAL_8, 0x0f, 8, 0, 0, 0], result: 12 },
    { what: "a copy from before", block: [12, ...LITERAL_8, 0x0e, 9, 0], result: -3 },
    { what: "a copy from here", block: [12, ...LITERAL_8, 0x0e, 0, 0], result: -3 },
    { what: "a copy from far before", block: [12, ...LITERAL_8, 15, 0, 0, 0, 128], result: -3 },
    { what: "a copy that is too long", block: [11, ...LITERAL_8, 0x0e, 8, 0], result: -4 },
    { what: "half a copy", block: [12, ...LITERAL_8, 0x0e, 8], result: -1 },
    { what: "a short copy without distance", block: [12, ...LITERAL_8, 0x01], result: -1 },
    { what: "half a far copy", block: [12, ...LITERAL_8, 0x0f, 8, 0, 0], result: -1 },
  ])("knows $what", ({ block, result }) => {
    const input = Uint8Array.from(block);
    for (const capacity of [result, 700]) {
      if (capacity >= 0) expect(fault(input, capacity, decode)).toBeUndefined();
    }
    bytes.set(input, SRC);
    expect(kernels.snappyDecompress(SRC, input.length, DST, 700)).toBe(result);
  });

  test("agrees with the oracle on every hostile case and writes nothing outside", () => {
    expect(findFault(decode)).toBeUndefined();
  });

  test("canary: a decoder that forgets one check is caught", () => {
    const forgetsCapacity: Decode = (src, srcLength, dst, capacity) => {
      const decoded = snappyDecodeOracle(bytes.slice(src, src + srcLength), capacity + 8);
      if (decoded === undefined) return -1;
      bytes.set(decoded, dst);
      return decoded.length;
    };
    expect(findFault(forgetsCapacity)).toMatch(/^case/);
    const readsOn: Decode = (src, srcLength, dst, capacity) =>
      kernels.snappyDecompress(src, srcLength + 1, dst, capacity);
    expect(findFault(readsOn)).toMatch(/^case/);
  });
});
