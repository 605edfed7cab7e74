// The tables that sequences are decoded with (RFC 8878 §3.1.1.3.2.1): what each code stands for,
// the predefined tables, and the four ways in which a block names its tables.
import {
  DEFAULT_LENGTHS,
  DEFAULT_MATCHES,
  DEFAULT_OFFSETS,
  LENGTH_CODES,
  MATCH_CODES,
  OFFSET_CODES,
  OWN_LENGTHS,
  OWN_MATCHES,
  OWN_OFFSETS,
  SHARES,
  TABLE_LOGS,
  TABLES,
} from "./decodecontext";
import { buildTable, readShares } from "./decodefse";
import { defaultShares, LITERAL_LENGTHS, MATCH_LENGTHS, OFFSETS } from "./defaultshares";
import { ZSTD_BAD_TABLE, ZSTD_NO_TABLE } from "../layout";

// Ways to name a table.
// @ts-ignore: decorator
@inline const PREDEFINED: u32 = 0;
// @ts-ignore: decorator
@inline const REPEATED_CODE: u32 = 1;
// @ts-ignore: decorator
@inline const DESCRIBED: u32 = 2;

// @ts-ignore: decorator
@inline const LENGTH_SYMBOLS: u32 = 36;
// @ts-ignore: decorator
@inline const OFFSET_SYMBOLS: u32 = 32;
// @ts-ignore: decorator
@inline const MATCH_SYMBOLS: u32 = 53;

/** Fills in what no block changes. */
export function initTables(context: usize): void {
  // Extra bits of the codes that have some, 4 bits each, the first one lowest.
  fillCodes(context + LENGTH_CODES, 16, 0, 0xcba9876433221111, 0xfed);
  fillCodes(context + MATCH_CODES, 32, 3, 0xba98754433221111, 0xfedc);
  // 16 is no nibble.
  store<u64>(context + LENGTH_CODES, code(65536, 16), 35 << 3);
  store<u64>(context + MATCH_CODES, code(65539, 16), 52 << 3);
  for (let symbol: u32 = 0; symbol < OFFSET_SYMBOLS; symbol++) {
    const base = symbol < 2 ? symbol : (1 << symbol) - 3;
    store<u64>(context + OFFSET_CODES + (<usize>symbol << 3), code(base, symbol));
  }
  const shares = context + SHARES;
  let symbols = defaultShares(LITERAL_LENGTHS, shares) + 1;
  buildTable(context, context + DEFAULT_LENGTHS, 6, symbols, context + LENGTH_CODES);
  symbols = defaultShares(OFFSETS, shares) + 1;
  buildTable(context, context + DEFAULT_OFFSETS, 5, symbols, context + OFFSET_CODES);
  symbols = defaultShares(MATCH_LENGTHS, shares) + 1;
  buildTable(context, context + DEFAULT_MATCHES, 6, symbols, context + MATCH_CODES);
}

// @ts-ignore: decorator
@inline
function code(base: u32, bits: u32): u64 {
  return (<u64>base << 32) | (bits << 8);
}

/** Codes up to `plain` have no extra bits; those of the others are nibbles. */
function fillCodes(codes: usize, plain: u32, least: u32, low: u64, high: u64): void {
  let base = least;
  for (let symbol: u32 = 0; symbol < plain; symbol++, base++) {
    store<u64>(codes + (<usize>symbol << 3), code(base, 0));
  }
  for (codes += <usize>plain << 3; low != 0; codes += 8) {
    const bits = <u32>low & 15;
    store<u64>(codes, code(base, bits));
    base += 1 << bits;
    low = (low >>> 4) | (high << 60);
    high >>>= 4;
  }
}

/** Makes the three tables of a block ready; the bytes of their descriptions, or a negative code. */
export function readTables(context: usize, ip: usize, end: usize): i32 {
  const modes = <u32>load<u8>(ip);
  let at = ip + 1;
  let taken = readLengths(context, modes >>> 6, at, end);
  if (taken < 0) return taken;
  at += <usize>taken;
  taken = readOffsets(context, (modes >>> 4) & 3, at, end);
  if (taken < 0) return taken;
  at += <usize>taken;
  taken = readMatches(context, (modes >>> 2) & 3, at, end);
  if (taken < 0) return taken;
  return <i32>(at - ip) + taken;
}

function readLengths(context: usize, mode: u32, ip: usize, end: usize): i32 {
  if (mode == PREDEFINED) return use(context, LITERAL_LENGTHS, DEFAULT_LENGTHS, 6, 0);
  const kind = LITERAL_LENGTHS;
  return readTable(context, kind, mode, ip, end, 9, LENGTH_SYMBOLS, LENGTH_CODES, OWN_LENGTHS);
}

function readOffsets(context: usize, mode: u32, ip: usize, end: usize): i32 {
  if (mode == PREDEFINED) return use(context, OFFSETS, DEFAULT_OFFSETS, 5, 0);
  return readTable(context, OFFSETS, mode, ip, end, 8, OFFSET_SYMBOLS, OFFSET_CODES, OWN_OFFSETS);
}

function readMatches(context: usize, mode: u32, ip: usize, end: usize): i32 {
  if (mode == PREDEFINED) return use(context, MATCH_LENGTHS, DEFAULT_MATCHES, 6, 0);
  const kind = MATCH_LENGTHS;
  return readTable(context, kind, mode, ip, end, 9, MATCH_SYMBOLS, MATCH_CODES, OWN_MATCHES);
}

function use(context: usize, kind: u32, table: usize, log: u32, taken: i32): i32 {
  store<u32>(context + (<usize>kind << 2), <u32>table, TABLES);
  store<u32>(context + (<usize>kind << 2), log, TABLE_LOGS);
  return taken;
}

function readTable(
  context: usize,
  kind: u32,
  mode: u32,
  ip: usize,
  end: usize,
  maxLog: u32,
  symbols: u32,
  codes: usize,
  own: usize,
): i32 {
  if (mode == REPEATED_CODE) {
    if (ip >= end || <u32>load<u8>(ip) >= symbols) return -<i32>ZSTD_BAD_TABLE;
    const only = load<u64>(context + codes + (<usize>load<u8>(ip) << 3));
    store<u64>(context + own, only | (<u64>own << 16));
    return use(context, kind, own, 0, 1);
  }
  if (mode == DESCRIBED) {
    const shares = readShares(context, ip, end, maxLog, symbols);
    if (shares == 0) return -<i32>ZSTD_BAD_TABLE;
    const log = (shares >>> 16) & 0xff;
    buildTable(context, context + own, log, shares >>> 24, context + codes);
    return use(context, kind, own, log, <i32>(shares & 0xffff));
  }
  return load<u32>(context + (<usize>kind << 2), TABLES) == 0 ? -<i32>ZSTD_NO_TABLE : 0;
}
