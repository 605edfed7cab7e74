// FSE tables of the encoder (RFC 8878 §4.1): made from shares, used backwards. States are kept
// doubled, so that one is the offset of a u16; a table of 2^b cells has states 2^b … 2^(b+1) - 1.
//
//   transform of a code:  0 u32 add   4 i32 rebase
//   bits to write = (state + add) >> 17;  next state = u16 at (state >> bits & ~1) + rebase

// Parts of the work area: the code of each cell (at 0), codes in a row, first state of each code.
// @ts-ignore: decorator
@inline const ROW: usize = 512;
// @ts-ignore: decorator
@inline const FIRSTS: usize = 1040;

/**
 * Makes a table of 2^bits cells at `transform` (8 bytes per code) and `states` (u16 per cell).
 * `origin` is the address that the offsets of states count from. `work` holds 2 KiB.
 */
export function buildTable(
  shares: usize,
  last: u32,
  bits: u32,
  transform: usize,
  states: usize,
  origin: usize,
  work: usize,
): void {
  spreadCodes(shares, last, bits, work);
  const firsts = work + FIRSTS;
  const statesOffset = <u32>(states - origin);
  let total: u32 = 0;
  for (let code: u32 = 0; code <= last; code++) {
    const share = <i32>load<i16>(shares + (code << 1));
    const at = transform + (code << 3);
    store<u32>(firsts + (code << 2), <u32>states + (total << 1));
    if (share > 1) {
      const most = bits - (31 - clz(share - 1));
      store<u32>(at, (most << 17) - ((<u32>share << most) << 1));
      store<i32>(at, statesOffset + ((total - share) << 1), 4);
      total += share;
    } else if (share != 0) {
      store<u32>(at, (bits << 17) - (<u32>2 << bits));
      store<i32>(at, statesOffset + ((total - 1) << 1), 4);
      total++;
    }
  }
  const size: u32 = 1 << bits;
  for (let cell: u32 = 0; cell < size; cell++) {
    const first = firsts + (<usize>load<u8>(work + cell) << 2);
    const at = load<u32>(first);
    store<u16>(<usize>at, <u16>((size + cell) << 1));
    store<u32>(first, at + 2);
  }
}

/** The code of every cell, u8 each, as RFC 8878 spreads them over the table. */
function spreadCodes(shares: usize, last: u32, bits: u32, cells: usize): void {
  const size: u32 = 1 << bits;
  const step = (size >> 1) + (size >> 3) + 3;
  // In a row first, eight at a time: short runs of unknown length would be guessed wrong each time.
  const row = cells + ROW;
  let filled = row;
  let high = size - 1;
  for (let code: u32 = 0; code <= last; code++) {
    const share = <i32>load<i16>(shares + (code << 1));
    if (share < 0) store<u8>(cells + high--, <u8>code);
    const eight = <u64>code * 0x0101010101010101;
    store<u64>(filled, eight);
    for (let more = 8; more < share; more += 8) store<u64>(filled + more, eight);
    filled += max<i32>(share, 0);
  }
  let cell: u32 = 0;
  for (let at = row; at < filled; at++) {
    store<u8>(cells + cell, load<u8>(at));
    do cell = (cell + step) & (size - 1);
    while (cell > high);
  }
}

/** A table of one code and no bits. */
export function buildSingle(code: u32, transform: usize, states: usize, origin: usize): void {
  store<u32>(transform + (code << 3), 0);
  store<i32>(transform + (code << 3), <i32>(states - origin), 4);
  store<u16>(states, 0);
}

/** The state that codes written backwards begin with: the first one of the last code. */
// @ts-ignore: decorator
@inline
export function lastState(tables: usize, transform: usize): u32 {
  const add = load<u32>(transform);
  const bits = (add + 0x10000) >> 17;
  const value = (bits << 17) - add;
  return <u32>load<u16>(tables + ((value >> bits) & ~1) + <usize>load<i32>(transform, 4));
}
