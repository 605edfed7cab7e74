// What literals and sequences will cost, guessed from those written so far: the optimal match
// finder weighs its choices by it. Counts fade from block to block. Nothing is chosen here.
//
// A price is in 256ths of a bit.
import { STATE_TABLES } from "./sequence";

// Counts, u32 each: 256 bytes, 36 literal lengths, 53 match lengths, 32 offset codes.
// @ts-ignore: decorator
@inline const BYTE_COUNTS: usize = STATE_TABLES;
// @ts-ignore: decorator
@inline const LITERAL_COUNTS: usize = BYTE_COUNTS + 4 * 256;
// @ts-ignore: decorator
@inline const MATCH_COUNTS: usize = LITERAL_COUNTS + 4 * 36;
// @ts-ignore: decorator
@inline const OFFSET_COUNTS: usize = MATCH_COUNTS + 4 * 53;
// @ts-ignore: decorator
@inline const COUNTS_END: usize = OFFSET_COUNTS + 4 * 32;

/** Prices, u32 each, with the extra bits: by byte, by literal length below 64, by the logarithm of
 * longer ones, by match length below 256, by offset code. */
// @ts-ignore: decorator
@inline export const BYTE_PRICES: usize = COUNTS_END;
// @ts-ignore: decorator
@inline export const LITERAL_PRICES: usize = BYTE_PRICES + 4 * 256;
// @ts-ignore: decorator
@inline const LONG_LITERAL_PRICES: usize = LITERAL_PRICES + 4 * 64;
// @ts-ignore: decorator
@inline export const MATCH_PRICES: usize = LONG_LITERAL_PRICES + 4 * 32;
// @ts-ignore: decorator
@inline const OFFSET_PRICES: usize = MATCH_PRICES + 4 * 256;
// @ts-ignore: decorator
@inline export const PRICES_END: usize = OFFSET_PRICES + 4 * 32;

/** A sequence counts as much against the faded past. */
// @ts-ignore: decorator
@inline const WEIGHT: u32 = 2;
/** A fifth of a bit for a sequence more: the time of the reader. */
// @ts-ignore: decorator
@inline const SEQUENCE_PRICE: u32 = 51;
/** Huffman codes have a bit at least. */
// @ts-ignore: decorator
@inline const LEAST_BYTE_PRICE: i32 = 256;

/** The first guess: bytes are as in the block, sequences as is usual in pages. */
export function guessCounts(state: usize, blockStart: usize, blockEnd: usize): void {
  memory.fill(state + BYTE_COUNTS, 0, COUNTS_END - BYTE_COUNTS);
  for (let at = blockStart; at < blockEnd; at++) countByte(state, <usize>load<u8>(at));
  for (let i: usize = 0; i < 256; i++) {
    const count = state + (i << 2);
    store<u32>(count, load<u32>(count, BYTE_COUNTS) >>> 7, BYTE_COUNTS);
  }
  // What is usual in pages, per five hundred sequences.
  spread(state + LITERAL_COUNTS, 0x06080d192c4476c8);
  spread(state + LITERAL_COUNTS + 32, 0x0101010101020203);
  spread(state + MATCH_COUNTS, 0x0f1f19272c424e44);
  spread(state + MATCH_COUNTS + 32, 0x06050509080b160f);
  spread(state + MATCH_COUNTS + 64, 0x020202070305020a);
  spread(state + OFFSET_COUNTS, 0x12110f1106021550);
  spread(state + OFFSET_COUNTS + 32, 0x2a2b29221f1e1926);
}

/** Eight counts from the bytes of a word, the lowest first. */
function spread(counts: usize, bytes: u64): void {
  for (let i: usize = 0; i < 8; i++) {
    store<u32>(counts + (i << 2), <u32>(bytes & 255));
    bytes >>= 8;
  }
}

/** The past counts a quarter. */
export function fadeCounts(state: usize): void {
  for (let i: usize = BYTE_COUNTS; i < COUNTS_END; i += 4) {
    store<u32>(state + i, load<u32>(state + i) >>> 2);
  }
}

// @ts-ignore: decorator
@inline
function countByte(state: usize, byte: usize): void {
  const count = state + (byte << 2);
  store<u32>(count, load<u32>(count, BYTE_COUNTS) + WEIGHT, BYTE_COUNTS);
}

/** Counts bytes that became literals. */
export function countLiterals(state: usize, from: usize, to: usize): void {
  for (let at = from; at < to; at++) countByte(state, <usize>load<u8>(at));
}

