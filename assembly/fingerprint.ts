// The fingerprint of a page: XXH3-128, seed 0, default secret, exactly as published (xxHash spec,
// "XXH3 algorithm description for large inputs"), for inputs of 4096 bytes only. It says which pages
// may be equal; compare.ts proves it.
import { FINGERPRINT_BYTES, PAGE_BYTES } from "./layout";
import { PRIME32_1, PRIME32_2, PRIME32_3 } from "./xxh";
import { PRIME64_1, PRIME64_2, PRIME64_3, PRIME64_4, PRIME64_5 } from "./xxh";

/** Bytes between two scramblings: 16 stripes of 64 bytes, as the secret has 192 bytes. */
// @ts-ignore: decorator
@inline const ROUND_BYTES: usize = 1024;

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
  let acc0 = i64x2(PRIME32_3, PRIME64_1);
  let acc1 = i64x2(PRIME64_2, PRIME64_3);
  let acc2 = i64x2(PRIME64_4, PRIME32_2);
  let acc3 = i64x2(PRIME64_5, PRIME32_1);
  // The sum of a round does not depend on the order of its stripes, so each of the 4 columns of 16
  // bytes is summed by itself: a secret of one column serves the next, and one accumulator is live.
  for (let end = page + PAGE_BYTES - ROUND_BYTES; page < end; page += ROUND_BYTES) {
    acc0 = scramble(addColumn(acc0, page, 0, secretPair(120)), secretPair(128));
    acc1 = scramble(addColumn(acc1, page + 16, 16, secretPair(136)), secretPair(144));
    acc2 = scramble(addColumn(acc2, page + 32, 32, secretPair(152)), secretPair(160));
    acc3 = scramble(addColumn(acc3, page + 48, 48, secretPair(168)), secretPair(176));
  }
  // The last round is not scrambled, and its last stripe has a secret of its own.
  acc0 = addColumn(acc0, page, 0, secretPair(121));
  acc1 = addColumn(acc1, page + 16, 16, secretPair(137));
  acc2 = addColumn(acc2, page + 32, 32, secretPair(153));
  acc3 = addColumn(acc3, page + 48, 48, secretPair(169));

  let low = <u64>PAGE_BYTES * PRIME64_1;
  low += foldPair(acc0, 11) + foldPair(acc1, 27) + foldPair(acc2, 43) + foldPair(acc3, 59);
  let high = ~(<u64>PAGE_BYTES * PRIME64_2);
  high += foldPair(acc0, 117) + foldPair(acc1, 133) + foldPair(acc2, 149) + foldPair(acc3, 165);
  store<u64>(out, avalanche(low));
  store<u64>(out, avalanche(high), 8);
}

/** Adds one column of a round: 16 bytes of each of its 16 stripes, the last with secret `last`. */
// @ts-ignore: decorator
@inline function addColumn(acc: v128, at: usize, secret: i32, last: v128): v128 {
  acc = addLanes(acc, v128.load(at, 0), secretPair(secret));
  acc = addLanes(acc, v128.load(at, 64), secretPair(secret + 8));
  acc = addLanes(acc, v128.load(at, 128), secretPair(secret + 16));
  acc = addLanes(acc, v128.load(at, 192), secretPair(secret + 24));
  acc = addLanes(acc, v128.load(at, 256), secretPair(secret + 32));
  acc = addLanes(acc, v128.load(at, 320), secretPair(secret + 40));
  acc = addLanes(acc, v128.load(at, 384), secretPair(secret + 48));
  acc = addLanes(acc, v128.load(at, 448), secretPair(secret + 56));
  acc = addLanes(acc, v128.load(at, 512), secretPair(secret + 64));
  acc = addLanes(acc, v128.load(at, 576), secretPair(secret + 72));
  acc = addLanes(acc, v128.load(at, 640), secretPair(secret + 80));
  acc = addLanes(acc, v128.load(at, 704), secretPair(secret + 88));
  acc = addLanes(acc, v128.load(at, 768), secretPair(secret + 96));
  acc = addLanes(acc, v128.load(at, 832), secretPair(secret + 104));
  acc = addLanes(acc, v128.load(at, 896), secretPair(secret + 112));
  return addLanes(acc, v128.load(at, 960), last);
}

/** Two lanes of 64 bits: each adds the product of its keyed halves, and its neighbour's input. */
// @ts-ignore: decorator
@inline function addLanes(acc: v128, input: v128, secret: v128): v128 {
  const keyed = v128.xor(input, secret);
  const lows = v128.shuffle<u32>(keyed, keyed, 0, 2, 0, 2);
  const highs = v128.shuffle<u32>(keyed, keyed, 1, 3, 1, 3);
  const swapped = v128.shuffle<u64>(input, input, 1, 0);
  return i64x2.add(i64x2.add(acc, swapped), i64x2.extmul_low_i32x4_u(lows, highs));
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
