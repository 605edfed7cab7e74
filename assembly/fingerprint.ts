// The fingerprint of a page: XXH3-128, seed 0, default secret, exactly as published (xxHash spec,
// "XXH3 algorithm description for large inputs"), for inputs of 4096 bytes only. It says which
// pages may be equal; compare.ts proves it.
import { FINGERPRINT_BYTES, PAGE_BYTES } from "./layout";
import { PRIME32_1, PRIME32_2, PRIME32_3 } from "./xxh";
import { PRIME64_1, PRIME64_2, PRIME64_3, PRIME64_4, PRIME64_5 } from "./xxh";

/** Bytes between two scramblings: 16 stripes of 64 bytes, as the secret has 192 bytes. */
// @ts-ignore: decorator
@inline export const ROUND_BYTES: usize = 1024;
/** Rounds of one page. */
// @ts-ignore: decorator
@inline export const ROUNDS: i32 = 4;

/** XXH3-128 of each page; 16 bytes each, low 64 bits first. */
export function fingerprintPages(pagesPtr: usize, pageCount: u32, fingerprintsPtr: usize): void {
  for (let i: u32 = 0; i < pageCount; i++) {
    fingerprintPage(pagesPtr, fingerprintsPtr);
    pagesPtr += PAGE_BYTES;
    fingerprintsPtr += FINGERPRINT_BYTES;
  }
}

/** XXH3-128 of one page. */
export function fingerprintPage(page: usize, out: usize): void {
  let acc0 = startOfColumn(0);
  let acc1 = startOfColumn(1);
  let acc2 = startOfColumn(2);
  let acc3 = startOfColumn(3);
  for (let round = 0; round < ROUNDS; round++) {
    acc0 = addColumn(acc0, page, 0, round);
    acc1 = addColumn(acc1, page, 1, round);
    acc2 = addColumn(acc2, page, 2, round);
    acc3 = addColumn(acc3, page, 3, round);
    page += ROUND_BYTES;
  }
  storeFingerprint(out, acc0, acc1, acc2, acc3);
}

/** The accumulators that a column of 16 bytes begins with. */
// @ts-ignore: decorator
@inline export function startOfColumn(column: i32): v128 {
  if (column == 0) return i64x2(PRIME32_3, PRIME64_1);
  if (column == 1) return i64x2(PRIME64_2, PRIME64_3);
  if (column == 2) return i64x2(PRIME64_4, PRIME32_2);
  return i64x2(PRIME64_5, PRIME32_1);
}

/**
 * Adds one column of a round: 16 bytes of each of its 16 stripes. The sum of a round does not
 * depend on the order of its parts. So the columns are summed one after the other, which keeps one
 * accumulator busy and the secrets, which overlap, in place; and the inputs, which a lane adds to
 * its neighbour, change lanes once at the end and not 16 times.
 */
// @ts-ignore: decorator
@inline export function addColumn(acc: v128, page: usize, column: i32, round: i32): v128 {
  const secret = column << 4;
  const at = page + secret;
  let input = v128.load(at);
  let sums = input;
  acc = i64x2.add(acc, keyedProduct(input, secret));
  input = v128.load(at, 64);
  sums = i64x2.add(sums, input);
  acc = i64x2.add(acc, keyedProduct(input, secret + 8));
  input = v128.load(at, 128);
  sums = i64x2.add(sums, input);
  acc = i64x2.add(acc, keyedProduct(input, secret + 16));
  input = v128.load(at, 192);
  sums = i64x2.add(sums, input);
  acc = i64x2.add(acc, keyedProduct(input, secret + 24));
  input = v128.load(at, 256);
  sums = i64x2.add(sums, input);
  acc = i64x2.add(acc, keyedProduct(input, secret + 32));
  input = v128.load(at, 320);
  sums = i64x2.add(sums, input);
  acc = i64x2.add(acc, keyedProduct(input, secret + 40));
  input = v128.load(at, 384);
  sums = i64x2.add(sums, input);
  acc = i64x2.add(acc, keyedProduct(input, secret + 48));
  input = v128.load(at, 448);
  sums = i64x2.add(sums, input);
  acc = i64x2.add(acc, keyedProduct(input, secret + 56));
  input = v128.load(at, 512);
  sums = i64x2.add(sums, input);
  acc = i64x2.add(acc, keyedProduct(input, secret + 64));
  input = v128.load(at, 576);
  sums = i64x2.add(sums, input);
  acc = i64x2.add(acc, keyedProduct(input, secret + 72));
  input = v128.load(at, 640);
  sums = i64x2.add(sums, input);
  acc = i64x2.add(acc, keyedProduct(input, secret + 80));
  input = v128.load(at, 704);
  sums = i64x2.add(sums, input);
  acc = i64x2.add(acc, keyedProduct(input, secret + 88));
  input = v128.load(at, 768);
  sums = i64x2.add(sums, input);
  acc = i64x2.add(acc, keyedProduct(input, secret + 96));
  input = v128.load(at, 832);
  sums = i64x2.add(sums, input);
  acc = i64x2.add(acc, keyedProduct(input, secret + 104));
  input = v128.load(at, 896);
  sums = i64x2.add(sums, input);
  acc = i64x2.add(acc, keyedProduct(input, secret + 112));
  input = v128.load(at, 960);
  sums = i64x2.add(sums, input);
  acc = i64x2.add(acc, v128.shuffle<u64>(sums, sums, 1, 0));
  // The last stripe of the page has a secret of its own, and its round is not scrambled.
  if (round == ROUNDS - 1) return i64x2.add(acc, keyedProduct(input, secret + 121));
  return scramble(i64x2.add(acc, keyedProduct(input, secret + 120)), secretPair(secret + 128));
}