/** Counts a sequence, not its literals. */
export function countSequence(state: usize, literals: u32, length: u32, offBase: u32): void {
  const literal = state + (literalCode(literals) << 2);
  store<u32>(literal, load<u32>(literal, LITERAL_COUNTS) + WEIGHT, LITERAL_COUNTS);
  const match = state + (matchCode(length) << 2);
  store<u32>(match, load<u32>(match, MATCH_COUNTS) + WEIGHT, MATCH_COUNTS);
  const offset = state + ((31 - clz(offBase)) << 2);
  store<u32>(offset, load<u32>(offset, OFFSET_COUNTS) + WEIGHT, OFFSET_COUNTS);
}

/** Makes the prices of the counts. */
export function setPrices(state: usize): void {
  const bytes = totalBits(state + BYTE_COUNTS, 256);
  for (let i: u32 = 0; i < 256; i++) {
    const price = <i32>(bytes - bitsOf(state + BYTE_COUNTS, i));
    store<u32>(state + (i << 2), max<i32>(price, LEAST_BYTE_PRICE), BYTE_PRICES);
  }
  const literals = totalBits(state + LITERAL_COUNTS, 36);
  for (let i: u32 = 0; i < 64; i++) {
    const price = literals - bitsOf(state + LITERAL_COUNTS, literalCode(i));
    store<u32>(state + (i << 2), price + (literalBits(i) << 8), LITERAL_PRICES);
  }
  for (let log: u32 = 6; log < 17; log++) {
    const price = literals - bitsOf(state + LITERAL_COUNTS, log + 19);
    store<u32>(state + (log << 2), price + (log << 8), LONG_LITERAL_PRICES);
  }
  const matches = totalBits(state + MATCH_COUNTS, 53);
  for (let i: u32 = 3; i < 256; i++) {
    const price = matches - bitsOf(state + MATCH_COUNTS, matchCode(i));
    store<u32>(state + (i << 2), price + (matchBits(i) << 8), MATCH_PRICES);
  }
  const offsets = totalBits(state + OFFSET_COUNTS, 32) + SEQUENCE_PRICE;
  for (let i: u32 = 0; i < 32; i++) {
    const price = offsets - bitsOf(state + OFFSET_COUNTS, i);
    store<u32>(state + (i << 2), price + (i << 8), OFFSET_PRICES);
  }
}

// 256 × log2, straight between powers of two; every code counts once more than it was seen.
// @ts-ignore: decorator
@inline
function bits(count: u32): u32 {
  const log = 31 - clz(count);
  return (log << 8) + <u32>((<u64>count << 8) >>> <u64>log);
}

// @ts-ignore: decorator
@inline
function bitsOf(counts: usize, code: u32): u32 {
  return bits(load<u32>(counts + (code << 2)) + 1);
}

function totalBits(counts: usize, codes: u32): u32 {
  let sum = codes;
  for (let i: u32 = 0; i < codes; i++) sum += load<u32>(counts + (i << 2));
  return bits(sum);
}

/** The price of saying that there are so many literals. */
// @ts-ignore: decorator
@inline
export function literalsPrice(state: usize, literals: u32): u32 {
  if (literals < 64) return load<u32>(state + (literals << 2), LITERAL_PRICES);
  return load<u32>(state + ((31 - clz(literals)) << 2), LONG_LITERAL_PRICES);
}

// @ts-ignore: decorator
@inline
export function offsetPrice(state: usize, offBase: u32): u32 {
  return load<u32>(state + ((31 - clz(offBase)) << 2), OFFSET_PRICES);
}

// Codes of lengths (RFC 8878 §3.1.1.3.2.1.1): plain ones first, then ever wider ones.
// @ts-ignore: decorator
@inline
function literalCode(length: u32): u32 {
  if (length < 16) return length;
  if (length < 24) return 16 + ((length - 16) >>> 1);
  if (length < 32) return 20 + ((length - 24) >>> 2);
  if (length < 48) return 22 + ((length - 32) >>> 3);
  if (length < 64) return 24;
  return 50 - clz(length);
}

// @ts-ignore: decorator
@inline
function matchCode(length: u32): u32 {
  const over = length - 3;
  if (over < 32) return over;
  if (over < 40) return 32 + ((over - 32) >>> 1);
  if (over < 48) return 36 + ((over - 40) >>> 2);
  if (over < 64) return 38 + ((over - 48) >>> 3);
  if (over < 96) return 40 + ((over - 64) >>> 4);
  if (over < 128) return 42;
  return 67 - clz(over);
}

// @ts-ignore: decorator
@inline
function literalBits(length: u32): u32 {
  if (length < 16) return 0;
  if (length < 24) return 1;
  if (length < 32) return 2;
  return length < 48 ? 3 : 4;
}

// @ts-ignore: decorator
@inline
function matchBits(length: u32): u32 {
  const over = length - 3;
  if (over < 32) return 0;
  if (over < 40) return 1;
  if (over < 48) return 2;
  if (over < 64) return 3;
  if (over < 96) return 4;
  return over < 128 ? 5 : 31 - clz(over);
}
