// Zstandard frames (RFC 8878): one segment with its size in the header, blocks of 128 KiB, no
// checksum, no dictionary. A block is a run, compressed, or stored when that does not pay; what a
// dropped attempt changed is taken back, since no reader will see it.
//
//   frame:  magic (4) | descriptor (1) | content size (1, 2 or 4) | blocks
//   block:  u24: last (1 bit) | kind (2) | bytes (21), then its bytes
import {
  BLOCK_MAX,
  FINDER,
  HUFFMAN,
  HUFFMAN_BYTES,
  HUFFMAN_FRESH,
  HUFFMAN_NEXT,
  HUFFMAN_STORE,
  HUFFMAN_VALID,
  LITERALS,
  PART_NEXT,
  PARTS,
  SEQUENCES,
  SET,
  SET_BYTES,
  SET_FRESH,
  SET_LOGS,
  SET_NEXT,
  SET_STORE,
  STAGED,
} from "./encodelayout";
import { writeLiterals } from "./literals";
import { findAfter, findAfterInit, MIN_PREFIX } from "./matchafter";
import { findFast, findFastInit } from "./matchfast";
import { findOptimal, findOptimalInit } from "./matchoptimal";
import { cutBlock } from "./parts";
import { fillCodes } from "./sequencecodes";
import { writeSequences } from "./sequences";

/** The level that searches for the smallest frame. */
// @ts-ignore: decorator
@inline const SMALL: u32 = 2;
/** The way of frames that follow a prefix. */
// @ts-ignore: decorator
@inline const AFTER: u32 = 3;
// @ts-ignore: decorator
@inline const MAGIC: u32 = 0xfd2fb528;
// @ts-ignore: decorator
@inline const FRAME_MAX: u32 = 1048576;
/** Sizes from here on take four bytes of the head. */
// @ts-ignore: decorator
@inline const TWO_BYTE_SIZES: u32 = 65536 + 256;
// @ts-ignore: decorator
@inline const BLOCK_HEAD: usize = 3;
// @ts-ignore: decorator
@inline const STORED: u32 = 0;
// @ts-ignore: decorator
@inline const RUN: u32 = 1;
// @ts-ignore: decorator
@inline const COMPRESSED: u32 = 2;
/** What the writers of a block may write beyond the size of its input. */
// @ts-ignore: decorator
@inline const ROOM: usize = 1024;

/** Bytes of the frame, or 0 when they would not fit. `scratch` has ZSTD_COMPRESS_SCRATCH_BYTES. */
export function zstdCompress(
  src: usize,
  srcLength: u32,
  dst: usize,
  dstCapacity: u32,
  level: u32,
  scratch: usize,
): u32 {
  if (level == SMALL) findOptimalInit(scratch + FINDER, srcLength);
  else findFastInit(scratch + FINDER, srcLength);
  return writeFrame(src, srcLength, dst, dstCapacity, level, scratch);
}

/**
 * A frame for content that follows a prefix of MIN_PREFIX bytes or more, to which its matches
 * reach back (RFC 8878 §5: a dictionary of raw content). `home` is the distance at which most of
 * them will be, or 0. Bytes, or 0 when they would not fit.
 */
export function zstdCompressAfter(
  prefix: usize,
  prefixLength: u32,
  srcLength: u32,
  home: u32,
  dst: usize,
  dstCapacity: u32,
  scratch: usize,
): u32 {
  if (prefixLength < MIN_PREFIX) return 0;
  const src = prefix + <usize>prefixLength;
  findAfterInit(scratch + FINDER, prefix, src, home);
  return writeFrame(src, srcLength, dst, dstCapacity, AFTER, scratch);
}

/** What is written once the finder is ready. */
function writeFrame(
  src: usize,
  srcLength: u32,
  dst: usize,
  dstCapacity: u32,
  level: u32,
  scratch: usize,
): u32 {
  const headBytes: u32 = srcLength < 256 ? 6 : srcLength < TWO_BYTE_SIZES ? 7 : 9;
  if (srcLength > FRAME_MAX || dstCapacity < headBytes + <u32>BLOCK_HEAD) return 0;
  writeFrameHead(dst, srcLength, headBytes);
  let op = dst + headBytes;
  const dstEnd = dst + <usize>dstCapacity;
  const end = src + <usize>srcLength;
  initFrame(scratch);
  let ip = src;
  do {
    const blockEnd = min(ip + <usize>BLOCK_MAX, end);
    op = writeBlock(src, ip, blockEnd, blockEnd == end, op, dstEnd, level, scratch);
    if (op == 0) return 0;
    ip = blockEnd;
  } while (ip < end);
  return <u32>(op - dst);
}

function writeFrameHead(dst: usize, size: u32, headBytes: u32): void {
  store<u32>(dst, MAGIC);
  // The upper two bits of the descriptor tell the width of the size, bit 5 says "one segment".
  store<u8>(dst, <u8>(headBytes == 6 ? 0x20 : headBytes == 7 ? 0x60 : 0xa0), 4);
  if (headBytes == 6) store<u8>(dst, <u8>size, 5);
  else if (headBytes == 7) store<u16>(dst, <u16>(size - 256), 5);
  else store<u32>(dst, size, 5);
}

