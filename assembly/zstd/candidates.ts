// Where the bytes at a position stood before: tables of the optimal match finder. By 3 bytes and by
// 8 the last place is kept, by 4 the last eight. They name candidates and compare nothing but tags.
//
//   row (32 bytes): eight entries, the latest first
//   entry (u32): 12 bits of the hash | 20 bits position in the frame, which has 1 MiB at most
//
// With its tag a row tells which of the eight are worth a look without reading one of them: a chain
// of eight takes eight reads one after another, most of them from far away.
import { PRICES_END } from "./prices";

// @ts-ignore: decorator
@inline const ROW_LOG: u32 = 15;
// @ts-ignore: decorator
@inline const LOG_3: u32 = 16;
// @ts-ignore: decorator
@inline const LOG_8: u32 = 16;
// @ts-ignore: decorator
@inline const TAG_MASK: u32 = 0xfff00000;

// @ts-ignore: decorator
@inline const LAST_3: usize = PRICES_END;
// @ts-ignore: decorator
@inline const LAST_8: usize = LAST_3 + (4 << LOG_3);
// @ts-ignore: decorator
@inline const ROWS: usize = LAST_8 + (4 << LOG_8);
// @ts-ignore: decorator
@inline export const CANDIDATES_END: usize = ROWS + (32 << ROW_LOG);

/** Forgets what an earlier frame left. */
export function clearCandidates(state: usize): void {
  memory.fill(state + LAST_3, 0, CANDIDATES_END - LAST_3);
}

/** Enters a position; 8 bytes are read. */
// @ts-ignore: decorator
@inline
export function enter(at: usize, frameStart: usize, state: usize): void {
  const word = load<u64>(at);
  exchange3(state, <u32>word, at);
  exchange8(state, word, at);
  enterRow(rowOf(state, <u32>word), <u32>word, at - frameStart);
}

/** Enters `at` by three bytes; returns the last place that was, or 0. */
// @ts-ignore: decorator
@inline
export function exchange3(state: usize, word: u32, at: usize): usize {
  const place = state + (<usize>(((word << 8) * 506832829) >>> (32 - LOG_3)) << 2);
  const last = <usize>load<u32>(place, LAST_3);
  store<u32>(place, <u32>at, LAST_3);
  return last;
}

/** Enters `at` by eight bytes; returns the last place that was, or 0. */
// @ts-ignore: decorator
@inline
export function exchange8(state: usize, word: u64, at: usize): usize {
  const place = state + (<usize>((word * 0xcf1bbcdcb7a56463) >>> (64 - LOG_8)) << 2);
  const last = <usize>load<u32>(place, LAST_8);
  store<u32>(place, <u32>at, LAST_8);
  return last;
}

// @ts-ignore: decorator
@inline
function hashOf(word: u32): u32 {
  return word * 2654435761;
}

// @ts-ignore: decorator
@inline
export function rowOf(state: usize, word: u32): usize {
  return state + ROWS + (<usize>(hashOf(word) >>> (32 - ROW_LOG)) << 5);
}

/** One bit per entry of the row that may name these four bytes. An empty entry may seem to. */
// @ts-ignore: decorator
@inline
export function likelyOf(row: usize, word: u32): u32 {
  const mask = i32x4.splat(TAG_MASK);
  const tag = i32x4.splat((hashOf(word) << ROW_LOG) & TAG_MASK);
  const low = i32x4.eq(v128.and(v128.load(row), mask), tag);
  const high = i32x4.eq(v128.and(v128.load(row, 16), mask), tag);
  return i32x4.bitmask(low) | (i32x4.bitmask(high) << 4);
}

/** The position in the frame that an entry names. */
// @ts-ignore: decorator
@inline
export function positionOf(row: usize, entry: usize): usize {
  return <usize>(load<u32>(row + (entry << 2)) & ~TAG_MASK);
}

/** Enters a position and lets the oldest of the row go. */
// @ts-ignore: decorator
@inline
export function enterRow(row: usize, word: u32, position: usize): void {
  const entry = ((hashOf(word) << ROW_LOG) & TAG_MASK) | <u32>position;
  const low = v128.load(row);
  const high = v128.load(row, 16);
  v128.store(row, v128.shuffle<i32>(i32x4.splat(entry), low, 0, 4, 5, 6));
  v128.store(row, v128.shuffle<i32>(low, high, 3, 4, 5, 6), 16);
}
