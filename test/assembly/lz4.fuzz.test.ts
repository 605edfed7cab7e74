// Hostile blocks for the LZ4 decoder: mutated, cut and random bytes in a guarded output, judged by
// the oracle. The canary is a decoder with one check missing; the same harness must catch it.
import { describe, expect, test } from "vitest";
import { LZ4_SCRATCH_BYTES } from "../../src/kernels/abi.ts";
import { lz4DecodeOracle } from "../oracle/lz4.ts";
import { builds, FIRST_FREE_BYTE, openKernels } from "../support/kernels.ts";
import { memoryLike } from "../support/lz4-inputs.ts";
import { randomSeed, type SeededRandom, seededRandom } from "../support/random.ts";

const GUARD = 320;
const SRC = FIRST_FREE_BYTE + LZ4_SCRATCH_BYTES;
const DST = SRC + 8192;
const USABLE_BYTES = DST - FIRST_FREE_BYTE + 16384;
const CASES = 20_000;

type Decode = (src: number, srcLength: number, dst: number, capacity: number) => number;

/** The first case that `decode` gets wrong, in words; undefined when it got all of them right. */
function findFault(
  bytes: Uint8Array,
  decode: Decode,
  blocks: Uint8Array[],
  random: SeededRandom,
): string | undefined {
  for (let round = 0; round < CASES; round++) {
    const block = hostile(blocks[random.int(blocks.length)], random);
    const capacity = random.int(700);
    bytes.fill(0xa5, DST - GUARD, DST + capacity + GUARD);
    // The block ends where memory ends, so that reading on traps.
    const src = bytes.length - block.length;
    bytes.set(block, src);
    let length: number;
    try {
      length = decode(src, block.length, DST, capacity);
    } catch (trap) {
      return `case ${round}: ${trap}`;
    }
    const want = lz4DecodeOracle(block, capacity);
    for (let at = 1; at <= GUARD; at++) {
      if (bytes[DST - at] !== 0xa5) return `case ${round}: wrote ${at} bytes before the output`;
      if (bytes[DST + capacity + at - 1] !== 0xa5)
        return `case ${round}: wrote ${at} bytes past it`;
    }
    if (want === undefined ? length >= 0 : length !== want.length) {
      return `case ${round}: returned ${length}, oracle ${want?.length ?? "refuses"}`;
    }
    if (want !== undefined && Buffer.compare(want, bytes.subarray(DST, DST + length)) !== 0) {
      return `case ${round}: other bytes than the oracle's`;
    }
  }
  return undefined;
}

/** A sound block with a few bytes changed or cut, or plain noise. */
function hostile(sound: Uint8Array, random: SeededRandom): Uint8Array {
  if (random.int(4) === 0) return random.bytes(random.int(200));
  const block = sound.slice(0, random.int(3) === 0 ? random.int(sound.length + 1) : undefined);
  for (let changes = random.int(4); changes > 0 && block.length > 0; changes--) {
    const at = random.int(block.length);
    block[at] = [0, 0xff, 0xf0, 0x0f, block[at] ^ (1 << random.int(8)), random.int(256)][
      random.int(6)
    ];
  }
  return block;
}

describe.each(builds)("lz4 decoder under fire, $name build", ({ name }) => {
  const { kernels, bytes } = openKernels(name, USABLE_BYTES);
  const seed = randomSeed("lz4 fuzz");

  /** Small sound blocks to start from. */
  function soundBlocks(): Uint8Array[] {
    return [40, 90, 200, 400, 640].map((length, i) => {
      bytes.set(memoryLike(length, seed + i), SRC);
      const end = kernels.lz4Compress(SRC, length, DST, 1024, FIRST_FREE_BYTE);
      return bytes.slice(DST, DST + end);
    });
  }

  test("agrees with the oracle on every case and writes nothing outside", () => {
    const decode: Decode = (...where) => kernels.lz4Decompress(...where);
    expect(findFault(bytes, decode, soundBlocks(), seededRandom(seed))).toBeUndefined();
  });

  test("agrees on blocks that go on where others end", () => {
    const random = seededRandom(seed);
    const blocks = soundBlocks();
    for (let round = 0; round < CASES / 4; round++) {
      const block = hostile(blocks[random.int(blocks.length)], random);
      const before = random.bytes(random.int(300)).map((byte) => byte & 3);
      const capacity = random.int(700);
      const src = bytes.length - block.length;
      bytes.fill(0xa5, DST, DST + before.length + capacity + GUARD);
      bytes.set(before, DST);
      bytes.set(block, src);
      const at = DST + before.length;
      const length = kernels.lz4DecompressAfter(src, block.length, DST, at, capacity);
      const want = lz4DecodeOracle(block, capacity, before);
      if (want === undefined ? length >= 0 : length !== want.length) {
        expect.fail(`round ${round}: returned ${length}, oracle ${want?.length ?? "refuses"}`);
      }
      const there = bytes.subarray(at, at + Math.max(length, 0));
      if (want && Buffer.compare(want, there) !== 0) expect.fail(`round ${round}: other bytes`);
      if (Buffer.compare(before, bytes.subarray(DST, at)) !== 0) {
        expect.fail(`round ${round}: wrote before the output`);
      }
      const guard = bytes.subarray(at + capacity, at + capacity + GUARD);
      if (guard.some((byte) => byte !== 0xa5)) expect.fail(`round ${round}: wrote past it`);
    }
  });

  test("canary: a decoder that forgets one check is caught", () => {
    const forgetsCapacity: Decode = (src, srcLength, dst, capacity) => {
      const decoded = lz4DecodeOracle(bytes.slice(src, src + srcLength), capacity + 8);
      if (decoded === undefined) return -1;
      bytes.set(decoded, dst);
      return decoded.length;
    };
    expect(findFault(bytes, forgetsCapacity, soundBlocks(), seededRandom(seed))).toMatch(/^case/);
    const readsOn: Decode = (src, srcLength, dst, capacity) =>
      kernels.lz4Decompress(src, srcLength + 1, dst, capacity);
    expect(findFault(bytes, readsOn, soundBlocks(), seededRandom(seed))).toMatch(/^case/);
  });
});
