// The ways through a stretch of input, for the optimal match finder: one node per byte, which keeps
// the cheapest way known to get there. Nodes are settled from the left to the right.
//
//   node (32 bytes): u32 price | u32 offset code | u32 length of the last match
//                    | u32 literals since | u32 repeat offsets 1, 2, 3 | u32 next match's end
import {
  CANDIDATES_END,
  enterRow,
  exchange3,
  exchange8,
  likelyOf,
  positionOf,
  rowOf,
} from "./candidates";
import { BYTE_PRICES, LITERAL_PRICES, literalsPrice, MATCH_PRICES, offsetPrice } from "./prices";
import { matchEnd, STATE_FRAME } from "./sequence";

// @ts-ignore: decorator
@inline export const NODES: usize = CANDIDATES_END;
// @ts-ignore: decorator
@inline export const NODE_BYTES: usize = 32;
/** New matches are offered in so many nodes of a stretch; then the open ones run out. */
// @ts-ignore: decorator
@inline export const STRETCH: usize = 1024;
/** A longer match is taken at once. */
// @ts-ignore: decorator
@inline export const LONG_MATCH: usize = 64;
// @ts-ignore: decorator
@inline export const WAYS_END: usize = NODES + (STRETCH + LONG_MATCH + 2) * NODE_BYTES;

/** Where the state tells of a match longer than LONG_MATCH: u32 length or 0, u32 offset code. */
// @ts-ignore: decorator
@inline export const LONG_LENGTH: usize = 24;
// @ts-ignore: decorator
@inline export const LONG_OFFSET: usize = 28;

// @ts-ignore: decorator
@inline const OFFSET_CODE: usize = 4;
// @ts-ignore: decorator
@inline const LENGTH: usize = 8;
// @ts-ignore: decorator
@inline const LITERALS: usize = 12;
// @ts-ignore: decorator
@inline export const OFFSETS: usize = 16;
// @ts-ignore: decorator
@inline const NEXT: usize = 28;
// @ts-ignore: decorator
@inline const UNREACHED: u32 = 0x3fffffff;
/** Two bits: where the next byte is reached for so little more, no better way will begin. It takes
 * a third of the time away and 0.5 % of the gain. */
// @ts-ignore: decorator
@inline const UNLIKELY_PRICE: u32 = 512;

/** The first node of a stretch, behind so many literals that belong to no sequence yet. */
// @ts-ignore: decorator
@inline
export function beginWays(state: usize, literals: usize): void {
  const node = state + NODES;
  store<u32>(node, literalsPrice(state, <u32>literals));
  store<u32>(node, 0, LENGTH);
  store<u32>(node, <u32>literals, LITERALS);
  copyOffsets(node + OFFSETS, state);
}

/** Settles a node: a literal more than to the one before it, or the match that ends here. */
// @ts-ignore: decorator
@inline
export function settle(node: usize, byte: usize, state: usize): void {
  const before = node - NODE_BYTES;
  const literals = load<u32>(before, LITERALS);
  const more = literalsPrice(state, literals + 1) - literalsPrice(state, literals);
  const price = load<u32>(before) + load<u32>(state + (byte << 2), BYTE_PRICES) + more;
  if (price < load<u32>(node)) {
    store<u32>(node, price);
    store<u32>(node, load<u32>(before, LENGTH), LENGTH);
    store<u32>(node, literals + 1, LITERALS);
    copyOffsets(node + OFFSETS, before + OFFSETS);
  } else {
    const from = node - <usize>load<u32>(node, LENGTH) * NODE_BYTES;
    const code = load<u32>(node, OFFSET_CODE);
    offsetsAfter(node + OFFSETS, from + OFFSETS, code, load<u32>(from, LITERALS));
  }
}

/** Whether no cheaper way will begin at this node, which is not the last one. */
// @ts-ignore: decorator
@inline
export function isUnlikely(node: usize): bool {
  return load<u32>(node, NODE_BYTES) <= load<u32>(node) + UNLIKELY_PRICE;
}

// @ts-ignore: decorator
@inline
export function literalsAt(node: usize): u32 {
  return load<u32>(node, LITERALS);
}

// @ts-ignore: decorator
@inline
export function copyOffsets(to: usize, from: usize): void {
  store<u64>(to, load<u64>(from));
  store<u32>(to, load<u32>(from, 8), 8);
}

/** The repeat offsets behind a match (RFC 8878 §3.1.1.5). */
// @ts-ignore: decorator
@inline
export function offsetsAfter(to: usize, from: usize, offBase: u32, literals: u32): void {
  const first = load<u32>(from);
  const second = load<u32>(from, 4);
  const third = load<u32>(from, 8);
  const code = offBase + <u32>(literals == 0);
  let used = offBase - 3;
  if (offBase <= 3) used = code == 1 ? first : code == 2 ? second : code == 3 ? third : first - 1;
  const isFirst = offBase <= 3 && code == 1;
  const isSecond = offBase <= 3 && code <= 2;
  store<u32>(to, used);
  store<u32>(to, isFirst ? second : first, 4);
  store<u32>(to, isSecond ? third : second, 8);
}

