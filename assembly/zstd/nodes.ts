// The nodes of a stretch of input, one per byte, for the optimal match finder: how each is reached
// most cheaply. Kept as arrays, so that a match is offered to four nodes at a time; a node is the
// address of its price, its other fields lie ARRAY bytes apart.
//
//   u32 each: price, UNREACHED unless a match was offered | offset code of that match | its length
//             | literals behind the last match | repeat offsets 1, 2, 3 | end of the next match
import { CANDIDATES_END } from "./candidates";

// @ts-ignore: decorator
@inline export const NODES: usize = CANDIDATES_END;
// @ts-ignore: decorator
@inline export const NODE_BYTES: usize = 4;
/** New matches are offered in so many nodes of a stretch; then the open ones run out. */
// @ts-ignore: decorator
@inline export const STRETCH: usize = 1024;
/** A longer match is taken at once. */
// @ts-ignore: decorator
@inline export const LONG_MATCH: usize = 64;
// @ts-ignore: decorator
@inline export const ARRAY: usize = (STRETCH + LONG_MATCH + 16) * NODE_BYTES;

// @ts-ignore: decorator
@inline export const OFFSET_CODE: usize = ARRAY;
// @ts-ignore: decorator
@inline export const LENGTH: usize = 2 * ARRAY;
// @ts-ignore: decorator
@inline export const LITERALS: usize = 3 * ARRAY;
// @ts-ignore: decorator
@inline export const OFFSETS: usize = 4 * ARRAY;
// @ts-ignore: decorator
@inline const NEXT: usize = 7 * ARRAY;
// @ts-ignore: decorator
@inline export const NODES_END: usize = NODES + 8 * ARRAY;
// @ts-ignore: decorator
@inline export const UNREACHED: u32 = 0x3fffffff;

/** Before the first stretch of a frame; each stretch leaves its nodes unreached. */
export function clearNodes(state: usize): void {
  clear(state + NODES, state + NODES + ARRAY);
}

/** Makes the nodes from one to before another unreached. */
export function clear(from: usize, to: usize): void {
  for (let node = from; node < to; node += NODE_BYTES) store<u32>(node, UNREACHED);
}

/** The node whose repeat offsets are also those of `node`: the end of the last match. */
// @ts-ignore: decorator
@inline
export function ownerOf(node: usize, first: usize): usize {
  const literals = <usize>load<u32>(node, LITERALS) * NODE_BYTES;
  return literals >= node - first ? first : node - literals;
}

/** Makes the repeat offsets of a node where a match ends; where it starts they have been made. */
export function makeOffsets(node: usize, first: usize): void {
  const start = node - <usize>load<u32>(node, LENGTH) * NODE_BYTES;
  const from = ownerOf(start, first) + OFFSETS;
  const code = load<u32>(node, OFFSET_CODE);
  offsetsAfter(node + OFFSETS, from, ARRAY, code, load<u32>(start, LITERALS));
}

/** Copies three repeat offsets that lie `toStep` and `fromStep` bytes apart. */
// @ts-ignore: decorator
@inline
export function copyOffsets(to: usize, toStep: usize, from: usize, fromStep: usize): void {
  store<u32>(to, load<u32>(from));
  store<u32>(to + toStep, load<u32>(from + fromStep));
  store<u32>(to + 2 * toStep, load<u32>(from + 2 * fromStep));
}

/** The repeat offsets behind a match (RFC 8878 §3.1.1.5); each three lie `step` bytes apart. */
// @ts-ignore: decorator
@inline
export function offsetsAfter(
  to: usize,
  from: usize,
  step: usize,
  offBase: u32,
  literals: u32,
): void {
  const first = load<u32>(from);
  const second = load<u32>(from + step);
  const third = load<u32>(from + 2 * step);
  const code = offBase + <u32>(literals == 0);
  let used = offBase - 3;
  if (offBase <= 3) used = code == 1 ? first : code == 2 ? second : code == 3 ? third : first - 1;
  const isFirst = offBase <= 3 && code == 1;
  const isSecond = offBase <= 3 && code <= 2;
  store<u32>(to, used);
  store<u32>(to + step, isFirst ? second : first);
  store<u32>(to + 2 * step, isSecond ? third : second);
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

// @ts-ignore: decorator
@inline
export function literalsAt(node: usize): u32 {
  return load<u32>(node, LITERALS);
}
