// Where new content stands among pages, shifted by any number of bytes: the pages are indexed by
// windows of 24 bytes at offsets divisible by 8, and looked for at every offset of what is new.
// Found blocks are marked; how they are used is the compressor's business.
//
//   table    2^bits places of u32: word of the pages (8 bytes) + 1, 0: empty; later words win
//   marks    u64 per page: bit i stands for its block i of 64 bytes
import { PAGE_BYTES } from "./layout";
import { isZeroPage } from "./zero";

// @ts-ignore: decorator
@inline const WINDOW_BYTES: usize = 24;
/** Only every second window is looked at: those of an even hash. */
// @ts-ignore: decorator
@inline const SAMPLE_MASK: u64 = 1;
/** Shorter matches cost more than they save. */
// @ts-ignore: decorator
@inline const MIN_MATCH: usize = 32;

/** Makes pages findable in an emptied table. */
export function indexPieces(pagesPtr: usize, pageCount: u32, tablePtr: usize, bits: u32): void {
  memory.fill(tablePtr, 0, <usize>4 << <usize>bits);
  for (let page: u32 = 0; page < pageCount; page++) {
    const pagePtr = pagesPtr + <usize>(page * PAGE_BYTES);
    if (isZeroPage(pagePtr)) continue;
    const end = pagePtr + <usize>PAGE_BYTES - WINDOW_BYTES;
    for (let at = pagePtr; at <= end; at += 8) {
      const hash = hashWindow(at);
      if ((hash & SAMPLE_MASK) != 0) continue;
      store<u32>(placeOf(tablePtr, bits, hash), <u32>((at - pagesPtr) >>> 3) + 1);
    }
  }
}

/**
 * Marks the blocks of the pages in which content of [newPtr, newPtr + length) stands that is not
 * at the same offset of the older content. Returns the bytes that were found.
 */
export function findPieces(
  newPtr: usize,
  olderPtr: usize,
  length: u32,
  pagesPtr: usize,
  pageCount: u32,
  tablePtr: usize,
  bits: u32,
  marksPtr: usize,
): u32 {
  const pagesEnd = pagesPtr + <usize>(pageCount * PAGE_BYTES);
  const newEnd = newPtr + <usize>length;
  const toOlder = olderPtr - newPtr;
  let found: u32 = 0;
  let done = newPtr;
  for (let at = newPtr; at + WINDOW_BYTES <= newEnd; at++) {
    if (load<u64>(at) == load<u64>(at + toOlder)) {
      at += 7;
      continue;
    }
    const hash = hashWindow(at);
    if ((hash & SAMPLE_MASK) != 0) continue;
    const entry = load<u32>(placeOf(tablePtr, bits, hash));
    if (entry == 0) continue;
    const source = pagesPtr + (<usize>(entry - 1) << 3);
    if (load<u64>(source) != load<u64>(at)) continue;
    const ahead = equalAhead(at, source, min(newEnd - at, pagesEnd - source));
    const behind = equalBehind(at, source, min(at - done, source - pagesPtr));
    if (ahead + behind < MIN_MATCH) continue;
    mark(marksPtr, source - behind - pagesPtr, source + ahead - pagesPtr);
    found += <u32>(ahead + behind);
    done = at + ahead;
    at = done - 1;
  }
  return found;
}

/** Marks the blocks that hold bytes [from, to) of the pages. */
function mark(marksPtr: usize, from: usize, to: usize): void {
  for (let block = from >>> 6; block <= (to - 1) >>> 6; block++) {
    const at = marksPtr + ((block >>> 6) << 3);
    store<u64>(at, load<u64>(at) | (<u64>1 << <u64>(block & 63)));
  }
}

function equalAhead(a: usize, b: usize, limit: usize): usize {
  let length: usize = 0;
  while (length + 8 <= limit) {
    const differing = load<u64>(a + length) ^ load<u64>(b + length);
    if (differing != 0) return length + <usize>(ctz(differing) >>> 3);
    length += 8;
  }
  while (length < limit && load<u8>(a + length) == load<u8>(b + length)) length++;
  return length;
}

function equalBehind(a: usize, b: usize, limit: usize): usize {
  let length: usize = 0;
  while (length < limit && load<u8>(a - length - 1) == load<u8>(b - length - 1)) length++;
  return length;
}

/** The high bits depend on all bits; a window of one word over and over is never looked at. */
// @ts-ignore: decorator
@inline
function hashWindow(ptr: usize): u64 {
  const a = load<u64>(ptr);
  const b = load<u64>(ptr, 8);
  const c = load<u64>(ptr, 16);
  if (a == b && b == c) return 1;
  const sum = (a * 0x9e3779b97f4a7c15) ^ (rotl(b, 23) * 0xbf58476d1ce4e5b9) ^ rotl(c, 46);
  const mixed = sum * 0x94d049bb133111eb;
  return mixed ^ (mixed >>> 32);
}

// @ts-ignore: decorator
@inline
function placeOf(tablePtr: usize, bits: u32, hash: u64): usize {
  return tablePtr + (<usize>(hash >>> <u64>(64 - bits)) << 2);
}
