// The match finder of Zstandard level 1: greedy, with one candidate for the next 8 bytes and one
// for the next 5. It writes sequence records and the literals between them (sequence.ts); it knows
// nothing of blocks' headers or entropy.
//
// Tables hold addresses. All places of a fresh table name the start of the frame, which is as good
// a candidate as any, so a candidate is always in the frame and before the position that asks.
import {
  copyLiterals,
  equalBefore,
  initState,
  lastLiterals,
  matchEnd,
  pushOffset,
  putSequence,
  SEQUENCE_BYTES,
  STATE_FRAME,
  STATE_LENGTH,
  STATE_REACHED,
  STATE_TABLES,
} from "./sequence";

// Logarithms of the places for 8 bytes; the table for 5 has half as many. Emptying tables must
// cost little against the frame.
// @ts-ignore: decorator
@inline const LARGE_LOG: u32 = 15;
// @ts-ignore: decorator
@inline const MEDIUM_LOG: u32 = 14;
// @ts-ignore: decorator
@inline const SMALL_LOG: u32 = 12;
// @ts-ignore: decorator
@inline const MEDIUM_FRAME: u32 = 65536;
// @ts-ignore: decorator
@inline const SMALL_FRAME: u32 = 8192;

/** Both tables stand at fixed places, so that loads and stores have constant offsets. */
// @ts-ignore: decorator
@inline const SHORT: usize = STATE_TABLES;
// @ts-ignore: decorator
@inline const LONG: usize = SHORT + (2 << LARGE_LOG);

/** A match that starts one byte on has 8 bytes known to be equal and 8 more that may be read. */
// @ts-ignore: decorator
@inline const SEARCH_MARGIN: usize = 17;
// The search goes a byte further per 2^7 literals in a row, so that noise costs little.
// @ts-ignore: decorator
@inline const SKIP_LOG: usize = 7;

/** Once per frame, before its first block. */
export function findFastInit(state: usize, frameLength: u32): void {
  initState(state, frameLength);
}

/** The number of sequences found in a block of the frame that starts at `frameStart`. */
export function findFast(
  frameStart: usize,
  blockStart: usize,
  blockEnd: usize,
  state: usize,
  sequences: usize,
  literals: usize,
): u32 {
  const length = load<u32>(state, STATE_LENGTH);
  if (blockEnd - blockStart <= SEARCH_MARGIN) {
    lastLiterals(literals, blockStart, blockEnd, literals, state);
    return 0;
  }
  const fresh = load<u32>(state, STATE_FRAME) == 0;
  store<u32>(state, <u32>frameStart, STATE_FRAME);
  // The shifts of the hashes must be constants of the loop: registers are dear there.
  if (length <= SMALL_FRAME) {
    if (fresh) fillTables(frameStart, state, SMALL_LOG);
    return search(blockStart, blockEnd, state, sequences, literals, SMALL_LOG);
  }
  if (length <= MEDIUM_FRAME) {
    if (fresh) fillTables(frameStart, state, MEDIUM_LOG);
    return search(blockStart, blockEnd, state, sequences, literals, MEDIUM_LOG);
  }
  if (fresh) fillTables(frameStart, state, LARGE_LOG);
  return search(blockStart, blockEnd, state, sequences, literals, LARGE_LOG);
}

function fillTables(frameStart: usize, state: usize, log: u32): void {
  const all = i32x4.splat(<i32>frameStart);
  fillWith(all, state + SHORT, 2 << log);
  fillWith(all, state + LONG, 4 << log);
}

function fillWith(all: v128, from: usize, bytes: usize): void {
  const to = from + bytes;
  for (let at = from; at < to; at += 64) {
    v128.store(at, all);
    v128.store(at, all, 16);
    v128.store(at, all, 32);
    v128.store(at, all, 48);
  }
}

