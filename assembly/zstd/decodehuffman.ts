// The Huffman codes of literals (RFC 8878 §4.2.1): reads the weights and fills a table that is
// looked up with the next 11 bits of a stream, whatever the longest code is.
import { CODES, WEIGHT_COUNTS, WEIGHT_TABLE, WEIGHTS } from "./decodecontext";
import { buildTable, readShares } from "./decodefse";
import { ZSTD_BAD_CODES, ZSTD_LONG_CODES } from "../layout";

// @ts-ignore: decorator
@inline const MAX_CODE_BITS: u32 = 11;
// @ts-ignore: decorator
@inline const WEIGHT_LOG: u32 = 6;
// @ts-ignore: decorator
@inline const MAX_WEIGHTS: u32 = 255;

/** Fills CODES from the description at `ip`; its bytes, or a negative code. */
export function readCodes(context: usize, ip: usize, end: usize): i32 {
  if (ip >= end) return -<i32>ZSTD_BAD_CODES;
  const head = <u32>load<u8>(ip);
  let count: u32;
  let bytes: usize;
  if (head >= 128) {
    count = head - 127;
    bytes = 1 + ((count + 1) >>> 1);
    if (bytes > end - ip) return -<i32>ZSTD_BAD_CODES;
    for (let i: u32 = 0; i < count; i += 2) {
      const pair = load<u8>(ip + (i >>> 1), 1);
      store<u8>(context + i, pair >>> 4, WEIGHTS);
      store<u8>(context + i, pair & 15, WEIGHTS + 1);
    }
  } else {
    bytes = 1 + <usize>head;
    if (bytes > end - ip) return -<i32>ZSTD_BAD_CODES;
    count = unpackWeights(context, ip + 1, ip + bytes);
    if (count == 0) return -<i32>ZSTD_BAD_CODES;
  }
  const fault = fillCodes(context, count);
  return fault != 0 ? fault : <i32>bytes;
}

/** Weights from an FSE stream with two states that take turns; their count, or 0. */
function unpackWeights(context: usize, ip: usize, end: usize): u32 {
  const shares = readShares(context, ip, end, WEIGHT_LOG, MAX_CODE_BITS + 1);
  if (shares == 0) return 0;
  const log = (shares >>> 16) & 0xff;
  const table = context + WEIGHT_TABLE;
  buildTable(context, table, log, shares >>> 24, 0);
  ip += <usize>(shares & 0xffff);
  if (ip >= end || load<u8>(end - 1) == 0) return 0;
  let left = <i32>((end - ip) << 3) - <i32>(clz<u32>(load<u8>(end - 1)) - 23);
  left -= log;
  let one = table + (<usize>bitsAt(ip, left, log) << 3);
  left -= log;
  if (left < 0) return 0;
  let two = table + (<usize>bitsAt(ip, left, log) << 3);
  let count: u32 = 0;
  while (true) {
    if (count >= MAX_WEIGHTS - 1) return 0;
    store<u8>(context + count++, load<u8>(one, 4), WEIGHTS);
    const width = <u32>load<u8>(one);
    left -= width;
    if (left < 0) break;
    // The states change their places with every weight.
    const next = context + <usize>load<u16>(one, 2) + (<usize>bitsAt(ip, left, width) << 3);
    one = two;
    two = next;
  }
  store<u8>(context + count++, load<u8>(two, 4), WEIGHTS);
  return count;
}

/** `width` bits of the stream from bit `at` on; up to 4 bytes behind it are read. */
// @ts-ignore: decorator
@inline
function bitsAt(ip: usize, at: i32, width: u32): u32 {
  if (at < 0) return 0;
  return (load<u32>(ip + (at >>> 3)) >>> (at & 7)) & ((1 << width) - 1);
}

/** The last weight follows from the others. 0, or a negative code. */
function fillCodes(context: usize, count: u32): i32 {
  memory.fill(context + WEIGHT_COUNTS, 0, 48);
  let total: u32 = 0;
  for (let symbol: u32 = 0; symbol < count; symbol++) {
    const weight = <usize>load<u8>(context + symbol, WEIGHTS);
    if (weight > MAX_CODE_BITS) return -<i32>ZSTD_LONG_CODES;
    countWeight(context, weight);
    total += (1 << <u32>weight) >>> 1;
  }
  if (total == 0) return -<i32>ZSTD_BAD_CODES;
  const log: u32 = 32 - clz(total);
  if (log > MAX_CODE_BITS) return -<i32>ZSTD_LONG_CODES;
  const rest: u32 = (1 << log) - total;
  if ((rest & (rest - 1)) != 0) return -<i32>ZSTD_BAD_CODES;
  const last = <usize>ctz(rest) + 1;
  store<u8>(context + count, <u8>last, WEIGHTS);
  countWeight(context, last);
  // The longest codes come in pairs.
  const longest = load<u32>(context + 4, WEIGHT_COUNTS);
  if (longest < 2 || (longest & 1) != 0) return -<i32>ZSTD_BAD_CODES;
  fillTable(context, count + 1, log);
  return 0;
}

// @ts-ignore: decorator
@inline
function countWeight(context: usize, weight: usize): void {
  const place = context + (weight << 2);
  store<u32>(place, load<u32>(place, WEIGHT_COUNTS) + 1, WEIGHT_COUNTS);
}

/** Places of the table go to the symbols in order of weight, then of value. */
function fillTable(context: usize, count: u32, log: u32): void {
  const scale = MAX_CODE_BITS - log;
  let start: u32 = 0;
  for (let weight: u32 = 1; weight <= log; weight++) {
    const place = context + (<usize>weight << 2);
    const symbols = load<u32>(place, WEIGHT_COUNTS);
    store<u32>(place, start, WEIGHT_COUNTS);
    start += symbols << (weight - 1 + scale);
  }
  for (let symbol: u32 = 0; symbol < count; symbol++) {
    const weight = <u32>load<u8>(context + symbol, WEIGHTS);
    if (weight == 0) continue;
    const place = context + (<usize>weight << 2);
    const at = load<u32>(place, WEIGHT_COUNTS);
    const size: u32 = 1 << (weight - 1 + scale);
    store<u32>(place, at + size, WEIGHT_COUNTS);
    fillPlaces(context + CODES + (<usize>at << 1), size, (symbol << 8) | (log + 1 - weight));
  }
}

// @ts-ignore: decorator
@inline
function fillPlaces(place: usize, size: u32, entry: u32): void {
  if (size >= 8) {
    const word = i16x8.splat(<i16>entry);
    for (const end = place + (<usize>size << 1); place < end; place += 16) v128.store(place, word);
  } else if (size == 4) {
    store<u64>(place, <u64>entry * 0x0001000100010001);
  } else {
    store<u16>(place, <u16>entry);
    if (size == 2) store<u16>(place, <u16>entry, 2);
  }
}
