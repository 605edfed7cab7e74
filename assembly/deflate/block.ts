// Ends a block of a zlib stream: makes its codes, picks the shortest of the three kinds of block as
// zlib picks it, and writes it. Also the tables that every stream begins with.
import { endByte, keepBits, writeBits } from "./bits";
import { makeCode, reversed } from "./huffman";
import * as at from "./layout";
import { distanceCodeOf, distanceExtra, lengthCodeOf, lengthExtra } from "./codes";
import { makeLengthCode, tellingBits, tellLengths, writeLengths } from "./lengths";

// @ts-ignore: decorator
@inline const MAX_BITS: u32 = 15;
// @ts-ignore: decorator
@inline const STORED: u32 = 0;
// @ts-ignore: decorator
@inline const FIXED: u32 = 1;
// @ts-ignore: decorator
@inline const DYNAMIC: u32 = 2;

/** Makes the words of blocks with fixed codes. */
export function initFixed(scratch: usize): void {
  for (let symbol: u32 = 0; symbol < at.LITERAL_CODES; symbol++) {
    // 00110000 …, 110010000 …, 0000000 …, 11000000 …
    let bits: u32 = 8;
    let word: u32 = 48 + symbol;
    if (symbol >= 280) word = 192 + symbol - 280;
    else if (symbol >= 256) {
      bits = 7;
      word = symbol - 256;
    } else if (symbol >= 144) {
      bits = 9;
      word = 400 + symbol - 144;
    }
    word = (bits << 16) | reversed(word, bits);
    store<u32>(scratch + (symbol << 2), word, at.FIXED_LITERAL_WORDS);
  }
  for (let symbol: u32 = 0; symbol < at.DISTANCE_CODES; symbol++) {
    const word = (5 << 16) | reversed(symbol, 5);
    store<u32>(scratch + (symbol << 2), word, at.FIXED_DISTANCE_WORDS);
  }
}

/** Forgets the symbols of the block before. */
export function beginBlock(scratch: usize): void {
  memory.fill(scratch + at.LITERAL_COUNTS, 0, at.LITERAL_WORDS - at.LITERAL_COUNTS);
  store<u32>(scratch, 1, at.LITERAL_COUNTS + (<usize>at.END_OF_BLOCK << 2));
  store<u32>(scratch, 0, at.SYMBOL_COUNT);
}

/**
 * Writes the symbols that make `length` bytes from `start` on, and begins the next block. zlib may
 * be unable to store one of more than 32 KiB, whose beginning its window has lost. That need not be
 * asked here: so many bytes in BLOCK_SYMBOLS symbols are mostly matches, and never best stored.
 */
export function writeBlock(start: usize, length: u32, isLast: bool, scratch: usize): void {
  const literals = scratch + at.LITERAL_COUNTS;
  const distances = scratch + at.DISTANCE_COUNTS;
  const literalWords = scratch + at.LITERAL_WORDS;
  const distanceWords = scratch + at.DISTANCE_WORDS;
  const lastLiteral = makeCode(literals, at.LITERAL_CODES, MAX_BITS, literalWords, scratch);
  const lastDistance = makeCode(distances, at.DISTANCE_CODES, MAX_BITS, distanceWords, scratch);
  let told = tellLengths(literalWords, lastLiteral, scratch + at.TOLD, scratch);
  told = tellLengths(distanceWords, lastDistance, told, scratch);
  const lengthCount = makeLengthCode(scratch);
  const fixedBytes = bytesOf(symbolBits(at.FIXED_LITERAL_WORDS, at.FIXED_DISTANCE_WORDS, scratch));
  const ownBits = symbolBits(at.LITERAL_WORDS, at.DISTANCE_WORDS, scratch);
  const ownBytes = bytesOf(ownBits + tellingBits(lengthCount, scratch));
  if (length + 4 <= min(fixedBytes, ownBytes)) {
    writeStored(start, length, isLast, scratch);
  } else if (fixedBytes <= ownBytes) {
    writeBits((FIXED << 1) | u32(isLast), 3, scratch);
    writeSymbols(at.FIXED_LITERAL_WORDS, at.FIXED_DISTANCE_WORDS, scratch);
  } else {
    writeBits((DYNAMIC << 1) | u32(isLast), 3, scratch);
    writeLengths(lastLiteral + 1, lastDistance + 1, lengthCount, told, scratch);
    writeSymbols(at.LITERAL_WORDS, at.DISTANCE_WORDS, scratch);
  }
  if (isLast) endByte(scratch);
  beginBlock(scratch);
}