/** Offers all matches at `at`, enters it, and returns the furthest node reached so far. */
export function offerMatches(
  node: usize,
  at: usize,
  limit: usize,
  state: usize,
  reached: usize,
): usize {
  const frameStart = <usize>load<u32>(state, STATE_FRAME);
  const word = load<u64>(at);
  const near = exchange3(state, <u32>word, at);
  const far = exchange8(state, word, at);
  const row = rowOf(state, <u32>word);
  const literals = load<u32>(node, LITERALS);
  const base = load<u32>(node) + load<u32>(state, LITERAL_PRICES);
  let last = reached;
  let best: usize = 2;
  let bestCode: u32 = 0;
  // Codes 1 to 3 name offsets 1 to 3, or with no literals before them 2, 3 and the first less one.
  const shift = <usize>(literals == 0);
  for (let code: usize = 1; code <= 3 && best <= LONG_MATCH; code++) {
    const from = node + OFFSETS + ((code + shift - 1) << 2);
    const distance = <usize>(code + shift == 4 ? load<u32>(node, OFFSETS) - 1 : load<u32>(from));
    if (distance - 1 >= at - frameStart) continue;
    if ((load<u32>(at - distance) ^ <u32>word) << 8) continue;
    const length = matchEnd(at + 3, distance, limit) - at;
    if (length <= best) continue;
    last = offer(node, 3, length, <u32>code, base, last, state);
    best = length;
    bestCode = <u32>code;
  }
  if (best < 3 && near != 0 && ((load<u32>(near) ^ <u32>word) << 8) == 0) {
    best = matchEnd(at + 3, at - near, limit) - at;
    bestCode = <u32>(at - near) + 3;
    last = offer(node, 3, best, bestCode, base, last, state);
  }
  let likely = best <= LONG_MATCH ? likelyOf(row, <u32>word) : 0;
  while (likely != 0 && best <= LONG_MATCH) {
    const match = frameStart + positionOf(row, <usize>ctz(likely));
    likely &= likely - 1;
    if (load<u32>(match + best - 3) != load<u32>(at + best - 3)) continue;
    if (load<u32>(match) != <u32>word || match >= at) continue;
    const length = matchEnd(at + 4, at - match, limit) - at;
    if (length <= best) continue;
    bestCode = <u32>(at - match) + 3;
    last = offer(node, best + 1, length, bestCode, base, last, state);
    best = length;
  }
  if (best <= LONG_MATCH && far != 0 && load<u64>(far) == word) {
    const length = matchEnd(at + 8, at - far, limit) - at;
    if (length > best) {
      bestCode = <u32>(at - far) + 3;
      last = offer(node, best + 1, length, bestCode, base, last, state);
      best = length;
    }
  }
  enterRow(row, <u32>word, at - frameStart);
  store<u32>(state, best > LONG_MATCH ? <u32>best : 0, LONG_LENGTH);
  store<u32>(state, bestCode, LONG_OFFSET);
  return last;
}

// Offers a match in its lengths from `shortest` on, the longest first: once a length is dearer than
// what is there already, the shorter ones seldom are not. Returns the furthest node reached.
// @ts-ignore: decorator
@inline
function offer(
  node: usize,
  shortest: usize,
  longest: usize,
  code: u32,
  base: u32,
  reached: usize,
  state: usize,
): usize {
  let last = reached;
  if (longest > LONG_MATCH) return last;
  const price = base + offsetPrice(state, code);
  for (const end = node + longest * NODE_BYTES; last < end; ) {
    last += NODE_BYTES;
    store<u32>(last, UNREACHED);
  }
  for (let length = longest; length >= shortest; length--) {
    const target = node + length * NODE_BYTES;
    const offered = price + load<u32>(state + (length << 2), MATCH_PRICES);
    if (offered >= load<u32>(target)) break;
    store<u32>(target, offered);
    store<u32>(target, code, OFFSET_CODE);
    store<u32>(target, <u32>length, LENGTH);
    store<u32>(target, 0, LITERALS);
  }
  return last;
}

/** Links the ends of the matches on the way to `node`; returns the first of them, or 0. */
export function linkMatches(first: usize, node: usize): usize {
  let next: usize = 0;
  let end = node;
  while (true) {
    const literals = <usize>load<u32>(end, LITERALS) * NODE_BYTES;
    if (literals >= end - first) return next;
    end -= literals;
    store<u32>(end, <u32>next, NEXT);
    next = end;
    end -= <usize>load<u32>(end, LENGTH) * NODE_BYTES;
  }
}

/** The end of the match after the one that ends at `node`, or 0. */
// @ts-ignore: decorator
@inline
export function nextMatch(node: usize): usize {
  return <usize>load<u32>(node, NEXT);
}

// @ts-ignore: decorator
@inline
export function lengthAt(node: usize): usize {
  return <usize>load<u32>(node, LENGTH);
}

// @ts-ignore: decorator
@inline
export function offsetCodeAt(node: usize): u32 {
  return load<u32>(node, OFFSET_CODE);
}