// The loop calls nothing, as V8 would spill every variable around a call. What is needed once per
// sequence, the second and third offsets and the frame's start, lies in memory for the same reason.
// No offset reaches before the frame: the search starts behind its first byte, where 1 is at home;
// the others are the distance of a match before, or 4 behind a match. Three bytes at the last
// distance are a match too, since that offset costs a bit or two.
// @ts-ignore: decorator
@inline
function search(
  blockStart: usize,
  blockEnd: usize,
  state: usize,
  sequences: usize,
  literals: usize,
  log: u32,
): u32 {
  const searchEnd = blockEnd - SEARCH_MARGIN;
  let rep1 = <usize>load<u32>(state);
  let op = literals;
  let sq = sequences;
  let anchor = blockStart;
  let ip = anchor + <usize>(blockStart == <usize>load<u32>(state, STATE_FRAME));
  while (ip <= searchEnd) {
    const word = load<u64>(ip);
    const longAt = longPlace(word, state, log);
    const shortAt = shortPlace(word, state, log);
    let match = <usize>load<u32>(longAt, LONG);
    const near = <usize>load<u32>(shortAt, SHORT);
    store<u32>(longAt, <u32>ip, LONG);
    store<u32>(shortAt, <u32>ip, SHORT);
    let tail: usize;
    if (((load<u32>(ip - rep1, 1) ^ <u32>(word >>> 8)) << 8) == 0) {
      ip++;
      match = 0;
      tail = matchEnd(ip + 3, rep1, blockEnd);
    } else if (load<u64>(match) == word) {
      tail = matchEnd(ip + 8, ip - match, blockEnd);
    } else if (load<u32>(near) == <u32>word) {
      const next = load<u64>(ip, 1);
      const nextAt = longPlace(next, state, log);
      match = <usize>load<u32>(nextAt, LONG);
      store<u32>(nextAt, <u32>(ip + 1), LONG);
      if (load<u64>(match) == next) {
        ip++;
        tail = matchEnd(ip + 8, ip - match, blockEnd);
      } else {
        match = near;
        tail = matchEnd(ip + 4, ip - match, blockEnd);
      }
    } else {
      ip += ((ip - anchor) >>> SKIP_LOG) + 1;
      continue;
    }
    if (match != 0) {
      rep1 = ip - match;
      const room = min(ip - anchor, match - <usize>load<u32>(state, STATE_FRAME));
      ip -= min(equalBefore(ip, match), room);
      pushOffset(state, rep1);
    }
    copyLiterals(op, anchor, ip - anchor);
    op += ip - anchor;
    putSequence(sq, ip - anchor, tail - ip, match == 0 ? 1 : rep1 + 3);
    sq += SEQUENCE_BYTES;
    if (tail <= searchEnd) {
      enter(ip + 2, load<u64>(ip, 2), state, log);
      store<u32>(longPlace(load<u64>(tail - 2), state, log), <u32>(tail - 2), LONG);
      if (load<u32>(tail) == load<u32>(tail - <usize>load<u32>(state, 4))) {
        sq = repeatSecond(tail, searchEnd, state, sq, log);
        rep1 = <usize>load<u32>(state);
        tail = <usize>load<u32>(state, STATE_REACHED);
      }
    }
    anchor = ip = tail;
  }
  lastLiterals(op, anchor, blockEnd, literals, state);
  return <u32>((sq - sequences) / SEQUENCE_BYTES);
}

// With no literals before it, code 1 names the second offset, and the two change places. Returns
// the end of the records; the state says where the matches end.
// @ts-ignore: decorator
@inline
function repeatSecond(
  from: usize,
  searchEnd: usize,
  state: usize,
  sequences: usize,
  log: u32,
): usize {
  let ip = from;
  let sq = sequences;
  while (ip <= searchEnd) {
    const rep1 = load<u32>(state);
    const rep2 = load<u32>(state, 4);
    const word = load<u64>(ip);
    if (<u32>word != load<u32>(ip - <usize>rep2)) break;
    enter(ip, word, state, log);
    const tail = matchEnd(ip + 4, <usize>rep2, searchEnd + SEARCH_MARGIN);
    putSequence(sq, 0, tail - ip, 1);
    sq += SEQUENCE_BYTES;
    store<u32>(state, rep2);
    store<u32>(state, rep1, 4);
    ip = tail;
  }
  store<u32>(state, <u32>ip, STATE_REACHED);
  return sq;
}

// @ts-ignore: decorator
@inline
function enter(at: usize, word: u64, state: usize, log: u32): void {
  store<u32>(longPlace(word, state, log), <u32>at, LONG);
  store<u32>(shortPlace(word, state, log), <u32>at, SHORT);
}

// @ts-ignore: decorator
@inline
function longPlace(word: u64, state: usize, log: u32): usize {
  return state + (<usize>((word * 0xcf1bbcdcb7a56463) >>> <u64>(64 - log)) << 2);
}

// @ts-ignore: decorator
@inline
function shortPlace(word: u64, state: usize, log: u32): usize {
  return state + (<usize>(((word << 24) * 0x9e3779b185ebca87) >>> <u64>(65 - log)) << 2);
}
