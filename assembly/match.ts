// Where in the reference pages the bytes of a page stand: at the same offset, or anywhere by means
// of an anchor table. It knows nothing of the format of a delta (see delta.ts).
//
// A position is reference << 12 | offset; a match is length << 14 | position, and 0 means none.
//
// The anchor table lives in scratch, for one page. A place of it is a u16:
// tag << 11 | reference << 9 | word of its page. The tag is five bits of the hash: without it every
// third look-up of unknown bytes would end in a compare and a mispredicted branch. An empty place
// names the first word of the first reference; all bytes are compared before they count.
import { PAGE_BYTES } from "./layout";

/** Stands for no position. */
// @ts-ignore: decorator
@inline export const NO_POSITION: u32 = 0xffffffff;
/** Bits of an offset in a page. */
// @ts-ignore: decorator
@inline export const OFFSET_BITS: u32 = 12;

// @ts-ignore: decorator
@inline export const POSITION_BITS: u32 = OFFSET_BITS + 2;
/** Matches are found by words of eight bytes: shorter ones are left to the compressor. */
// @ts-ignore: decorator
@inline export const WORD_BYTES: u32 = 8;
/** A match elsewhere costs two bytes more than one in place, and breaks what would compress. */
// @ts-ignore: decorator
@inline const MIN_ANCHORED_BYTES: u32 = 12;
/** With a match in place that is as long as this, nobody looks for a better one. */
// @ts-ignore: decorator
@inline export const GOOD_MATCH: u32 = 32 << POSITION_BITS;
/** How far a match grows backwards. It is bounded so that a hopeless page is given up early: of the
 * literals that wait, all but these are sure to be written. */
// @ts-ignore: decorator
@inline export const MAX_BEHIND_BYTES: u32 = 64;

// @ts-ignore: decorator
@inline const TABLE_BITS: u32 = 12;
// @ts-ignore: decorator
@inline const TAG_BITS: u32 = 5;
/** Every eighth byte is an anchor, so a run of 15 equal bytes has one. Twice as many cost a third
 * more time for 1 % of the size, because most of memory is words of 8 bytes. */
// @ts-ignore: decorator
@inline const STRIDE_BITS: u32 = 3;

/** Fills the table with the anchors of `refCount` pages. */
export function indexAnchors(tablePtr: usize, refsPtr: usize, refCount: u32): void {
  memory.fill(tablePtr, 0, 2 << TABLE_BITS);
  // Backwards, so that the first place of repeated bytes wins: it has most of them ahead.
  for (let reference = <i32>refCount - 1; reference >= 0; reference--) {
    const refPtr = <usize>load<u32>(refsPtr + reference * 4);
    const first = <u32>reference << (OFFSET_BITS - STRIDE_BITS);
    for (let word = <i32>(PAGE_BYTES >> STRIDE_BITS) - 1; word >= 0; word--) {
      const hash = hashOf(load<u64>(refPtr + (word << STRIDE_BITS)));
      store<u16>(placeOf(tablePtr, hash), (tagOf(hash) << (16 - TAG_BITS)) | first | word);
    }
  }
}

/** A position where these eight bytes may stand, or NO_POSITION. */
// @ts-ignore: decorator
@inline
export function findAnchor(tablePtr: usize, word: u64): u32 {
  const hash = hashOf(word);
  const place = <u32>load<u16>(placeOf(tablePtr, hash));
  if (place >> (16 - TAG_BITS) != tagOf(hash)) return NO_POSITION;
  return (place << STRIDE_BITS) & ((4 << OFFSET_BITS) - 1);
}

/** The high bits of a product depend on all bits of the word. */
// @ts-ignore: decorator
@inline
function hashOf(word: u64): u32 {
  return <u32>((word * 0x9e3779b97f4a7c15) >> (64 - TABLE_BITS - TAG_BITS));
}

// @ts-ignore: decorator
@inline
function tagOf(hash: u32): u32 {
  return hash & ((1 << TAG_BITS) - 1);
}

// @ts-ignore: decorator
@inline
function placeOf(tablePtr: usize, hash: u32): usize {
  return tablePtr + (<usize>(hash >> TAG_BITS) << 1);
}

/** The longest match with a reference at the same offset. */
// @ts-ignore: decorator
@inline
export function matchInPlace(pagePtr: usize, at: u32, refsPtr: usize, refCount: u32): u32 {
  const word = load<u64>(pagePtr + at);
  let best: u32 = 0;
  let bestLength: u32 = 0;
  for (let reference: u32 = 0; reference < refCount; reference++) {
    const refPtr = <usize>load<u32>(refsPtr + reference * 4);
    if (load<u64>(refPtr + at) != word) continue;
    const length = equalAhead(pagePtr + at, refPtr + at, PAGE_BYTES - at);
    if (length <= bestLength) continue;
    bestLength = length;
    best = (length << POSITION_BITS) | (reference << OFFSET_BITS) | at;
  }
  return best;
}

/** The match that the anchor table knows, if it pays; its length counts what lies ahead. */
// @ts-ignore: decorator
@inline
export function matchAnchored(
  pagePtr: usize,
  at: u32,
  literal: u32,
  refsPtr: usize,
  scratchPtr: usize,
): u32 {
  const word = load<u64>(pagePtr + at);
  const position = findAnchor(scratchPtr, word);
  if (position == NO_POSITION) return 0;
  const source = position & (PAGE_BYTES - 1);
  const refPtr = <usize>load<u32>(refsPtr + (position >> OFFSET_BITS) * 4);
  if (load<u64>(refPtr + source) != word) return 0;
  const length = equalAhead(pagePtr + at, refPtr + source, PAGE_BYTES - max(at, source));
  if (length < MIN_ANCHORED_BYTES) {
    const behind = equalBehind(pagePtr + at, refPtr + source, min(at - literal, source));
    if (length + behind < MIN_ANCHORED_BYTES) return 0;
  }
  return (length << POSITION_BITS) | position;
}

/** How many bytes from `a` and `b` on are equal, at most `limit`. */
function equalAhead(a: usize, b: usize, limit: u32): u32 {
  let length: u32 = 0;
  while (length + 16 <= limit) {
    const unequal = i8x16.bitmask(i8x16.ne(v128.load(a + length), v128.load(b + length)));
    if (unequal != 0) return length + ctz(unequal);
    length += 16;
  }
  while (length < limit && load<u8>(a + length) == load<u8>(b + length)) length++;
  return length;
}

/** How many bytes before `a` and `b` are equal, at most `limit` and MAX_BEHIND_BYTES. */
export function equalBehind(a: usize, b: usize, limit: u32): u32 {
  const most = min(limit, MAX_BEHIND_BYTES);
  let length: u32 = 0;
  while (length < most && load<u8>(a - length - 1) == load<u8>(b - length - 1)) length++;
  return length;
}
