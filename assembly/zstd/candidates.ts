// Where the bytes at a position stood before: tables of the optimal match finder. By 3 bytes the
// last place is kept, by 5 the last eight. Positions are looked up and entered many at a time,
// ahead of the choice among what they find: reads from far away then wait for each other no more.
//
//   row (32 bytes): eight entries, the latest first
//   entry (u32): 12 bits of the hash | 20 bits position in the frame, which has 1 MiB at most
//   record of a position (48 bytes): its row before it was entered | u32 last place of its three
//     bytes, or 0 | u32 one bit per entry of the row that may name its five bytes | 8 bytes free
import { PRICES_END } from "./prices";
import { STATE_FRAME } from "./sequence";

// @ts-ignore: decorator
@inline const ROW_LOG: u32 = 15;
// @ts-ignore: decorator
@inline const LOG_3: u32 = 16;
// @ts-ignore: decorator
@inline const TAG_MASK: u32 = 0xfff00000;
/** Positions that are looked up ahead. */
// @ts-ignore: decorator
@inline const AHEAD: usize = 128;
/** Of those, so many at a time: what one pass has touched is still near for the next one. */
// @ts-ignore: decorator
@inline const BATCH: usize = 32;
/** Closer to the end of a block nothing is searched: 8 bytes behind a match of 8 can be read. */
// @ts-ignore: decorator
@inline export const SEARCH_MARGIN: usize = 16;

// @ts-ignore: decorator
@inline const RECORD_BYTES: usize = 48;
// @ts-ignore: decorator
@inline const NEAR: usize = 32;
// @ts-ignore: decorator
@inline const LIKELY: usize = 36;

// Rows that straddle two cache lines would cost twice.
// @ts-ignore: decorator
@inline const ROWS: usize = (PRICES_END + 63) & ~63;
// @ts-ignore: decorator
@inline const LAST_3: usize = ROWS + (32 << ROW_LOG);
// @ts-ignore: decorator
@inline const RECORDS: usize = LAST_3 + (4 << LOG_3);
/** The first position that has a record, and the first one that has none yet. */
// @ts-ignore: decorator
@inline const FIRST: usize = RECORDS + AHEAD * RECORD_BYTES;
// @ts-ignore: decorator
@inline const END: usize = FIRST + 4;
// @ts-ignore: decorator
@inline export const CANDIDATES_END: usize = FIRST + 64;

/** Forgets what an earlier frame left. */
export function clearCandidates(state: usize): void {
  memory.fill(state + ROWS, 0, RECORDS - ROWS);
}

/** Goes on at `at`; what was not entered before it never will be. */
// @ts-ignore: decorator
@inline
export function lookFrom(state: usize, at: usize): void {
  store<u32>(state, <u32>at, FIRST);
  store<u32>(state, <u32>at, END);
}

/** Leaves out what lies before `at` and has not been entered. */
// @ts-ignore: decorator
@inline
export function skipTo(state: usize, at: usize): void {
  if (at > <usize>load<u32>(state, END)) lookFrom(state, at);
}

/** Looks a single position up, for one that goes in leaps. */
export function lookAt(state: usize, at: usize): void {
  if (at < <usize>load<u32>(state, END)) return;
  store<u32>(state, <u32>at, FIRST);
  store<u32>(state, <u32>at + 1, END);
  look(at, at + 1, state);
}

/** The record of a position, no earlier than the last one asked for. */
// @ts-ignore: decorator
@inline
export function recordOf(state: usize, at: usize, blockEnd: usize): usize {
  if (at >= <usize>load<u32>(state, END)) lookAhead(state, at, blockEnd);
  return state + RECORDS + (at - <usize>load<u32>(state, FIRST)) * RECORD_BYTES;
}

/** Enters all positions up to `at` and some more. */
function lookAhead(state: usize, at: usize, blockEnd: usize): void {
  const stop = blockEnd - SEARCH_MARGIN + 1;
  let from = <usize>load<u32>(state, END);
  let to = min(from + AHEAD, stop);
  look(from, to, state);
  while (to <= at) {
    from = to;
    to = min(from + AHEAD, stop);
    look(from, to, state);
  }
  store<u32>(state, <u32>from, FIRST);
  store<u32>(state, <u32>to, END);
}

function look(from: usize, to: usize, state: usize): void {
  const frameStart = <usize>load<u32>(state, STATE_FRAME);
  let record = state + RECORDS;
  for (let at = from; at < to; at += BATCH) {
    const end = min(to, at + BATCH);
    enterLast(at, end, record, state);
    enterRows(at, end, record, frameStart);
    record += BATCH * RECORD_BYTES;
  }
}

/** Enters positions by three bytes. Leaves row and tag in the records, and touches the rows. */
function enterLast(from: usize, to: usize, record: usize, state: usize): void {
  for (let at = from; at < to; at++) {
    const word = load<u64>(at);
    const place = state + (<usize>(((<u32>word << 8) * 506832829) >>> (32 - LOG_3)) << 2);
    const last = <usize>load<u32>(place, LAST_3);
    store<u32>(place, <u32>at, LAST_3);
    const isSame = ((load<u32>(last) ^ <u32>word) << 8) == 0;
    store<u32>(record, isSame ? <u32>last : 0, NEAR);
    const hash = (word << 24) * 0xcf1bbcdcb7a56463;
    const row = state + (<usize>(hash >>> (64 - ROW_LOG)) << 5);
    store<u32>(record, <u32>row);
    store<u32>(record, <u32>(hash >>> (32 - ROW_LOG)) & TAG_MASK, 4);
    // Read for its being near afterwards; the value is overwritten.
    store<u32>(record, load<u32>(row, ROWS), 8);
    record += RECORD_BYTES;
  }
}

/** Enters positions by five bytes and lets the oldest of each row go. */
function enterRows(from: usize, to: usize, record: usize, frameStart: usize): void {
  const mask = i32x4.splat(TAG_MASK);
  for (let at = from; at < to; at++) {
    const row = <usize>load<u32>(record);
    const top = load<u32>(record, 4);
    const tag = i32x4.splat(top);
    const low = v128.load(row, ROWS);
    const high = v128.load(row, ROWS + 16);
    const lowBits = i32x4.bitmask(i32x4.eq(v128.and(low, mask), tag));
    const highBits = i32x4.bitmask(i32x4.eq(v128.and(high, mask), tag));
    store<u32>(record, lowBits | (highBits << 4), LIKELY);
    v128.store(record, low);
    v128.store(record, high, 16);
    const entry = i32x4.splat(top | <u32>(at - frameStart));
    v128.store(row, v128.shuffle<i32>(entry, low, 0, 4, 5, 6), ROWS);
    v128.store(row, v128.shuffle<i32>(low, high, 3, 4, 5, 6), ROWS + 16);
    record += RECORD_BYTES;
  }
}

/** The last place of the same three bytes, or 0. */
// @ts-ignore: decorator
@inline
export function nearAt(record: usize): usize {
  return <usize>load<u32>(record, NEAR);
}

/** One bit per entry that may name the same five bytes. An empty entry may seem to. */
// @ts-ignore: decorator
@inline
export function likelyAt(record: usize): u32 {
  return load<u32>(record, LIKELY);
}

/** The position in the frame that an entry names. */
// @ts-ignore: decorator
@inline
export function positionOf(record: usize, entry: usize): usize {
  return <usize>(load<u32>(record + (entry << 2)) & ~TAG_MASK);
}
