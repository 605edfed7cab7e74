// Zstandard frames (RFC 8878 §3.1), one after another, from memory to memory: frame headers,
// blocks, checksums, skippable frames. No dictionaries, no streaming.
//
//   frame:  magic fd2fb528 | descriptor u8 | window u8? | dictionary 0 1 2 4 | size 0 1 2 4 8
//           | blocks | checksum u32?          descriptor: size 7-6, single segment 5, checksum 2,
//                                             dictionary 1-0; bit 3 is 0, bit 4 is not looked at
//   block:  u24: size 23-3, kind 2-1 (raw 0, repeated byte 1, compressed 2), last 0 | content
//   skippable frame:  magic 184d2a5x | size u32 | anything
import { checksum } from "../checksum";
import {
  ZSTD_BAD_BLOCK,
  ZSTD_BAD_CHECKSUM,
  ZSTD_BAD_HEADER,
  ZSTD_BAD_MAGIC,
  ZSTD_BAD_SIZE,
  ZSTD_DICTIONARY,
  ZSTD_MAX_WINDOW_BYTES,
  ZSTD_OVER_CAPACITY,
  ZSTD_TRUNCATED,
  ZSTD_WINDOW,
} from "../layout";
import { beginFrame, zstdDecodeBlock, zstdDecodeInit } from "./decodeblock";
import { FRAME_AT, FRAME_BLOCK_BYTES, FRAME_CHECKSUM, FRAME_SIZE } from "./decodecontext";

// @ts-ignore: decorator
@inline const MAGIC: u32 = 0xfd2fb528;
// @ts-ignore: decorator
@inline const SKIPPABLE_MAGIC: u32 = 0x184d2a50;
// @ts-ignore: decorator
@inline const MAX_BLOCK_BYTES: u32 = 131072;
// @ts-ignore: decorator
@inline const UNKNOWN_SIZE: u64 = 0xffffffffffffffff;

/** Decodes all frames of the input; bytes, or a negative code. */
export function zstdDecompress(
  src: usize,
  srcLength: u32,
  dst: usize,
  dstCapacity: u32,
  scratch: usize,
): i32 {
  const end = src + <usize>srcLength;
  // A result must not look like a fault.
  const dstEnd = dst + <usize>min<u32>(dstCapacity, i32.MAX_VALUE);
  let op = dst;
  zstdDecodeInit(scratch);
  store<u32>(scratch, <u32>src, FRAME_AT);
  while (<usize>load<u32>(scratch, FRAME_AT) < end) {
    const written = decodeFrame(scratch, end, op, op, dstEnd);
    if (written < 0) return written;
    op += <usize>written;
  }
  return <i32>(op - dst);
}

/**
 * Decodes one frame that follows a prefix, right behind it: matches may reach back into the prefix
 * (RFC 8878 §5: a dictionary of raw content). Bytes, or a negative code.
 */
export function zstdDecompressAfter(
  src: usize,
  srcLength: u32,
  prefix: usize,
  prefixLength: u32,
  dstCapacity: u32,
  scratch: usize,
): i32 {
  const end = src + <usize>srcLength;
  const dst = prefix + <usize>prefixLength;
  zstdDecodeInit(scratch);
  store<u32>(scratch, <u32>src, FRAME_AT);
  const room = <usize>min<u32>(dstCapacity, i32.MAX_VALUE);
  const written = decodeFrame(scratch, end, prefix, dst, dst + room);
  if (written < 0) return written;
  return <usize>load<u32>(scratch, FRAME_AT) == end ? written : -<i32>ZSTD_BAD_SIZE;
}

/** Decodes the frame at FRAME_AT and moves that behind it; its bytes, or a negative code. */
function decodeFrame(
  scratch: usize,
  end: usize,
  window: usize,
  dst: usize,
  dstEnd: usize,
): i32 {
  const ip = <usize>load<u32>(scratch, FRAME_AT);
  if (end - ip < 4) return -<i32>ZSTD_TRUNCATED;
  const magic = load<u32>(ip);
  if ((magic & 0xfffffff0) == SKIPPABLE_MAGIC) {
    if (end - ip < 8 || <usize>load<u32>(ip, 4) > end - ip - 8) return -<i32>ZSTD_TRUNCATED;
    store<u32>(scratch, <u32>ip + 8 + load<u32>(ip, 4), FRAME_AT);
    return 0;
  }
  if (magic != MAGIC) return -<i32>ZSTD_BAD_MAGIC;
  beginFrame(scratch);
  const fault = readHeader(scratch, ip + 4, end);
  if (fault != 0) return fault;
  const written = decodeBlocks(scratch, end, window, dst, dstEnd);
  if (written < 0) return written;
  const size = load<u64>(scratch, FRAME_SIZE);
  if (size != UNKNOWN_SIZE && size != <u64>written) return -<i32>ZSTD_BAD_SIZE;
  if (load<u32>(scratch, FRAME_CHECKSUM) == 0) return written;
  const at = <usize>load<u32>(scratch, FRAME_AT);
  if (end - at < 4) return -<i32>ZSTD_TRUNCATED;
  store<u32>(scratch, <u32>at + 4, FRAME_AT);
  checksum(dst, written, scratch + FRAME_SIZE);
  return load<u32>(at) == load<u32>(scratch, FRAME_SIZE) ? written : -<i32>ZSTD_BAD_CHECKSUM;
}

