// Windows of 24 bytes, sampled by their hash: by those at any offset of a few changed pages, and
// those at offsets divisible by 8 of all of a base image, what is new in the ones is found in the
// other, however it is shifted. It knows hashes only; the delta encoder compares.
//
//   table    2^bits places of u64: hash (low, 0: empty), frame where it was found (high)
//   filter   2^20 bits, by the upper bits of the hash: most windows of a base are told by it alone
import { PAGE_BYTES } from "./layout";
import { isZeroPage } from "./zero";

// @ts-ignore: decorator
@inline const ODD: u32 = 0x9e3779b1;
// @ts-ignore: decorator
@inline const FILTER_SHIFT: u32 = 12;
/** One window in four has no bit of these in its hash. */
// @ts-ignore: decorator
@inline const SAMPLE_MASK: u32 = 3;
/** Aligned windows of a page: the last ones are left out, so that four are hashed at a time. */
// @ts-ignore: decorator
@inline const WINDOWS: u32 = 508;
/** What `writeLanes` writes. */
// @ts-ignore: decorator
@inline const LANES_BYTES: usize = 256;

/**
 * Writes the hashes (u32, none is 0) of sampled windows around words that are not those of the
 * older page, `capacity` at most; not of one word over and over. `maskPtr` has the changed blocks.
 */
export function newWindows(
  olderPtr: usize,
  newerPtr: usize,
  maskPtr: usize,
  outPtr: usize,
  capacity: u32,
): u32 {
  const mask = load<u64>(maskPtr);
  let count: u32 = 0;
  for (let word: u32 = 0; word < WINDOWS; word++) {
    if (((mask >> (word >> 3)) & 1) == 0 && ((mask >> ((word + 3) >> 3)) & 1) == 0) continue;
    const at = newerPtr + <usize>(word << 3);
    const old = olderPtr + <usize>(word << 3);
    const differences = v128.or(
      v128.xor(v128.load(at), v128.load(old)),
      v128.xor(v128.load(at, 16), v128.load(old, 16)),
    );
    if (!v128.any_true(differences)) continue;
    for (let shift: usize = 0; shift < 8; shift++) {
      const a = load<u64>(at + shift);
      const b = load<u64>(at + shift, 8);
      const c = load<u64>(at + shift, 16);
      if (a == b && b == c) continue;
      const hash = hashWord(a) + rotl(hashWord(b) + rotl(hashWord(c), 13), 13);
      if ((hash & SAMPLE_MASK) != 0 || hash == 0) continue;
      if (count == capacity) return count;
      store<u32>(outPtr + <usize>(count++ << 2), hash);
    }
  }
  return count;
}

/**
 * Looks for the windows of a table in pages whose frames begin at `firstFrame`. Writes place and
 * frame (u32 each) of those that are not known to be in this or an earlier frame, the first frame
 * of each, `capacity` at most. `seenPtr` has 2^bits bits of scratch, `listPtr` 4096 bytes. Returns
 * how many. Which windows are sampled, and which of them pass the filter, is as good as random: so
 * that no branch depends on it, they are listed first, page by page.
 */
export function searchWindows(
  pagesPtr: usize,
  pageCount: u32,
  firstFrame: u32,
  tablePtr: usize,
  bits: u32,
  filterPtr: usize,
  seenPtr: usize,
  listPtr: usize,
  outPtr: usize,
  capacity: u32,
): u32 {
  const list = listPtr + LANES_BYTES;
  writeLanes(listPtr);
  let count: u32 = 0;
  for (let page: u32 = 0; page < pageCount; page++) {
    const pagePtr = pagesPtr + <usize>(page * PAGE_BYTES);
    if (isZeroPage(pagePtr)) continue;
    const end = keepPassing(list, listSampled(pagePtr, listPtr, list), filterPtr);
    for (let at = list; at < end; at += 4) {
      const hash = load<u32>(at);
      const place = placeOf(tablePtr, bits, hash);
      const known = load<u64>(tablePtr + (<usize>place << 3));
      if (<u32>known != hash || <u32>(known >> 32) <= firstFrame + page) continue;
      const seen = seenPtr + <usize>(place >> 3);
      const bit: u32 = 1 << (place & 7);
      const held = <u32>load<u8>(seen);
      if ((held & bit) != 0) continue;
      store<u8>(seen, held | bit);
      if (count == capacity) return count;
      const out = outPtr + <usize>(count++ << 3);
      store<u32>(out, place);
      store<u32>(out, firstFrame + page, 4);
    }
  }
  return count;
}

