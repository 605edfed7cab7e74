// Tables of finite state entropy for decoding (RFC 8878 §4.1): reads the shares of the symbols and
// spreads them. An entry takes 8 bytes, so that one load each fetches what a step needs:
//
//    0  u8   bits of the next state      1  u8   extra bits of the code
//    2  u16  base of the next state: the offset of its entry from the context
//    4  u32  what the extra bits are added to (for plain symbols: the symbol)
import { NEXT_STATES, SHARES } from "./decodecontext";

// @ts-ignore: decorator
@inline const MIN_LOG: u32 = 5;
// @ts-ignore: decorator
@inline const SHARE_IS_BROKEN: u32 = 0;

/**
 * Reads shares to SHARES; up to 4 bytes behind `end` are read. Returns the bytes they take with the
 * logarithm in bits 16–23 and the count of symbols in bits 24–31, or 0 if they are broken.
 */
export function readShares(
  context: usize,
  ip: usize,
  end: usize,
  maxLog: u32,
  maxSymbols: u32,
): u32 {
  if (ip >= end) return SHARE_IS_BROKEN;
  const limit = <u32>(end - ip) << 3;
  const log = (<u32>load<u8>(ip) & 15) + MIN_LOG;
  if (log > maxLog) return SHARE_IS_BROKEN;
  let bit: u32 = 4;
  let symbol: u32 = 0;
  // One more than what is still to be given away.
  let remaining: u32 = (1 << log) + 1;
  while (remaining > 1) {
    if (symbol >= maxSymbols || bit > limit) return SHARE_IS_BROKEN;
    const width: u32 = 32 - clz(remaining);
    const threshold: u32 = 1 << (width - 1);
    const word = load<u32>(ip + (bit >>> 3)) >>> (bit & 7);
    // Values below `spare` need a bit less than the others.
    const spare: u32 = 2 * threshold - 1 - remaining;
    let value = word & (threshold - 1);
    if (value < spare) {
      bit += width - 1;
    } else {
      value = word & (2 * threshold - 1);
      if (value >= threshold) value -= spare;
      bit += width;
    }
    const share = <i32>value - 1;
    store<i16>(context + (<usize>(symbol++) << 1), <i16>share, SHARES);
    remaining -= share < 0 ? 1 : share;
    if (share != 0) continue;
    // Two bits at a time say how many more symbols have no share; 3 goes on.
    let more: u32 = 3;
    while (more == 3) {
      if (bit > limit) return SHARE_IS_BROKEN;
      more = (load<u32>(ip + (bit >>> 3)) >>> (bit & 7)) & 3;
      bit += 2;
      if (symbol + more >= maxSymbols) return SHARE_IS_BROKEN;
      for (let i: u32 = 0; i < more; i++) {
        store<u16>(context + (<usize>(symbol++) << 1), 0, SHARES);
      }
    }
  }
  if (bit > limit) return SHARE_IS_BROKEN;
  return (symbol << 24) | (log << 16) | ((bit + 7) >>> 3);
}

/**
 * Builds the table of the shares in SHARES, which add up to its size. `codes` has what entries say
 * of each symbol (bits 8–15 and 32–63 of them); 0 stands for plain symbols.
 */
export function buildTable(
  context: usize,
  table: usize,
  log: u32,
  symbols: u32,
  codes: usize,
): void {
  const size: u32 = 1 << log;
  let top = size - 1;
  for (let symbol: u32 = 0; symbol < symbols; symbol++) {
    const share = load<i16>(context + (<usize>symbol << 1), SHARES);
    if (share < 0) store<u32>(table + (<usize>(top--) << 3), symbol, 4);
    store<u16>(context + (<usize>symbol << 1), share < 0 ? 1 : <u16>share, NEXT_STATES);
  }
  const step = (size >>> 1) + (size >>> 3) + 3;
  let at: u32 = 0;
  for (let symbol: u32 = 0; symbol < symbols; symbol++) {
    const share = <i32>load<i16>(context + (<usize>symbol << 1), SHARES);
    for (let i = 0; i < share; i++) {
      store<u32>(table + (<usize>at << 3), symbol, 4);
      do at = (at + step) & (size - 1);
      while (at > top);
    }
  }
  const start = <u32>(table - context);
  for (const end = table + (<usize>size << 3); table < end; table += 8) {
    const symbol = load<u32>(table, 4);
    const place = context + (<usize>symbol << 1);
    const state = <u32>load<u16>(place, NEXT_STATES);
    store<u16>(place, <u16>(state + 1), NEXT_STATES);
    const bits = log - (31 - clz(state));
    const code = codes != 0 ? load<u64>(codes + (<usize>symbol << 3)) : <u64>symbol << 32;
    const next = start + (((state << bits) - size) << 3);
    store<u64>(table, code | bits | (next << 16));
  }
}
