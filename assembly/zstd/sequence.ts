// What match finders share: the record of a sequence, their state, literals, the length of a match.
//
//   sequence (12 bytes): u32 literals before it | u32 match length | u32 offset code
//   An offset code is 1, 2 or 3 for a repeat offset as RFC 8878 §3.1.1.5 numbers them (with no
//   literals before the match they mean the second, the third, the first less one), else the
//   distance + 3.
//
//   state: u32 repeat offsets 1, 2, 3 | u32 literal bytes of the last call | u32 bytes of the frame
//          | u32 address of the frame, 0 before its first search | 8 bytes of the finder's own
//          | its tables

// @ts-ignore: decorator
@inline export const SEQUENCE_BYTES: usize = 12;
// @ts-ignore: decorator
@inline export const STATE_LITERALS: usize = 12;
// @ts-ignore: decorator
@inline export const STATE_LENGTH: usize = 16;
// @ts-ignore: decorator
@inline export const STATE_FRAME: usize = 20;
// @ts-ignore: decorator
@inline export const STATE_REACHED: usize = 24;
// @ts-ignore: decorator
@inline export const STATE_TABLES: usize = 32;

/** Before the first search of a frame. */
export function initState(state: usize, frameLength: u32): void {
  store<u32>(state, 1);
  store<u32>(state, 4, 4);
  store<u32>(state, 8, 8);
  store<u32>(state, frameLength, STATE_LENGTH);
  store<u32>(state, 0, STATE_FRAME);
}

/** A distance that was not repeated becomes the first offset, and the third is forgotten. */
// @ts-ignore: decorator
@inline
export function pushOffset(state: usize, distance: usize): void {
  const first = load<u64>(state);
  store<u32>(state, <u32>distance);
  store<u64>(state, first, 4);
}

/** Writes one record. */
// @ts-ignore: decorator
@inline
export function putSequence(at: usize, literals: usize, length: usize, offBase: usize): void {
  store<u32>(at, <u32>literals);
  store<u32>(at, <u32>length, 4);
  store<u32>(at, <u32>offBase, 8);
}

/** Copies 16 bytes at a time: up to 16 more are read and written than are asked for. */
// @ts-ignore: decorator
@inline
export function copyLiterals(to: usize, from: usize, length: usize): void {
  v128.store(to, v128.load(from));
  for (let done: usize = 16; done < length; done += 16) {
    v128.store(to + done, v128.load(from + done));
  }
}

/** The literals behind the last sequence, and the count of all. */
export function lastLiterals(
  to: usize,
  from: usize,
  blockEnd: usize,
  literals: usize,
  state: usize,
): void {
  memory.copy(to, from, blockEnd - from);
  store<u32>(state, <u32>(to + (blockEnd - from) - literals), STATE_LITERALS);
}

/** Where the bytes from `at` on stop being those `distance` back; `at` + 8 ≤ `limit`. */
// @ts-ignore: decorator
@inline
export function matchEnd(at: usize, distance: usize, limit: usize): usize {
  let differing = load<u64>(at) ^ load<u64>(at - distance);
  while (differing == 0) {
    at += 8;
    if (at + 8 > limit) break;
    differing = load<u64>(at) ^ load<u64>(at - distance);
  }
  if (differing != 0) return at + <usize>(ctz(differing) >>> 3);
  while (at < limit && load<u8>(at) == load<u8>(at - distance)) at++;
  return at;
}

/** How many bytes before `a` and `b` are equal, at most 8; those are read in any case. */
// @ts-ignore: decorator
@inline
export function equalBefore(a: usize, b: usize): usize {
  return <usize>(clz(load<u64>(a - 8) ^ load<u64>(b - 8)) >>> 3);
}
