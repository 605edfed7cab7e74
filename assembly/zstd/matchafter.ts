// The match finder of frames that follow known content (a prefix, which reader and writer have):
// lazy, with two candidates for the next 8 bytes and one for the next 5, the repeat offsets, and a
// distance that the caller knows: where older versions of the same bytes stand. It writes what
// matchfast.ts writes.
//
// Tables hold addresses. All places of a fresh table name the start of the prefix, which is as good
// a candidate as any, so a candidate is always in reach and before the position that asks.
import {
  copyLiterals,
  equalBefore,
  initState,
  lastLiterals,
  matchEnd,
  putSequence,
  SEQUENCE_BYTES,
  STATE_FRAME,
  STATE_TABLES,
} from "./sequence";

/** The repeat offsets of a new frame reach back as far. */
// @ts-ignore: decorator
@inline export const MIN_PREFIX: u32 = 8;
/** The distance of older versions. */
// @ts-ignore: decorator
@inline const STATE_HOME: usize = 24;
/** Places of both tables; one for 8 bytes holds the last two positions. */
// @ts-ignore: decorator
@inline const LOG: u32 = 18;
// @ts-ignore: decorator
@inline const SHORT: usize = STATE_TABLES;
// @ts-ignore: decorator
@inline const LONG: usize = SHORT + (4 << LOG);
// @ts-ignore: decorator
@inline const TABLES_END: usize = LONG + (8 << LOG);
/** Of the prefix, one in so many positions is entered. */
// @ts-ignore: decorator
@inline const PREFIX_STEP: usize = 2;

/** A match of the position after the next has 8 bytes known to be equal and 8 more to be read. */
// @ts-ignore: decorator
@inline const SEARCH_MARGIN: usize = 20;
// The search goes a byte further per 2^7 literals in a row, so that noise costs little.
// @ts-ignore: decorator
@inline const SKIP_LOG: usize = 7;

// What a match is worth, in bits: the literals that it spares, less what naming it costs.
// @ts-ignore: decorator
@inline const BYTE_WORTH: i32 = 6;
// @ts-ignore: decorator
@inline const REPEAT_COST: i32 = 8;
// @ts-ignore: decorator
@inline const MATCH_COST: i32 = 12;
/** A later match must be worth so much more, for the literal before it. */
// @ts-ignore: decorator
@inline const LATER_COST: i32 = 4;
/** Matches of so many bytes are taken without another look. */
// @ts-ignore: decorator
@inline const ENOUGH: usize = 48;

/** Once per frame, whose content is at `src`, right behind the prefix of MIN_PREFIX or more. */
export function findAfterInit(state: usize, prefix: usize, src: usize, home: u32): void {
  initState(state, 0);
  store<u32>(state, <u32>prefix, STATE_FRAME);
  const isInReach = home != 0 && <usize>home <= src - prefix;
  store<u32>(state, isInReach ? home : 1, STATE_HOME);
  const first = i32x4.splat(<i32>prefix);
  for (let at = state + SHORT; at < state + TABLES_END; at += 32) {
    v128.store(at, first);
    v128.store(at, first, 16);
  }
  for (let at = prefix; at < src; at += PREFIX_STEP) enter(at, load<u64>(at), state);
}

/** The number of sequences found in a block. */
export function findAfter(
  blockStart: usize,
  blockEnd: usize,
  state: usize,
  sequences: usize,
  literals: usize,
): u32 {
  let op = literals;
  let sq = sequences;
  let anchor = blockStart;
  let ip = blockStart;
  while (ip + SEARCH_MARGIN <= blockEnd) {
    let match = best(ip, anchor, blockEnd, state);
    if (match == 0) {
      ip += ((ip - anchor) >>> SKIP_LOG) + 1;
      continue;
    }
    // The next byte may begin a better one, and so may the one after it.
    while (lengthOf(match) < ENOUGH && ip + SEARCH_MARGIN < blockEnd) {
      const later = best(ip + 1, anchor, blockEnd, state);
      if (worthOf(later) <= worthOf(match) + LATER_COST) break;
      match = later;
      ip++;
    }
    const distance = distanceOf(match);
    const tail = ip + lengthOf(match);
    const reach = ip - distance - <usize>load<u32>(state, STATE_FRAME);
    ip -= min(equalBefore(ip, ip - distance), min(ip - anchor, reach));
    copyLiterals(op, anchor, ip - anchor);
    op += ip - anchor;
    putSequence(sq, ip - anchor, tail - ip, nameOffset(state, <u32>distance, ip == anchor));
    sq += SEQUENCE_BYTES;
    for (let at = max(ip + 2, tail - 32); at < tail; at += 3) enter(at, load<u64>(at), state);
    anchor = ip = tail;
  }
  lastLiterals(op, anchor, blockEnd, literals, state);
  return <u32>((sq - sequences) / SEQUENCE_BYTES);
}

// A match: 16 bits worth + 1, 20 bits length, 28 bits distance; 0 is none.
// @ts-ignore: decorator
@inline
function worthOf(match: u64): i32 {
  return <i32>(match >>> 48);
}

