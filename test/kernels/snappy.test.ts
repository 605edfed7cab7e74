// Pages in and snappy blocks out, and back. What the blocks are made of is tested in
// test/assembly/snappy.
import { describe, expect, it } from "vitest";
import { SNAPPY_BAD_SIZE, SNAPPY_OVER_CAPACITY } from "../../src/kernels/abi.ts";
import { compileKernels } from "../../src/kernels/load.ts";
import {
  SNAPPY_MAX_BLOCK_BYTES,
  SNAPPY_RELEASES,
  SnappyBlocks,
  SnappyPages,
} from "../../src/kernels/snappy.ts";
import { wasmPath } from "../support/kernels.ts";
import { memoryLike } from "../support/lz4-inputs.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const seed = randomSeed("snappy pages");
const module = compileKernels(wasmPath("release"));
const pagesOf = new SnappyPages(module);
const blocksOf = new SnappyBlocks(module);

describe("snappy pages", () => {
  it.each(Object.entries(SNAPPY_RELEASES))("go there and back, as %s", (_, release) => {
    const pages = memoryLike(70 * 4096, seed);
    pages.set(seededRandom(seed).bytes(4096), 4096);
    const { bytes, lengths } = pagesOf.compress(pages, 4096, release);
    expect(lengths.length).toBe(70);
    const back = new Uint8Array(pages.length);
    let at = 0;
    for (const [page, length] of lengths.entries()) {
      const into = back.subarray(page * 4096, (page + 1) * 4096);
      expect(blocksOf.decode(bytes.subarray(at, at + length), into)).toBe(4096);
      at += length;
    }
    expect(at).toBe(bytes.length);
    expect(Buffer.compare(back, pages)).toBe(0);
  });

  it("are refused in parts", () => {
    expect(() => pagesOf.compress(new Uint8Array(4097), 4096, SNAPPY_RELEASES["1.1.9"])).toThrow(
      RangeError,
    );
  });
});

describe("snappy blocks", () => {
  it("are refused when they hold more than is wanted, less than they say, or are too large", () => {
    const into = new Uint8Array(4).fill(7);
    expect(blocksOf.decode(Uint8Array.of(5, 16, 1, 2, 3, 4, 5), into)).toBe(-SNAPPY_OVER_CAPACITY);
    expect(blocksOf.decode(Uint8Array.of(4, 8, 1, 2, 3), into)).toBe(-SNAPPY_BAD_SIZE);
    const large = new Uint8Array(SNAPPY_MAX_BLOCK_BYTES + 1);
    expect(blocksOf.decode(large, into)).toBe(-SNAPPY_OVER_CAPACITY);
    expect([...into]).toEqual([7, 7, 7, 7]);
    expect(blocksOf.decode(Uint8Array.of(3, 8, 1, 2, 3), into)).toBe(3);
    expect([...into]).toEqual([1, 2, 3, 7]);
  });
});
