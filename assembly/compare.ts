// Proves that pages are equal, pair by pair: what a fingerprint only suggests. A pair that differs
// costs no more than its equal beginning.
import { PAGE_BYTES } from "./layout";

/** Compares pairs of pages (u32 a, u32 b); one byte 1 or 0 per pair. Returns the equal pairs. */
export function compare(pairsPtr: usize, pairCount: u32, resultsPtr: usize): u32 {
  let equal: u32 = 0;
  for (let i: u32 = 0; i < pairCount; i++) {
    const same = pagesEqual(load<u32>(pairsPtr), load<u32>(pairsPtr, 4));
    store<u8>(resultsPtr + i, same);
    equal += same;
    pairsPtr += 8;
  }
  return equal;
}

/** 1 if both pages hold the same bytes, else 0. */
function pagesEqual(a: usize, b: usize): u32 {
  for (let end = a + PAGE_BYTES; a < end; a += 64) {
    const left = v128.or(
      v128.xor(v128.load(a), v128.load(b)),
      v128.xor(v128.load(a, 16), v128.load(b, 16)),
    );
    const right = v128.or(
      v128.xor(v128.load(a, 32), v128.load(b, 32)),
      v128.xor(v128.load(a, 48), v128.load(b, 48)),
    );
    if (v128.any_true(v128.or(left, right))) return 0;
    b += 64;
  }
  return 1;
}