/** For each of 16 sets of lanes, the bytes of these lanes one after another. */
// @ts-ignore: decorator
@inline
function writeLanes(ptr: usize): void {
  for (let lanes: u32 = 0; lanes < 16; lanes++) {
    let out = ptr + <usize>(lanes << 4);
    for (let lane: u32 = 0; lane < 4; lane++) {
      store<u32>(out, 0x03020100 + lane * 0x04040404);
      out += <usize>(((lanes >> lane) & 1) << 2);
    }
  }
}

/** Lists the hashes (u32) of a page that are sampled; returns where the list ends. */
// @ts-ignore: decorator
@inline
function listSampled(pagePtr: usize, lanesPtr: usize, list: usize): usize {
  let end = list;
  let words = hashWords(pagePtr);
  for (let at = pagePtr; at < pagePtr + <usize>PAGE_BYTES - 32; at += 32) {
    const next = hashWords(at + 32);
    const second = v128.shuffle<u32>(words, next, 1, 2, 3, 4);
    const third = v128.shuffle<u32>(words, next, 2, 3, 4, 5);
    const hashes = i32x4.add(words, rotate(i32x4.add(second, rotate(third))));
    words = next;
    const unsampled = v128.and(hashes, i32x4.splat(SAMPLE_MASK));
    const sampled = i32x4.bitmask(i32x4.eq(unsampled, i32x4.splat(0)));
    const order = v128.load(lanesPtr + (<usize>sampled << 4));
    v128.store(end, i8x16.swizzle(hashes, order));
    end += <usize>popcnt(sampled) << 2;
  }
  return end;
}

/** Keeps those of a list that pass the filter; returns where it ends now. */
// @ts-ignore: decorator
@inline
function keepPassing(list: usize, end: usize, filterPtr: usize): usize {
  let kept = list;
  for (let at = list; at < end; at += 4) {
    const hash = load<u32>(at);
    store<u32>(kept, hash);
    kept += <usize>passes(filterPtr, hash) << 2;
  }
  return kept;
}

/**
 * Puts windows into an empty or half full table and its filter, not yet found; writes the place
 * (u32) of each one.
 */
export function insertWindows(
  tablePtr: usize,
  bits: u32,
  filterPtr: usize,
  hashesPtr: usize,
  count: u32,
  placesPtr: usize,
): void {
  for (let i: u32 = 0; i < count; i++) {
    const hash = load<u32>(hashesPtr + <usize>(i << 2));
    const place = placeOf(tablePtr, bits, hash);
    store<u64>(tablePtr + (<usize>place << 3), <u64>hash | 0xffffffff00000000);
    const bit = hash >> FILTER_SHIFT;
    const byte = filterPtr + <usize>(bit >> 3);
    store<u8>(byte, <u32>load<u8>(byte) | (1 << (bit & 7)));
    store<u32>(placesPtr + <usize>(i << 2), place);
  }
}

/** The place that has the hash, or the empty one where it would go. */
// @ts-ignore: decorator
@inline
function placeOf(tablePtr: usize, bits: u32, hash: u32): u32 {
  const last = (1 << bits) - 1;
  let place = (hash * ODD) >> (32 - bits);
  let held = load<u32>(tablePtr + (<usize>place << 3));
  while (held != 0 && held != hash) {
    place = (place + 1) & last;
    held = load<u32>(tablePtr + (<usize>place << 3));
  }
  return place;
}

// @ts-ignore: decorator
@inline
function passes(filterPtr: usize, hash: u32): u32 {
  const bit = hash >> FILTER_SHIFT;
  return ((<u32>load<u8>(filterPtr + <usize>(bit >> 3))) >> (bit & 7)) & 1;
}

/** Of four words at once, what `hashWord` gives of each. */
// @ts-ignore: decorator
@inline
function hashWords(ptr: usize): v128 {
  const odd = i32x4.splat(ODD);
  const a = i32x4.mul(v128.load(ptr), odd);
  const b = i32x4.mul(v128.load(ptr, 16), odd);
  const low = v128.shuffle<u32>(a, b, 0, 2, 4, 6);
  const high = v128.shuffle<u32>(a, b, 1, 3, 5, 7);
  return i32x4.add(low, rotate(high));
}

// @ts-ignore: decorator
@inline
function hashWord(word: u64): u32 {
  return <u32>word * ODD + rotl(<u32>(word >> 32) * ODD, 13);
}

// @ts-ignore: decorator
@inline
function rotate(lanes: v128): v128 {
  return v128.or(i32x4.shl(lanes, 13), i32x4.shr_u(lanes, 19));
}