/** Per 64-bit lane: the product of the two halves of the keyed input. */
// @ts-ignore: decorator
@inline function keyedProduct(input: v128, secret: i32): v128 {
  const keyed = v128.xor(input, secretPair(secret));
  const lows = v128.shuffle<u32>(keyed, keyed, 0, 2, 0, 2);
  const highs = v128.shuffle<u32>(keyed, keyed, 1, 3, 1, 3);
  return i64x2.extmul_low_i32x4_u(lows, highs);
}

/** Merges the four accumulators of a page to its fingerprint. */
// @ts-ignore: decorator
@inline export function storeFingerprint(
  out: usize,
  acc0: v128,
  acc1: v128,
  acc2: v128,
  acc3: v128,
): void {
  let low = <u64>PAGE_BYTES * PRIME64_1;
  low += foldPair(acc0, 11) + foldPair(acc1, 27) + foldPair(acc2, 43) + foldPair(acc3, 59);
  let high = ~(<u64>PAGE_BYTES * PRIME64_2);
  high += foldPair(acc0, 117) + foldPair(acc1, 133) + foldPair(acc2, 149) + foldPair(acc3, 165);
  store<u64>(out, avalanche(low));
  store<u64>(out, avalanche(high), 8);
}

// @ts-ignore: decorator
@inline function scramble(acc: v128, secret: v128): v128 {
  acc = v128.xor(v128.xor(acc, i64x2.shr_u(acc, 47)), secret);
  return i64x2.mul(acc, i64x2.splat(PRIME32_1));
}

/** The 128-bit product of two keyed accumulators, its halves xored. */
// @ts-ignore: decorator
@inline function foldPair(acc: v128, secret: i32): u64 {
  return foldProduct(
    i64x2.extract_lane(acc, 0) ^ secretAt(secret),
    i64x2.extract_lane(acc, 1) ^ secretAt(secret + 8),
  );
}

/** 64 × 64 → 128 bits by schoolbook, as WebAssembly has no wide product; the halves xored. */
function foldProduct(a: u64, b: u64): u64 {
  const aLow = a & 0xffffffff;
  const aHigh = a >> 32;
  const bLow = b & 0xffffffff;
  const bHigh = b >> 32;
  const lowLow = aLow * bLow;
  const cross = (lowLow >> 32) + aHigh * bLow;
  const middle = (cross & 0xffffffff) + aLow * bHigh;
  return (a * b) ^ (aHigh * bHigh + (cross >> 32) + (middle >> 32));
}

/** The last mixing: every bit of the input has a chance to change every bit of the output. */
function avalanche(hash: u64): u64 {
  hash = (hash ^ (hash >> 37)) * 0x165667919e3779f9;
  return hash ^ (hash >> 32);
}

// @ts-ignore: decorator
@inline function secretPair(offset: i32): v128 {
  return i64x2(secretAt(offset), secretAt(offset + 8));
}

/** 8 bytes of the secret from any offset; the compiler folds all of this to a constant. */
// @ts-ignore: decorator
@inline function secretAt(offset: i32): u64 {
  const shift: u64 = (offset & 7) << 3;
  const word = secretWord(offset >> 3);
  if (shift == 0) return word;
  return (word >> shift) | (secretWord((offset >> 3) + 1) << (64 - shift));
}

/**
 * The default secret (192 bytes) as 24 little-endian words. In code, not in a table: a table would
 * be a data segment, which every instance would write again over the shared memory.
 */
// @ts-ignore: decorator
@inline function secretWord(index: i32): u64 {
  if (index == 0) return 0xbe4ba423396cfeb8;
  if (index == 1) return 0x1cad21f72c81017c;
  if (index == 2) return 0xdb979083e96dd4de;
  if (index == 3) return 0x1f67b3b7a4a44072;
  if (index == 4) return 0x78e5c0cc4ee679cb;
  if (index == 5) return 0x2172ffcc7dd05a82;
  if (index == 6) return 0x8e2443f7744608b8;
  if (index == 7) return 0x4c263a81e69035e0;
  if (index == 8) return 0xcb00c391bb52283c;
  if (index == 9) return 0xa32e531b8b65d088;
  if (index == 10) return 0x4ef90da297486471;
  if (index == 11) return 0xd8acdea946ef1938;
  if (index == 12) return 0x3f349ce33f76faa8;
  if (index == 13) return 0x1d4f0bc7c7bbdcf9;
  if (index == 14) return 0x3159b4cd4be0518a;
  if (index == 15) return 0x647378d9c97e9fc8;
  if (index == 16) return 0xc3ebd33483acc5ea;
  if (index == 17) return 0xeb6313faffa081c5;
  if (index == 18) return 0x49daf0b751dd0d17;
  if (index == 19) return 0x9e68d429265516d3;
  if (index == 20) return 0xfca1477d58be162b;
  if (index == 21) return 0xce31d07ad1b8f88f;
  if (index == 22) return 0x280416958f3acb45;
  if (index == 23) return 0x7e404bbbcafbd7af;
  return 0;
}