function initFrame(scratch: usize): void {
  store<u32>(scratch, <u32>(scratch + HUFFMAN_STORE), HUFFMAN);
  store<u32>(scratch, <u32>(scratch + HUFFMAN_STORE + HUFFMAN_BYTES), HUFFMAN_NEXT);
  store<u32>(scratch, <u32>(scratch + SET_STORE), SET);
  store<u32>(scratch, <u32>(scratch + SET_STORE + SET_BYTES), SET_NEXT);
  forgetTables(scratch);
  fillCodes(scratch);
}

/** Returns the end of the block, or 0 when it does not fit. */
function writeBlock(
  frameStart: usize,
  from: usize,
  to: usize,
  last: bool,
  dst: usize,
  dstEnd: usize,
  level: u32,
  scratch: usize,
): usize {
  const length = to - from;
  const room = dstEnd - dst;
  if (room < BLOCK_HEAD + min<usize>(length, 1)) return 0;
  if (length > 3 && isRun(from, to)) {
    store<u8>(dst, load<u8>(from), BLOCK_HEAD);
    return writeHead(dst, last, RUN, <u32>length) + 1;
  }
  const finder = scratch + FINDER;
  const repeats12 = load<u64>(finder);
  const repeats3 = load<u32>(finder, 8);
  const records = scratch + SEQUENCES;
  const literals = scratch + LITERALS;
  let count: u32;
  if (level == SMALL) count = findOptimal(frameStart, from, to, finder, records, literals);
  else if (level == AFTER) count = findAfter(from, to, finder, records, literals);
  else count = findFast(frameStart, from, to, finder, records, literals);
  cutBlock(scratch, count, load<u32>(finder, 12), <u32>length, level == SMALL);
  const isRoomy = room >= length + ROOM;
  const body = isRoomy ? dst : scratch + STAGED;
  const bytes = writeParts(scratch, last, <u32>length, body);
  if (bytes != 0) {
    if (room < <usize>bytes) return 0;
    if (!isRoomy) memory.copy(dst, body, bytes);
    return dst + bytes;
  }
  store<u64>(finder, repeats12);
  store<u32>(finder, repeats3, 8);
  if (room < BLOCK_HEAD + length) return 0;
  memory.copy(dst + BLOCK_HEAD, from, length);
  return writeHead(dst, last, STORED, <u32>length) + length;
}

/** A block per part; returns the bytes of all, or 0 when that does not pay. */
function writeParts(scratch: usize, last: bool, length: u32, dst: usize): u32 {
  const stop = dst + length - (length >> 7) - 2;
  let op = dst;
  for (let part = scratch + PARTS; part != 0; ) {
    const body = op + BLOCK_HEAD;
    const bytes = writeLiterals(scratch, part, body, stop);
    const end: usize = bytes == 0 ? 0 : writeSequences(scratch, part, body + bytes, stop);
    if (end == 0 || end > stop) {
      if (op != dst) forgetTables(scratch);
      return 0;
    }
    commit(scratch);
    part = <usize>load<u32>(part, PART_NEXT);
    writeHead(op, last && part == 0, COMPRESSED, <u32>(end - body));
    op = end;
  }
  return <u32>(op - dst);
}

/** Tables of blocks that are dropped must not be repeated, and those before them are gone. */
function forgetTables(scratch: usize): void {
  store<u32>(scratch, 0, HUFFMAN_VALID);
  memory.fill(<usize>load<u32>(scratch, SET) + SET_LOGS, 0, 24);
}

/** What the block was written with is what the next one may repeat. */
function commit(scratch: usize): void {
  if (load<u32>(scratch, HUFFMAN_FRESH)) {
    store<u64>(scratch, rotr<u64>(load<u64>(scratch, HUFFMAN), 32), HUFFMAN);
    store<u32>(scratch, 1, HUFFMAN_VALID);
  }
  if (load<u32>(scratch, SET_FRESH)) {
    store<u64>(scratch, rotr<u64>(load<u64>(scratch, SET), 32), SET);
  }
}

function writeHead(dst: usize, last: bool, kind: u32, size: u32): usize {
  const head = <u32>last | (kind << 1) | (size << 3);
  store<u16>(dst, <u16>head);
  store<u8>(dst, <u8>(head >> 16), 2);
  return dst + BLOCK_HEAD;
}

/** Whether all bytes of a block are the same. */
function isRun(from: usize, to: usize): bool {
  const first = i8x16.splat(load<i8>(from));
  let at = from;
  for (; at + 16 <= to; at += 16) {
    if (v128.any_true(v128.xor(v128.load(at), first))) return false;
  }
  for (; at < to; at++) {
    if (load<u8>(at) != load<u8>(from)) return false;
  }
  return true;
}
