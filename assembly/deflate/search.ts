// Finds the matches of a page as zlib's level 1 does: of up to 4 earlier places with the same hash
// of 3 bytes the first whose match is longest, 8 bytes being good enough, and no second thoughts.
//
// The pages of one window share the table of hashes. What it holds of the pages before lies below
// the page and reads as no place at all; as does the first byte of the page, since zlib's position
// 0 stands for "none".
import { writeBlock } from "./block";
import { distanceCodeOf, lengthCodeOf } from "./codes";
import * as at from "./layout";

// @ts-ignore: decorator
@inline const CHAIN: u32 = 4;
// @ts-ignore: decorator
@inline const GOOD_ENOUGH: u32 = 8;
/** Only of matches up to this length the places inside are entered into the table. */
// @ts-ignore: decorator
@inline const ENTERED_MATCH: u32 = 4;
/** Writes the blocks of the page at `floor` of a window. Reads up to 8 bytes behind the page. */
export function writePage(window: usize, floor: u32, pageBytes: u32, scratch: usize): void {
  const page = window + <usize>floor;
  const end = page + <usize>pageBytes;
  const symbols = scratch + at.SYMBOLS;
  const lastSymbol = symbols + (<usize>at.BLOCK_SYMBOLS << 2);
  let symbol = symbols;
  let blockStart = page;
  let ip = page;
  while (ip < end) {
    const from = ip;
    const match = end - ip >= at.MIN_MATCH ? findMatch(window, floor, ip, end, scratch) : 0;
    if (match != 0) {
      const length = match & 0xffff;
      const distance = match >>> 16;
      store<u32>(symbol, (distance << 8) | (length - at.MIN_MATCH));
      count(at.LITERAL_COUNTS, at.FIRST_LENGTH + lengthCodeOf(length - at.MIN_MATCH), scratch);
      count(at.DISTANCE_COUNTS, distanceCodeOf(distance - 1), scratch);
      ip += length;
      if (length <= ENTERED_MATCH && end - ip >= at.MIN_MATCH) {
        for (let inside = from + 1; inside < ip; inside++) enter(window, inside, scratch);
      }
    } else {
      const literal = <u32>load<u8>(ip++);
      store<u32>(symbol, literal);
      count(at.LITERAL_COUNTS, literal, scratch);
    }
    symbol += 4;
    if (symbol == lastSymbol) {
      store<u32>(scratch, at.BLOCK_SYMBOLS, at.SYMBOL_COUNT);
      writeBlock(blockStart, <u32>(ip - blockStart), false, scratch);
      blockStart = ip;
      symbol = symbols;
    }
  }
  store<u32>(scratch, <u32>((symbol - symbols) >>> 2), at.SYMBOL_COUNT);
  writeBlock(blockStart, <u32>(end - blockStart), true, scratch);
}

// @ts-ignore: decorator
@inline
function count(counts: usize, symbol: u32, scratch: usize): void {
  const counter = scratch + counts + (<usize>symbol << 2);
  store<u32>(counter, load<u32>(counter) + 1);
}

/** Enters a place into the table; returns the place that its hash had before. */
// @ts-ignore: decorator
@inline
function enter(window: usize, ip: usize, scratch: usize): u32 {
  const word = load<u32>(ip);
  const hash = ((word << 10) & 0x7c00) ^ ((word >>> 3) & 0x1fe0) ^ ((word >>> 16) & 0xff);
  const head = scratch + (<usize>hash << 1);
  const before = <u32>load<u16>(head, at.HEADS);
  store<u16>(scratch + ((ip - window) << 1), <u16>before, at.BEFORE);
  store<u16>(head, <u16>(ip - window), at.HEADS);
  return before;
}

/** Enters a place and looks for a match there: distance << 16 | length, or 0. */
// @ts-ignore: decorator
@inline
function findMatch(window: usize, floor: u32, ip: usize, end: usize, scratch: usize): u32 {
  const place = <u32>(ip - window);
  let before = enter(window, ip, scratch);
  // From its second place on, zlib looks one byte less far.
  const isFar = place - floor > at.MAX_DISTANCE;
  const lowest = (isFar ? place - at.MAX_DISTANCE : floor) + 1;
  if (before < lowest - u32(isFar)) return 0;
  const word = load<u64>(ip);
  const ahead = <u32>min<usize>(end - ip, at.MAX_MATCH);
  const enough = min(GOOD_ENOUGH, ahead);
  let best: u32 = at.MIN_MATCH - 1;
  let found: u32 = 0;
  for (let left = CHAIN; ; ) {
    const differing = load<u64>(window + before) ^ word;
    if (<u32>differing << 8 == 0) {
      const length =
        differing != 0
          ? min(<u32>ctz(differing) >>> 3, ahead)
          : matchLength(ip, window + before, ahead);
      if (length > best) {
        best = length;
        found = before;
        if (length >= enough) break;
      }
    }
    before = <u32>load<u16>(scratch + (<usize>before << 1), at.BEFORE);
    if (before < lowest || --left == 0) break;
  }
  return best < at.MIN_MATCH ? 0 : ((place - found) << 16) | best;
}

/** Equal bytes from the 9th on, up to `limit` in all. */
function matchLength(ip: usize, match: usize, limit: u32): u32 {
  let length: u32 = 8;
  while (length < limit) {
    const differing = load<u64>(ip + length) ^ load<u64>(match + length);
    if (differing != 0) return min(length + (<u32>ctz(differing) >>> 3), limit);
    length += 8;
  }
  return limit;
}
