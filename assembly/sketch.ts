// The sketch of a page: 4 features such that pages which share many 64-byte blocks probably share
// one (min-wise hashing: Broder, "On the resemblance and containment of documents", 1997; here the
// maximum instead of the minimum). It only names candidates; delta.ts shows what they are worth.
//
// Features 0 and 1 do not see where a block stands, so they also find content that moved by whole
// blocks; 2 and 3 do, so a block that is common everywhere does not hide the page that differs by
// little. On images of guests, two and two find more than four of one kind.

/** How feature `index` orders 4 blocks; the page's greatest is the feature. Zero stays zero. */
// @ts-ignore: decorator
@inline export function orderBlocks(hashes: v128, places: v128, index: i32): v128 {
  if (index == 0) return i32x4.mul(hashes, i32x4.splat(0x9e3779b1));
  if (index == 1) return i32x4.mul(hashes, i32x4.splat(0x85ebca77));
  const placed = i32x4.mul(hashes, places);
  return index == 2 ? placed : i32x4.mul(placed, i32x4.splat(0x165667b1));
}

/** One factor per block for its place in the page; all odd, as an odd factor loses nothing. */
// @ts-ignore: decorator
@inline export function firstPlaces(): v128 {
  return i32x4(0x9e3779b1, 0x85ebca77, 0xc2b2ae3d, 0x27d4eb2f);
}

/** The factors of the next 4 blocks. */
// @ts-ignore: decorator
@inline export function nextPlaces(places: v128): v128 {
  return i32x4.mul(places, i32x4.splat(0x5bd1e995));
}

/** The hashes of 4 blocks, one per lane. */
// @ts-ignore: decorator
@inline export function hashBlocks(at: usize): v128 {
  const first = mergePair(sumBlock(at), sumBlock(at + 64));
  const second = mergePair(sumBlock(at + 128), sumBlock(at + 192));
  const evens = v128.shuffle<u32>(first, second, 0, 2, 4, 6);
  const odds = v128.shuffle<u32>(first, second, 1, 3, 5, 7);
  const sums = i32x4.add(evens, odds);
  return v128.xor(sums, i32x4.shr_u(sums, 15));
}

/**
 * Each 16-bit word of a block times a factor of its own, summed in 4 lanes. A sum without a
 * constant term is 0 for a block of zeros and stays 0 in every order, and so never becomes a
 * feature: that saves a test in the loop.
 */
// @ts-ignore: decorator
@inline function sumBlock(at: usize): v128 {
  const left = i32x4.add(
    i32x4.dot_i16x8_s(v128.load(at), i64x2(0x4f1b_9d27_6e35_8a41, 0x71c9_a5d3_3b67_e80f)),
    i32x4.dot_i16x8_s(v128.load(at, 16), i64x2(0x5ad1_8e4b_2f93_c6e5, 0x1d7f_b359_69a3_94cb)),
  );
  const right = i32x4.add(
    i32x4.dot_i16x8_s(v128.load(at, 32), i64x2(0x63b5_d81d_47ef_a279, 0x38c3_9157_7e0d_cb2d)),
    i32x4.dot_i16x8_s(v128.load(at, 48), i64x2(0x2c8b_e6a9_55d7_8f13, 0x74e1_ad3f_1993_b8c5)),
  );
  return i32x4.add(left, right);
}

/** Halves the lanes of two sums and puts them side by side. */
// @ts-ignore: decorator
@inline function mergePair(a: v128, b: v128): v128 {
  return i32x4.add(v128.shuffle<u64>(a, b, 0, 2), v128.shuffle<u64>(a, b, 1, 3));
}

/** Writes the 4 features (u32); 0 means none, and all-zero blocks give none. */
// @ts-ignore: decorator
@inline export function storeSketch(
  out: usize,
  max0: v128,
  max1: v128,
  max2: v128,
  max3: v128,
): void {
  store<u32>(out, greatestLane(max0));
  store<u32>(out, greatestLane(max1), 4);
  store<u32>(out, greatestLane(max2), 8);
  store<u32>(out, greatestLane(max3), 12);
}

// @ts-ignore: decorator
@inline function greatestLane(lanes: v128): u32 {
  lanes = i32x4.max_u(lanes, v128.shuffle<u32>(lanes, lanes, 2, 3, 0, 1));
  lanes = i32x4.max_u(lanes, v128.shuffle<u32>(lanes, lanes, 1, 0, 3, 2));
  return i32x4.extract_lane(lanes, 0);
}