// @ts-ignore: decorator
@inline
function lengthOf(match: u64): usize {
  return <usize>((match >>> 28) & 0xfffff);
}

// @ts-ignore: decorator
@inline
function distanceOf(match: u64): usize {
  return <usize>(match & 0xfffffff);
}

// @ts-ignore: decorator
@inline
function weighed(length: usize, distance: usize, cost: i32): u64 {
  const worth = min(<i32>length * BYTE_WORTH - cost, 0xffff);
  if (worth <= 0) return 0;
  return (<u64>worth << 48) | (<u64>length << 28) | <u64>distance;
}

/** The match at `ip` that is worth most, or 0. Enters the position. */
function best(ip: usize, anchor: usize, blockEnd: usize, state: usize): u64 {
  const word = load<u64>(ip);
  const longAt = longPlace(word, state);
  const shortAt = shortPlace(word, state);
  const latest = <usize>load<u32>(longAt, LONG);
  const before = <usize>load<u32>(longAt, LONG + 4);
  const short = <usize>load<u32>(shortAt, SHORT);
  if (latest != ip) {
    store<u32>(longAt, <u32>ip, LONG);
    store<u32>(longAt, <u32>latest, LONG + 4);
    store<u32>(shortAt, <u32>ip, SHORT);
  }
  const first = <usize>load<u32>(state);
  const second = <usize>load<u32>(state, 4);
  const third = <usize>load<u32>(state, 8);
  const home = <usize>load<u32>(state, STATE_HOME);
  let match: u64 = 0;
  if (ip != anchor) match = tryRepeat(match, ip, word, first, blockEnd, REPEAT_COST - 2);
  match = tryRepeat(match, ip, word, second, blockEnd, REPEAT_COST);
  match = tryRepeat(match, ip, word, third, blockEnd, REPEAT_COST + 1);
  if (lengthOf(match) >= ENOUGH) return match;
  if (home != first && home != second && home != third && load<u32>(ip - home) == <u32>word) {
    match = tryAt(match, ip, 4, ip - home, blockEnd);
  }
  if (before != ip && load<u64>(before) == word) match = tryAt(match, ip, 8, before, blockEnd);
  if (latest != ip && load<u64>(latest) == word) return tryAt(match, ip, 8, latest, blockEnd);
  if (short != ip && load<u32>(short) == <u32>word) return tryAt(match, ip, 4, short, blockEnd);
  return match;
}

/** The better of a match and one with `from`, of which `known` bytes are known to be equal. */
// @ts-ignore: decorator
@inline
function tryAt(match: u64, ip: usize, known: usize, from: usize, blockEnd: usize): u64 {
  const distance = ip - from;
  const length = matchEnd(ip + known, distance, blockEnd) - ip;
  const cost = MATCH_COST + 31 - <i32>clz(<u32>distance);
  return max(match, weighed(length, distance, cost));
}

// @ts-ignore: decorator
@inline
function tryRepeat(
  match: u64,
  ip: usize,
  word: u64,
  distance: usize,
  blockEnd: usize,
  cost: i32,
): u64 {
  const differing = load<u64>(ip - distance) ^ word;
  if ((<u32>differing << 8) != 0) return match;
  const end =
    differing != 0
      ? ip + <usize>(ctz(differing) >>> 3)
      : matchEnd(ip + 8, distance, blockEnd);
  return max(match, weighed(end - ip, distance, cost));
}

/** The offset code of a distance, which becomes the first repeat offset. */
function nameOffset(state: usize, distance: u32, isBare: bool): u32 {
  const first = load<u32>(state);
  const second = load<u32>(state, 4);
  let code = distance + 3;
  if (distance == first) {
    if (!isBare) return 1;
  } else if (distance == second) {
    code = 2 - <u32>isBare;
  } else {
    if (distance == load<u32>(state, 8)) code = 3 - <u32>isBare;
    store<u32>(state, second, 8);
  }
  // With no literals before it the first offset cannot be named, and is pushed like a new one.
  if (distance == first) store<u32>(state, second, 8);
  store<u32>(state, distance);
  store<u32>(state, first, 4);
  return code;
}

// @ts-ignore: decorator
@inline
function enter(at: usize, word: u64, state: usize): void {
  const place = longPlace(word, state);
  store<u32>(place, load<u32>(place, LONG), LONG + 4);
  store<u32>(place, <u32>at, LONG);
  store<u32>(shortPlace(word, state), <u32>at, SHORT);
}

// @ts-ignore: decorator
@inline
function longPlace(word: u64, state: usize): usize {
  return state + (<usize>((word * 0xcf1bbcdcb7a56463) >>> <u64>(64 - LOG)) << 3);
}

// @ts-ignore: decorator
@inline
function shortPlace(word: u64, state: usize): usize {
  return state + (<usize>(((word << 24) * 0x9e3779b185ebca87) >>> <u64>(64 - LOG)) << 2);
}
