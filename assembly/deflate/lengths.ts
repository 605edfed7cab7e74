// How a block with codes of its own tells the lengths of their words (RFC 1951 §3.2.7): runs of
// equal lengths, found as zlib finds them, in a third code.
import { writeBits } from "./bits";
import { makeCode } from "./huffman";
import { LENGTH_CODES, LENGTH_COUNTS, LENGTH_WORDS, TOLD } from "./layout";

// @ts-ignore: decorator
@inline const MAX_BITS: u32 = 7;
/** The length before, 3 to 6 times, in 2 bits. */
// @ts-ignore: decorator
@inline const REPEAT: u32 = 16;
/** No word, 3 to 10 times, in 3 bits. */
// @ts-ignore: decorator
@inline const FEW_ZEROS: u32 = 17;
/** No word, 11 to 138 times, in 7 bits. */
// @ts-ignore: decorator
@inline const MANY_ZEROS: u32 = 18;

/** Lists what is to be told of the words 0 … `highest` from `told` on; returns where it ends. */
export function tellLengths(words: usize, highest: u32, told: usize, scratch: usize): usize {
  let before: u32 = 0xffff;
  for (let first: u32 = 0; first <= highest; ) {
    const length = load<u32>(words + (first << 2)) >>> 16;
    // Six more of a length that was told before, or seven of which the first tells it.
    const most: u32 = length == 0 ? 138 : length == before ? 6 : 7;
    let end = first + 1;
    const limit = min(first + most, highest + 1);
    while (end < limit && load<u32>(words + (end << 2)) >>> 16 == length) end++;
    let run = end - first;
    first = end;
    if (length == 0 && run >= 3) {
      told = run <= 10
        ? tell(FEW_ZEROS, run - 3, told, scratch)
        : tell(MANY_ZEROS, run - 11, told, scratch);
    } else if (length != 0 && run >= (length == before ? 3 : 4)) {
      if (length != before) {
        told = tell(length, 0, told, scratch);
        run--;
      }
      told = tell(REPEAT, run - 3, told, scratch);
    } else {
      for (; run > 0; run--) told = tell(length, 0, told, scratch);
    }
    before = length;
  }
  return told;
}

// @ts-ignore: decorator
@inline
function tell(symbol: u32, extra: u32, told: usize, scratch: usize): usize {
  store<u16>(told, <u16>((extra << 8) | symbol));
  const counter = scratch + (symbol << 2);
  store<u32>(counter, load<u32>(counter, LENGTH_COUNTS) + 1, LENGTH_COUNTS);
  return told + 2;
}

/** Makes the code of what is to be told; returns how many of its lengths have to be written. */
export function makeLengthCode(scratch: usize): u32 {
  makeCode(scratch + LENGTH_COUNTS, LENGTH_CODES, MAX_BITS, scratch + LENGTH_WORDS, scratch);
  let count = LENGTH_CODES;
  while (count > 4 && load<u32>(scratch + (ranked(count - 1) << 2), LENGTH_WORDS) == 0) count--;
  return count;
}

/** The bits that telling takes. */
export function tellingBits(lengthCount: u32, scratch: usize): u32 {
  let bits = 14 + 3 * lengthCount;
  for (let symbol: u32 = 0; symbol < LENGTH_CODES; symbol++) {
    const place = scratch + (symbol << 2);
    const wordBits = load<u32>(place, LENGTH_WORDS) >>> 16;
    bits += load<u32>(place, LENGTH_COUNTS) * (wordBits + extraBits(symbol));
  }
  return bits;
}

/** Writes what is told, up to `end`, and before it the lengths of the code it is told in. */
export function writeLengths(
  literals: u32,
  distances: u32,
  lengthCount: u32,
  end: usize,
  scratch: usize,
): void {
  writeBits(literals - 257, 5, scratch);
  writeBits(distances - 1, 5, scratch);
  writeBits(lengthCount - 4, 4, scratch);
  for (let rank: u32 = 0; rank < lengthCount; rank++) {
    writeBits(load<u32>(scratch + (ranked(rank) << 2), LENGTH_WORDS) >>> 16, 3, scratch);
  }
  for (let told = scratch + TOLD; told < end; told += 2) {
    const both = <u32>load<u16>(told);
    const word = load<u32>(scratch + ((both & 255) << 2), LENGTH_WORDS);
    const bits = word >>> 16;
    writeBits((word & 0xffff) | ((both >>> 8) << bits), bits + extraBits(both & 255), scratch);
  }
}

/** The symbol whose length is written at a rank: 16 17 18 0 8 7 9 6 10 5 11 4 12 3 13 2 14 1 15. */
// @ts-ignore: decorator
@inline
function ranked(rank: u32): u32 {
  if (rank < 3) return rank + 16;
  if (rank == 3) return 0;
  return rank & 1 ? 9 - (rank >>> 1) : 6 + (rank >>> 1);
}

// @ts-ignore: decorator
@inline
function extraBits(symbol: u32): u32 {
  if (symbol < REPEAT) return 0;
  return symbol == REPEAT ? 2 : symbol == FEW_ZEROS ? 3 : 7;
}