/** The bytes of a block with its 3 bits before it. */
// @ts-ignore: decorator
@inline
function bytesOf(bits: u32): u32 {
  return (bits + 3 + 7) >>> 3;
}

/** The bits of all symbols with these words. */
function symbolBits(literalWords: usize, distanceWords: usize, scratch: usize): u32 {
  let bits: u32 = 0;
  for (let symbol: u32 = 0; symbol < at.LITERAL_CODES; symbol++) {
    const count = load<u32>(scratch + (symbol << 2), at.LITERAL_COUNTS);
    if (count == 0) continue;
    const extra = symbol < at.FIRST_LENGTH ? 0 : lengthExtra(symbol - at.FIRST_LENGTH);
    bits += count * ((load<u32>(scratch + literalWords + (symbol << 2)) >>> 16) + extra);
  }
  for (let symbol: u32 = 0; symbol < at.DISTANCE_CODES; symbol++) {
    const count = load<u32>(scratch + (symbol << 2), at.DISTANCE_COUNTS);
    const word = load<u32>(scratch + distanceWords + (symbol << 2));
    bits += count * ((word >>> 16) + distanceExtra(symbol));
  }
  return bits;
}

function writeStored(start: usize, length: u32, isLast: bool, scratch: usize): void {
  writeBits((STORED << 1) | u32(isLast), 3, scratch);
  endByte(scratch);
  writeBits(length | (~length << 16), 32, scratch);
  const out = load<u32>(scratch, at.OUT);
  memory.copy(<usize>out, start, <usize>length);
  store<u32>(scratch, out + length, at.OUT);
}

function writeSymbols(literalWords: usize, distanceWords: usize, scratch: usize): void {
  const literals = scratch + literalWords;
  const distances = scratch + distanceWords;
  let symbol = scratch + at.SYMBOLS;
  const end = symbol + (load<u32>(scratch, at.SYMBOL_COUNT) << 2);
  let out = <usize>load<u32>(scratch, at.OUT);
  let bits = load<u64>(scratch, at.BITS);
  let held = load<u32>(scratch, at.BIT_COUNT);
  for (; symbol < end; symbol += 4) {
    const both = load<u32>(symbol);
    if (both < 256) {
      const word = load<u32>(literals + (both << 2));
      bits |= <u64>(word & 0xffff) << held;
      held += word >>> 16;
    } else {
      // At most 15 + 5 + 15 + 13 bits and 7 from before.
      const length = both & 255;
      const lengthCode = lengthCodeOf(length);
      const lengthWord = load<u32>(literals + ((at.FIRST_LENGTH + lengthCode) << 2));
      bits |= <u64>(lengthWord & 0xffff) << held;
      held += lengthWord >>> 16;
      const lengthBits = lengthExtra(lengthCode);
      bits |= <u64>(length & ((1 << lengthBits) - 1)) << held;
      held += lengthBits;
      const distance = (both >>> 8) - 1;
      const distanceCode = distanceCodeOf(distance);
      const distanceWord = load<u32>(distances + (distanceCode << 2));
      bits |= <u64>(distanceWord & 0xffff) << held;
      held += distanceWord >>> 16;
      const distanceBits = distanceExtra(distanceCode);
      bits |= <u64>(distance & ((1 << distanceBits) - 1)) << held;
      held += distanceBits;
    }
    store<u64>(out, bits);
    out += held >>> 3;
    bits >>= held & ~7;
    held &= 7;
  }
  const last = load<u32>(literals + (at.END_OF_BLOCK << 2));
  store<u32>(scratch, <u32>out, at.OUT);
  keepBits(bits | (<u64>(last & 0xffff) << held), held + (last >>> 16), scratch);
}
