// Pages in the raw format of snappy, byte for byte as libsnappy writes them (CompressFragment() and
// its EmitLiteral() and EmitCopy() in snappy.cc, Google Inc., BSD licence; written anew). A kdump
// file holds such pages, and keeping its pages is keeping the file.
//
// The format stayed; what the releases find differs by the hash of 4 bytes, by the size of the
// table and by how fast noise is skipped. They are told apart by the SNAPPY_AS_* of ../layout.
import { crc32cInit, fold } from "../crc32c";
import {
  CRC32C_TABLE_BYTES,
  SNAPPY_AS_1_1_10_CRC,
  SNAPPY_AS_1_1_3,
  SNAPPY_AS_1_1_9,
  SNAPPY_AS_1_2,
  SNAPPY_AS_1_2_CRC,
} from "../layout";

// @ts-ignore: decorator
@inline const MIN_TABLE_LOG: u32 = 8;
// @ts-ignore: decorator
@inline const MIN_MATCH: usize = 4;
/** The search ends so far before the end. */
// @ts-ignore: decorator
@inline const MARGIN: usize = 15;
// @ts-ignore: decorator
@inline const SKIP_LOG: u32 = 5;
// @ts-ignore: decorator
@inline const MAGIC: u32 = 0x1e35a7bd;

/**
 * Compresses pages of 1 … 65536 bytes that lie one after another into blocks that do; the bytes
 * (u32) of each go to `lengths`. `dst` has 7 bytes for each 6 of a page and 64 more, and 16 bytes
 * behind the pages may be read. `scratch` holds SNAPPY_SCRATCH_BYTES. Returns the bytes of all.
 */
export function snappyPages(
  pages: usize,
  pageBytes: u32,
  pageCount: u32,
  dst: usize,
  lengths: usize,
  as: u32,
  scratch: usize,
): u32 {
  const isCrc = as == SNAPPY_AS_1_1_10_CRC || as == SNAPPY_AS_1_2_CRC;
  const maxLog: u32 = as == SNAPPY_AS_1_2 || as == SNAPPY_AS_1_2_CRC ? 15 : 14;
  let log = max(MIN_TABLE_LOG, 32 - clz(pageBytes - 1));
  log = min(log, maxLog);
  // Up to 1.1.8 the highest bits of the product count, then those that do in a full table.
  const shift = as >= SNAPPY_AS_1_1_9 ? 32 - maxLog : 32 - log;
  const isFirst = as == SNAPPY_AS_1_1_3;
  if (isCrc) crc32cInit(scratch);
  const table = scratch + CRC32C_TABLE_BYTES;
  let op = dst;
  for (let page: u32 = 0; page < pageCount; page++) {
    const start = op;
    for (let left = pageBytes; ; left >>>= 7) {
      store<u8>(op++, <u8>(left < 128 ? left : left | 128));
      if (left < 128) break;
    }
    memory.fill(table, 0, 2 << log);
    const src = pages + <usize>page * <usize>pageBytes;
    // The kind of hash must be a constant of the loop.
    op = isCrc
      ? compress(src, pageBytes, op, table, shift, log, isFirst, scratch, true)
      : compress(src, pageBytes, op, table, shift, log, isFirst, scratch, false);
    store<u32>(lengths + (page << 2), <u32>(op - start));
  }
  return <u32>(op - dst);
}

// @ts-ignore: decorator
@inline
function compress(
  src: usize,
  length: u32,
  op: usize,
  table: usize,
  shift: u32,
  log: u32,
  isFirst: bool,
  crcTables: usize,
  isCrc: bool,
): usize {
  const end = src + <usize>length;
  if (<usize>length < MARGIN) return writeLiteral(op, src, end);
  const limit = end - MARGIN;
  let anchor = src;
  let ip = src + 1;
  while (true) {
    let skip: u32 = 1 << SKIP_LOG;
    let match: usize;
    while (true) {
      const step = skip >>> SKIP_LOG;
      skip += isFirst ? 1 : step;
      const next = ip + <usize>step;
      if (next > limit) return writeLiteral(op, anchor, end);
      const word = load<u32>(ip);
      const place = placeOf(word, table, shift, log, crcTables, isCrc);
      match = src + <usize>load<u16>(place);
      store<u16>(place, <u16>(ip - src));
      if (load<u32>(match) == word) break;
      ip = next;
    }
    op = writeLiteral(op, anchor, ip);
    let word: u32;
    do {
      anchor = matchEnd(ip, match, end);
      op = writeCopies(op, ip - match, anchor - ip);
      ip = anchor;
      if (ip >= limit) return ip < end ? writeLiteral(op, ip, end) : op;
      const before = placeOf(load<u32>(ip - 1), table, shift, log, crcTables, isCrc);
      store<u16>(before, <u16>(ip - 1 - src));
      word = load<u32>(ip);
      const place = placeOf(word, table, shift, log, crcTables, isCrc);
      match = src + <usize>load<u16>(place);
      store<u16>(place, <u16>(ip - src));
    } while (load<u32>(match) == word);
    ip++;
  }
}

// @ts-ignore: decorator
@inline
function placeOf(
  word: u32,
  table: usize,
  shift: u32,
  log: u32,
  crcTables: usize,
  isCrc: bool,
): usize {
  const mask: u32 = (2 << log) - 2;
  // As the processor's instruction does it: with no complement, from the mask on.
  if (isCrc) return table + <usize>(fold(word ^ mask, crcTables) & mask);
  return table + <usize>((((word * MAGIC) >>> shift) << 1) & mask);
}

/** The end of the match at `ip`, whose first 4 bytes are known to be equal. */
// @ts-ignore: decorator
@inline
function matchEnd(ip: usize, match: usize, end: usize): usize {
  let tail = ip + MIN_MATCH;
  match += MIN_MATCH;
  while (tail < end) {
    const differing = load<u64>(tail) ^ load<u64>(match);
    if (differing != 0) return min(tail + <usize>(ctz(differing) >>> 3), end);
    tail += 8;
    match += 8;
  }
  return end;
}

/** Writes the bytes from `from` up to `end`, of which there is one at least. Wild by 15 bytes. */
// @ts-ignore: decorator
@inline
function writeLiteral(op: usize, from: usize, end: usize): usize {
  const last = end - from - 1;
  if (last < 60) store<u8>(op++, <u8>(last << 2));
  else if (last < 256) {
    store<u8>(op, 60 << 2);
    store<u8>(op, <u8>last, 1);
    op += 2;
  } else {
    store<u8>(op, 61 << 2);
    store<u16>(op, <u16>last, 1);
    op += 3;
  }
  const stop = op + last + 1;
  for (; op < stop; op += 16, from += 16) v128.store(op, v128.load(from));
  return stop;
}

/** Copies of 64 bytes, as long as the last one keeps 4 or more. */
// @ts-ignore: decorator
@inline
function writeCopies(op: usize, distance: usize, length: usize): usize {
  for (; length >= 68; length -= 64) op = writeCopy(op, distance, 64);
  if (length > 64) {
    op = writeCopy(op, distance, 60);
    length -= 60;
  }
  if (length >= 12 || distance >= 2048) return writeCopy(op, distance, length);
  store<u8>(op, <u8>(1 | ((length - 4) << 2) | ((distance >>> 8) << 5)));
  store<u8>(op, <u8>distance, 1);
  return op + 2;
}

// @ts-ignore: decorator
@inline
function writeCopy(op: usize, distance: usize, length: usize): usize {
  store<u8>(op, <u8>(2 | ((length - 1) << 2)));
  store<u16>(op, <u16>distance, 1);
  return op + 3;
}