/** Reads what follows the magic, and moves FRAME_AT to the first block; 0, or a negative code. */
function readHeader(scratch: usize, ip: usize, end: usize): i32 {
  if (ip >= end) return -<i32>ZSTD_TRUNCATED;
  const descriptor = <u32>load<u8>(ip++);
  if ((descriptor & 8) != 0) return -<i32>ZSTD_BAD_HEADER;
  const isSingle = (descriptor & 32) != 0;
  const dictionaryBytes: u32 = (1 << (descriptor & 3)) >>> 1;
  const sizeCode = descriptor >>> 6;
  const sizeBytes: u32 = sizeCode == 0 ? <u32>isSingle : 1 << sizeCode;
  if (<usize>(<u32>!isSingle + dictionaryBytes + sizeBytes) > end - ip) {
    return -<i32>ZSTD_TRUNCATED;
  }
  let window: u64 = 0;
  if (!isSingle) {
    const base = <u64>1 << (10 + <u64>(load<u8>(ip) >>> 3));
    window = base + (base >>> 3) * <u64>(load<u8>(ip) & 7);
    ip++;
  }
  // A dictionary of number 0 is none.
  const dictionary = load<u32>(ip) & <u32>((<u64>1 << (dictionaryBytes << 3)) - 1);
  if (dictionary != 0) return -<i32>ZSTD_DICTIONARY;
  ip += <usize>dictionaryBytes;
  let size = load<u64>(ip);
  if (sizeBytes < 8) size &= (<u64>1 << (sizeBytes << 3)) - 1;
  if (sizeBytes == 2) size += 256;
  if (sizeBytes == 0) size = UNKNOWN_SIZE;
  if (isSingle) window = size;
  if (window > ZSTD_MAX_WINDOW_BYTES) return -<i32>ZSTD_WINDOW;
  store<u32>(scratch, <u32>(ip + <usize>sizeBytes), FRAME_AT);
  store<u32>(scratch, min(<u32>window, MAX_BLOCK_BYTES), FRAME_BLOCK_BYTES);
  store<u64>(scratch, size, FRAME_SIZE);
  store<u32>(scratch, descriptor & 4, FRAME_CHECKSUM);
  return 0;
}

/** Decodes blocks up to the last one of the frame; bytes, or a negative code. */
function decodeBlocks(
  scratch: usize,
  end: usize,
  window: usize,
  dst: usize,
  dstEnd: usize,
): i32 {
  const maxBytes = load<u32>(scratch, FRAME_BLOCK_BYTES);
  let ip = <usize>load<u32>(scratch, FRAME_AT);
  let op = dst;
  while (true) {
    if (end - ip < 3) return -<i32>ZSTD_TRUNCATED;
    const head = load<u32>(ip) & 0xffffff;
    const size = head >>> 3;
    const kind = (head >>> 1) & 3;
    ip += 3;
    if (kind == 3 || size > maxBytes) return -<i32>ZSTD_BAD_BLOCK;
    const taken: usize = kind == 1 ? 1 : <usize>size;
    if (taken > end - ip) return -<i32>ZSTD_TRUNCATED;
    const room = <u32>min<usize>(dstEnd - op, maxBytes);
    let written = <i32>size;
    if (kind == 2) {
      written = zstdDecodeBlock(scratch, ip, size, window, op, room);
      // With room for the largest block it is the block that is too large.
      if (written == -<i32>ZSTD_OVER_CAPACITY && room == maxBytes) return -<i32>ZSTD_BAD_BLOCK;
      if (written < 0) return written;
    } else {
      if (size > room) return -<i32>ZSTD_OVER_CAPACITY;
      if (kind == 0) memory.copy(op, ip, size);
      else memory.fill(op, load<u8>(ip), size);
    }
    ip += taken;
    op += <usize>written;
    if ((head & 1) != 0) break;
  }
  store<u32>(scratch, <u32>ip, FRAME_AT);
  return <i32>(op - dst);
}
