// The sketch of a page, block by block and word by word: slow and obvious. The factors are part of
// what a sketch is; another factor would name other candidates, not wrong ones.
import { PAGE_BYTES } from "../../src/core/page.ts";
import { BLOCK_BYTES } from "../../src/kernels/abi.ts";

/** One factor per 16-bit word of a block, 4 words in a row, lowest first. */
const WORD_FACTORS = [
  0x4f1b9d276e358a41n,
  0x71c9a5d33b67e80fn,
  0x5ad18e4b2f93c6e5n,
  0x1d7fb35969a394cbn,
  0x63b5d81d47efa279n,
  0x38c391577e0dcb2dn,
  0x2c8be6a955d78f13n,
  0x74e1ad3f1993b8c5n,
];
const FIRST_PLACES = [0x9e3779b1, 0x85ebca77, 0xc2b2ae3d, 0x27d4eb2f];
const NEXT_PLACES = 0x5bd1e995;

export function sketchOf(page: Uint8Array): number[] {
  const features = [0, 0, 0, 0];
  const places = [...FIRST_PLACES];
  for (let block = 0; block < PAGE_BYTES / BLOCK_BYTES; block++) {
    const hash = hashBlock(page.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES));
    const lane = block % 4;
    const placed = multiply(hash, places[lane]);
    const orders = [
      multiply(hash, 0x9e3779b1),
      multiply(hash, 0x85ebca77),
      placed,
      multiply(placed, 0x165667b1),
    ];
    orders.forEach((order, k) => {
      features[k] = Math.max(features[k], order);
    });
    places[lane] = multiply(places[lane], NEXT_PLACES);
  }
  return features;
}

/** Signed words times signed factors, summed in 32 bits, the upper half mixed into the lower. */
function hashBlock(block: Uint8Array): number {
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  let sum = 0;
  for (let word = 0; word < BLOCK_BYTES / 2; word++) {
    const factors = WORD_FACTORS[word >> 2] >> BigInt(16 * (word & 3));
    sum = (sum + view.getInt16(word * 2, true) * Number(BigInt.asIntN(16, factors))) | 0;
  }
  return (sum ^ (sum >>> 15)) >>> 0;
}

function multiply(a: number, b: number): number {
  return Math.imul(a, b) >>> 0;
}
