// Addresses of frames as ranges, and read back by the page.
import { expect, test } from "vitest";
import { addressRanges } from "../../src/report/addresses.ts";
import { addressOf } from "../../src/report/page/address.ts";

const PAGE_BYTES = 4096;

/** Segments that follow one another. */
function segmentsOf(lengths: readonly number[]) {
  let byteOffset = 0;
  return lengths.map((byteLength) => {
    byteOffset += byteLength;
    return { byteOffset: byteOffset - byteLength, byteLength };
  });
}

test("neighbours in both spaces are one range", () => {
  const segments = segmentsOf([100, 2 * PAGE_BYTES, 3 * PAGE_BYTES, 5000, PAGE_BYTES]);
  const regions = [
    { segmentIndex: 1, address: 0x10000n },
    { segmentIndex: 2, address: 0x12000n },
    { segmentIndex: 4, address: 0xffff_8000_0000_0000n },
  ];
  const ranges = addressRanges({ segments, regions }, 100);
  expect(ranges).toEqual([
    { frame: 1, frameCount: 5, address: 0x10000n },
    { frame: 8, frameCount: 1, address: 0xffff_8000_0000_0000n },
  ]);
  const drawn = ranges.map(({ frame, frameCount, address }): [number, number, string] => [
    frame,
    frameCount,
    address.toString(16),
  ]);
  const found = [0, 1, 5, 6, 7, 8, 9].map((frame) => addressOf(drawn, frame));
  const [none, last] = [undefined, 0xffff_8000_0000_0000n];
  expect(found).toEqual([none, 0x10000n, 0x14000n, none, none, last, none]);
});

test("a process of very many mappings is told as far as there is room", () => {
  const segments = segmentsOf(new Array(10_000).fill(PAGE_BYTES));
  const regions = segments.map((_, i) => ({ segmentIndex: i, address: BigInt(i) << 20n }));
  expect(addressRanges({ segments, regions }, 4096)).toHaveLength(4096);
  expect(addressRanges({ segments: segmentsOf([1]), regions: [] }, 9)).toEqual([]);
});
