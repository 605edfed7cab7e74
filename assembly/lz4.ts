// LZ4 block format (lz4_Block_format.md), inputs up to 64 KiB: a greedy encoder with one table of
// u16 positions. No frames, no dictionaries, no streaming; lz4decode.ts decodes.
//
//   sequence:  token (u8: literals << 4 | match - 4) | more literal length | literals
//              | distance (u16, 1 … bytes written) | more match length
//   A nibble of 15 goes on in bytes: each 255 adds itself and goes on, a smaller one ends it.
//   The last sequence stops after its literals; an encoder leaves at least 5 there.
import { copyLiterals } from "./copies";
import { PAGE_BYTES } from "./layout";

// @ts-ignore: decorator
@inline export const MIN_MATCH: usize = 4;
// @ts-ignore: decorator
@inline const LAST_LITERALS: usize = 5;
// The format asks for 12 bytes. With 17, sixteen literals, a position's 8 bytes and the first 12
// bytes of its match may be read and matched with no look at the end.
// @ts-ignore: decorator
@inline const SEARCH_MARGIN: usize = 17;
// @ts-ignore: decorator
@inline const MAX_INPUT: u32 = 65536;
// Positions in the table. A page is hashed by 4 bytes into 16 KiB; more by 5 bytes into 32 KiB,
// where candidates are plenty and longer ones are worth the loss of the 4-byte matches.
// @ts-ignore: decorator
@inline const PAGE_LOG: u32 = 13;
// @ts-ignore: decorator
@inline const CLUSTER_LOG: u32 = 14;
// The search goes a byte further per 2^6 misses in a row, so that noise costs little.
// @ts-ignore: decorator
@inline const SKIP_LOG: u32 = 6;

/** Bytes written, or 0 when they would not fit. `scratch` holds LZ4_SCRATCH_BYTES. */
export function lz4Compress(
  src: usize,
  srcLength: u32,
  dst: usize,
  dstCapacity: u32,
  scratch: usize,
): u32 {
  if (srcLength > MAX_INPUT) return 0;
  const end = src + <usize>srcLength;
  const dstEnd = dst + <usize>dstCapacity;
  if (<usize>srcLength <= SEARCH_MARGIN) return lastLiterals(src, end, dst, dst, dstEnd);
  // The shift of the hash must be a constant of the loop: a register is dear there.
  if (srcLength <= PAGE_BYTES) {
    memory.fill(scratch, 0, 2 << PAGE_LOG);
    return compressWith(src, end, dst, dstEnd, scratch, PAGE_LOG);
  }
  memory.fill(scratch, 0, 2 << CLUSTER_LOG);
  return compressWith(src, end, dst, dstEnd, scratch, CLUSTER_LOG);
}

// An empty place of the table reads as position 0, which is as good a candidate as any: the search
// starts at 1. The loop calls nothing, as V8 would spill every variable around a call.
// @ts-ignore: decorator
@inline
function compressWith(
  src: usize,
  end: usize,
  dst: usize,
  dstEnd: usize,
  table: usize,
  log: u32,
): u32 {
  const searchEnd = end - SEARCH_MARGIN;
  let anchor = src;
  let op = dst;
  let ip = src + 1;
  while (true) {
    let attempts: u32 = 1 << SKIP_LOG;
    let match: usize;
    while (true) {
      const word = load<u64>(ip);
      const place = placeOf(word, table, log);
      match = src + <usize>load<u16>(place);
      store<u16>(place, <u16>(ip - src));
      if (<u32>word == load<u32>(match)) break;
      ip += <usize>(attempts++ >>> SKIP_LOG);
      if (ip > searchEnd) return lastLiterals(anchor, end, op, dst, dstEnd);
    }
    const distance = ip - match;
    const tail = matchEnd(ip, distance, end - LAST_LITERALS);
    // Equal bytes before the match. Up to 8 bytes before `src` are read, and never counted.
    const before = <usize>(clz(load<u64>(ip - 8) ^ load<u64>(match - 8)) >>> 3);
    ip -= min(before, min(ip - anchor, match - src));
    const literals = ip - anchor;
    const code = tail - ip - MIN_MATCH;
    if (literals < 15 && code < 15 && op + 32 <= dstEnd) {
      store<u8>(op, <u8>((literals << 4) + code));
      v128.store(op, v128.load(anchor), 1);
      op += literals;
      store<u16>(op, <u16>distance, 1);
      op += 3;
    } else {
      // What follows takes a token and the last literals at least.
      const needed = sequenceBytes(literals) + 2 + (code + 240) / 255 + 1 + LAST_LITERALS;
      if (needed > dstEnd - op) return 0;
      store<u8>(op++, <u8>((min<usize>(literals, 15) << 4) + min<usize>(code, 15)));
      if (literals >= 15) op = writeLength(op, literals - 15);
      op = copyLiterals(op, anchor, literals, dstEnd);
      store<u16>(op, <u16>distance);
      op += 2;
      if (code >= 15) op = writeLength(op, code - 15);
    }
    anchor = ip = tail;
    if (ip > searchEnd) return lastLiterals(anchor, end, op, dst, dstEnd);
    store<u16>(placeOf(load<u64>(ip - 2), table, log), <u16>(ip - 2 - src));
  }
}

// @ts-ignore: decorator
@inline
function placeOf(word: u64, table: usize, log: u32): usize {
  if (log == PAGE_LOG) return table + <usize>(((<u32>word * 2654435761) >>> (32 - log)) << 1);
  return table + <usize>((((word << 24) * 0x9e3779b185ebca87) >>> <u64>(64 - log)) << 1);
}

/** The end of the match at `ip`, whose first 4 bytes are known to be equal. */
// @ts-ignore: decorator
@inline
function matchEnd(ip: usize, distance: usize, limit: usize): usize {
  let tail = ip + MIN_MATCH;
  let differing = load<u64>(tail) ^ load<u64>(tail - distance);
  while (differing == 0) {
    tail += 8;
    if (tail + 8 > limit) break;
    differing = load<u64>(tail) ^ load<u64>(tail - distance);
  }
  if (differing != 0) return tail + <usize>(ctz(differing) >>> 3);
  while (tail < limit && load<u8>(tail) == load<u8>(tail - distance)) tail++;
  return tail;
}

/** Bytes of a token, a literal length and the literals. */
// @ts-ignore: decorator
@inline
function sequenceBytes(literals: usize): usize {
  return 1 + (literals + 240) / 255 + literals;
}

// @ts-ignore: decorator
@inline
function writeLength(op: usize, rest: usize): usize {
  while (rest >= 255) {
    store<u8>(op++, 255);
    rest -= 255;
  }
  store<u8>(op++, <u8>rest);
  return op;
}

function lastLiterals(anchor: usize, end: usize, op: usize, dst: usize, dstEnd: usize): u32 {
  const literals = end - anchor;
  if (sequenceBytes(literals) > dstEnd - op) return 0;
  store<u8>(op++, <u8>(min<usize>(literals, 15) << 4));
  if (literals >= 15) op = writeLength(op, literals - 15);
  memory.copy(op, anchor, literals);
  return <u32>(op + literals - dst);
}
