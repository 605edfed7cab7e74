// The literals of a block (RFC 8878 §3.1.1.3.1): raw ones stay where they are, the others go to
// LITERAL_BUFFER. Leaves their address and count in the context.
import {
  HAS_CODES,
  LITERAL_BUFFER,
  LITERAL_COUNT,
  LITERALS,
} from "./decodecontext";
import { readCodes } from "./decodehuffman";
import { decodeFour, decodeOne } from "./decodestreams";
import {
  ZSTD_BAD_BLOCK,
  ZSTD_BAD_LITERALS,
  ZSTD_NO_TABLE,
  ZSTD_OVER_CAPACITY,
} from "../layout";

// Kinds of literals: raw 0, repeated byte 1, Huffman codes 2, codes of a block before 3.
// @ts-ignore: decorator
@inline const REPEATED: u32 = 1;
// @ts-ignore: decorator
@inline const TREELESS: u32 = 3;
// Below this the last of four streams would begin behind the end.
// @ts-ignore: decorator
@inline const MIN_FOUR: u32 = 6;

/** Bytes that the section takes in [ip, end), or a negative code. */
export function decodeLiterals(context: usize, ip: usize, end: usize, maxCount: u32): i32 {
  if (end - ip < 2) return -<i32>ZSTD_BAD_BLOCK;
  const head = load<u32>(ip);
  const kind = head & 3;
  const format = (head >>> 2) & 3;
  if (kind > REPEATED) return decodeCompressed(context, ip, end, maxCount);
  // 5, 12 or 20 bits of count.
  const headBytes: usize = (format & 1) == 0 ? 1 : format == 1 ? 2 : 3;
  let count = (format & 1) == 0 ? (head & 0xff) >>> 3 : (head >>> 4) & 0xfff;
  if (format == 3) count = (head & 0xffffff) >>> 4;
  const bytes = headBytes + (kind == REPEATED ? 1 : <usize>count);
  if (count > maxCount) return -<i32>ZSTD_OVER_CAPACITY;
  if (bytes > end - ip) return -<i32>ZSTD_BAD_BLOCK;
  store<u32>(context, count, LITERAL_COUNT);
  if (kind == REPEATED) {
    memory.fill(context + LITERAL_BUFFER, load<u8>(ip + headBytes), count);
    store<u32>(context, <u32>(context + LITERAL_BUFFER), LITERALS);
  } else {
    store<u32>(context, <u32>(ip + headBytes), LITERALS);
  }
  return <i32>bytes;
}

/** Literals of Huffman codes; the codes stand before them or are those of a block before. */
function decodeCompressed(context: usize, ip: usize, end: usize, maxCount: u32): i32 {
  if (end - ip < 5) return -<i32>ZSTD_BAD_BLOCK;
  const head = load<u64>(ip);
  const format = <u32>(head >>> 2) & 3;
  // Both counts have 10, 14 or 18 bits.
  const width = format < 2 ? 10 : <u64>(4 * format + 6);
  const mask = ((<u32>1) << <u32>width) - 1;
  const headBytes: usize = format < 2 ? 3 : <usize>format + 2;
  const count = <u32>(head >>> 4) & mask;
  const bytes = headBytes + (<usize>(head >>> (4 + width)) & mask);
  if (count > maxCount) return -<i32>ZSTD_OVER_CAPACITY;
  if (bytes > end - ip) return -<i32>ZSTD_BAD_BLOCK;
  if (format != 0 && count < MIN_FOUR) return -<i32>ZSTD_BAD_LITERALS;
  const streamsEnd = ip + bytes;
  let streams = ip + headBytes;
  if ((<u32>head & 3) == TREELESS) {
    if (load<u32>(context, HAS_CODES) == 0) return -<i32>ZSTD_NO_TABLE;
  } else {
    store<u32>(context, 0, HAS_CODES);
    const taken = readCodes(context, streams, streamsEnd);
    if (taken < 0) return taken;
    streams += <usize>taken;
    store<u32>(context, 1, HAS_CODES);
  }
  const isSound = format == 0
    ? decodeOne(context, streams, streamsEnd, context + LITERAL_BUFFER, count)
    : decodeFour(context, streams, streamsEnd, count);
  if (!isSound) return -<i32>ZSTD_BAD_LITERALS;
  store<u32>(context, <u32>(context + LITERAL_BUFFER), LITERALS);
  store<u32>(context, count, LITERAL_COUNT);
  return <i32>bytes;
}
