// Decodes sequences (RFC 8878 §3.1.1.3.2) in batches into records of literal length, match length
// and distance (u32 each); executing them is another file's. The stream is read from its end.
import {
  BITS_LEFT,
  LENGTH_STATE,
  MATCH_STATE,
  OFFSET_STATE,
  OFFSETS,
  SEQUENCE_BATCH,
  SEQUENCE_BYTES,
  SEQUENCES,
  SEQUENCES_LEFT,
  STREAM,
  TABLE_LOGS,
  TABLES,
} from "./decodecontext";
import { readTables } from "./decodetables";
import { ZSTD_BAD_BITS, ZSTD_BAD_BLOCK } from "../layout";

// What a reload leaves (56 bits) must hold the next states (26 bits) and the extra bits.
// @ts-ignore: decorator
@inline const MAX_EXTRA_BITS: u32 = 30;

/** Reads the head of the section and prepares its stream; 0, or a negative code. */
export function openSequences(context: usize, ip: usize, end: usize): i32 {
  if (ip >= end) return -<i32>ZSTD_BAD_BLOCK;
  let count = <u32>load<u8>(ip);
  const headBytes: usize = count < 128 ? 1 : count < 255 ? 2 : 3;
  if (headBytes > end - ip) return -<i32>ZSTD_BAD_BLOCK;
  if (headBytes == 2) count = ((count - 128) << 8) + <u32>load<u8>(ip, 1);
  if (headBytes == 3) count = <u32>load<u16>(ip, 1) + 0x7f00;
  store<u32>(context, count, SEQUENCES_LEFT);
  ip += headBytes;
  if (count == 0) return ip == end ? 0 : -<i32>ZSTD_BAD_BITS;
  if (ip >= end) return -<i32>ZSTD_BAD_BLOCK;
  if ((load<u8>(ip) & 3) != 0) return -<i32>ZSTD_BAD_BITS;
  const taken = readTables(context, ip, end);
  if (taken < 0) return taken;
  ip += <usize>taken;
  if (ip >= end || load<u8>(end - 1) == 0) return -<i32>ZSTD_BAD_BLOCK;
  store<u32>(context, <u32>ip, STREAM);
  const left = <u32>((end - ip) << 3) - (clz<u32>(load<u8>(end - 1)) - 23);
  store<u32>(context, left, BITS_LEFT);
  firstState(context, 0);
  firstState(context, 4);
  firstState(context, 8);
  return 0;
}

/** Takes the first state of a table from the stream; `which` is 0, 4 or 8. */
function firstState(context: usize, which: usize): void {
  const log = load<u32>(context + which, TABLE_LOGS);
  const left = load<i32>(context, BITS_LEFT) - <i32>log;
  const at = <usize>load<u32>(context, STREAM) + (left >> 3);
  const state = (load<u32>(at) >>> (left & 7)) & ((1 << log) - 1);
  const table = context + <usize>load<u32>(context + which, TABLES);
  store<u32>(context + which, <u32>table + (state << 3), LENGTH_STATE);
  store<u32>(context, left, BITS_LEFT);
}

/** Decodes the next batch to SEQUENCES; where it ends, or 0 if the stream is broken. */
export function decodeBatch(context: usize): usize {
  const all = load<u32>(context, SEQUENCES_LEFT);
  const count = min(all, SEQUENCE_BATCH);
  store<u32>(context, all - count, SEQUENCES_LEFT);
  const end = context + SEQUENCES + <usize>count * SEQUENCE_BYTES;
  decodeTo(context, end, all == count ? end - SEQUENCE_BYTES : 0);
  const left = load<i32>(context, BITS_LEFT);
  if (left < 0 || (all == count && left != 0)) return 0;
  return end;
}

/** Decodes up to `end`; no state follows the sequence at `last`. Stops early below the stream. */
function decodeTo(context: usize, end: usize, last: usize): void {
  const stream = <usize>load<u32>(context, STREAM);
  let lengths = <usize>load<u32>(context, LENGTH_STATE);
  let offsets = <usize>load<u32>(context, OFFSET_STATE);
  let matches = <usize>load<u32>(context, MATCH_STATE);
  let left = load<i32>(context, BITS_LEFT);
  let newest = load<u32>(context, OFFSETS);
  let second = load<u32>(context, OFFSETS + 4);
  let third = load<u32>(context, OFFSETS + 8);
  for (let op = context + SEQUENCES; op < end && left >= 0; op += SEQUENCE_BYTES) {
    let word = load<u64>(stream + (left >> 3) - 7);
    let at = <u32>(left & 7) + 56;
    const offsetBits = <u32>load<u8>(offsets, 1);
    const matchBits = <u32>load<u8>(matches, 1);
    const lengthBits = <u32>load<u8>(lengths, 1);
    at -= offsetBits;
    let distance = load<u32>(offsets, 4) + field(word, at, offsetBits);
    if (offsetBits > 1) {
      third = second;
      second = newest;
      newest = distance;
    } else {
      // Without literals before it, a match repeats the offset after the one it would have.
      const which = distance + <u32>(load<u32>(lengths, 4) == 0);
      distance = newest;
      if (which != 0) {
        distance = which == 1 ? second : which == 2 ? third : newest - 1;
        if (which != 1) third = second;
        second = newest;
        newest = distance;
      }
    }
    store<u32>(op, distance, 8);
    at -= matchBits;
    store<u32>(op, load<u32>(matches, 4) + field(word, at, matchBits), 4);
    const extraBits = offsetBits + matchBits + lengthBits;
    left -= extraBits;
    if (extraBits > MAX_EXTRA_BITS) {
      const before = left + <i32>lengthBits;
      if (before < 0) break;
      word = load<u64>(stream + (before >> 3) - 7);
      at = <u32>(before & 7) + 56;
    }
    at -= lengthBits;
    store<u32>(op, load<u32>(lengths, 4) + field(word, at, lengthBits));
    if (op == last) break;
    const lengthWidth = <u32>load<u8>(lengths);
    const matchWidth = <u32>load<u8>(matches);
    const offsetWidth = <u32>load<u8>(offsets);
    left -= lengthWidth + matchWidth + offsetWidth;
    at -= lengthWidth;
    lengths = context + <usize>load<u16>(lengths, 2) + (field(word, at, lengthWidth) << 3);
    at -= matchWidth;
    matches = context + <usize>load<u16>(matches, 2) + (field(word, at, matchWidth) << 3);
    at -= offsetWidth;
    offsets = context + <usize>load<u16>(offsets, 2) + (field(word, at, offsetWidth) << 3);
  }
  store<u32>(context, <u32>lengths, LENGTH_STATE);
  store<u32>(context, <u32>offsets, OFFSET_STATE);
  store<u32>(context, <u32>matches, MATCH_STATE);
  store<i32>(context, left, BITS_LEFT);
  store<u32>(context, newest, OFFSETS);
  store<u32>(context, second, OFFSETS + 4);
  store<u32>(context, third, OFFSETS + 8);
}

/** `width` bits from bit `at` on. */
// @ts-ignore: decorator
@inline
function field(word: u64, at: u32, width: u32): u32 {
  return <u32>(word >>> <u64>at) & ((1 << width) - 1);
}
