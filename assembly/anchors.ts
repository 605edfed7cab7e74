// Anchors: windows of 32 bytes, sampled by their own content, by which pages that share some bytes
// are found wherever these stand. Only windows at offsets divisible by 8 count, which is where
// memory puts its words. It knows hashes only; the delta encoder compares the bytes.
import { ANCHORS_MAX, PAGE_BYTES, SURVEY_ORDINARY, SURVEY_RECORD_BYTES } from "./layout";

// @ts-ignore: decorator
@inline const WINDOW_BYTES: usize = 32;

/**
 * Writes the anchors (u32) of all ordinary pages one after another at `anchorsPtr`, and how many
 * each page has (u8) at `countsPtr`. One window in 2^sampleBits becomes one. Returns their number.
 */
export function anchorPages(
  recordsPtr: usize,
  pagesPtr: usize,
  pageCount: u32,
  anchorsPtr: usize,
  countsPtr: usize,
  sampleBits: u32,
): u32 {
  const sample = i32x4.splat(1 << (32 - sampleBits));
  let out = anchorsPtr;
  for (let page: u32 = 0; page < pageCount; page++) {
    const start = out;
    if (load<u32>(recordsPtr + <usize>(page * SURVEY_RECORD_BYTES)) == SURVEY_ORDINARY) {
      out = anchorPage(pagesPtr + <usize>(page * PAGE_BYTES), sample, out);
    }
    store<u8>(countsPtr + <usize>page, <u8>((out - start) >> 2));
  }
  return <u32>((out - anchorsPtr) >> 2);
}

/** Four windows at once, sampled by their first halves; the other halves are seldom looked at. */
// @ts-ignore: decorator
@inline
function anchorPage(pagePtr: usize, sample: v128, out: usize): usize {
  const end = out + <usize>(ANCHORS_MAX << 2);
  let words = hashWords(pagePtr);
  for (let at = pagePtr; at < pagePtr + <usize>PAGE_BYTES - WINDOW_BYTES; at += WINDOW_BYTES) {
    const next = hashWords(at + WINDOW_BYTES);
    const second = v128.shuffle<u32>(words, next, 1, 2, 3, 4);
    const halves = i32x4.add(words, rotate(second));
    let sampled = i32x4.bitmask(i32x4.lt_u(halves, sample));
    words = next;
    for (; sampled != 0; sampled &= sampled - 1) {
      const window = at + (<usize>ctz(sampled) << 3);
      if (isUniform(window)) continue;
      store<u32>(out, hashWindow(window));
      out += 4;
      if (out == end) return out;
    }
  }
  return out;
}

/** Hashes of four words, whose high bits depend on all bits. */
// @ts-ignore: decorator
@inline
function hashWords(ptr: usize): v128 {
  const odd = i32x4.splat(0x9e3779b1);
  const a = i32x4.mul(v128.load(ptr), odd);
  const b = i32x4.mul(v128.load(ptr, 16), odd);
  const low = v128.shuffle<u32>(a, b, 0, 2, 4, 6);
  const high = v128.shuffle<u32>(a, b, 1, 3, 5, 7);
  return i32x4.add(i32x4.sub(low, odd), rotate(high));
}

// @ts-ignore: decorator
@inline
function rotate(lanes: v128): v128 {
  return v128.or(i32x4.shl(lanes, 13), i32x4.shr_u(lanes, 19));
}

// @ts-ignore: decorator
@inline
function hashWindow(ptr: usize): u32 {
  const a = (load<u64>(ptr) ^ 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9;
  const b = (rotl(a, 27) ^ load<u64>(ptr, 8)) * 0xbf58476d1ce4e5b9;
  const c = (rotl(b, 27) ^ load<u64>(ptr, 16)) * 0xbf58476d1ce4e5b9;
  const d = (rotl(c, 27) ^ load<u64>(ptr, 24)) * 0xbf58476d1ce4e5b9;
  return <u32>(d >> 32);
}

/** Runs of one word stand in every other page and are cheap to compress. */
// @ts-ignore: decorator
@inline
function isUniform(ptr: usize): bool {
  const word = load<u64>(ptr);
  return word == load<u64>(ptr, 8) && word == load<u64>(ptr, 16) && word == load<u64>(ptr, 24);
}
