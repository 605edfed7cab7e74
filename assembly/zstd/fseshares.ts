// FSE distributions of the encoder: scales counts to shares that sum to a power of two, writes
// their description (RFC 8878 §4.1.1), and tells what coding with them costs. A share is an i16;
// -1 stands for "less than 1", which takes one cell at the end of the table.

/** Costs are in parts of a bit. */
// @ts-ignore: decorator
@inline export const COST_BITS: u32 = 8;

/** log2(x) in parts of a bit; a parabola between powers of two is right to a hundredth. */
// @ts-ignore: decorator
@inline
function logarithm(x: u32): u32 {
  const exponent = 31 - clz(x);
  const fraction = ((x << (31 - exponent)) >> 23) & 255;
  return (exponent << COST_BITS) + fraction + ((fraction * (256 - fraction) * 88) >> 16);
}

/** Bits of a table for `total` symbols up to `last`, at most `most`: few do not pay for many. */
export function tableBits(total: u32, last: u32, most: u32): u32 {
  const fromTotal = <i32>(29 - clz(total - 1));
  const least = min(32 - clz(total), 33 - clz(last));
  return max<u32>(5, max<i32>(<i32>least, min<i32>(<i32>most, fromTotal)));
}

/**
 * Scales counts (u32, each in 8 bytes) of symbols 0 to `last` to shares of 2^bits. At least two
 * symbols occur. With `rare`, symbols that deserve less than a cell get the cheaper -1.
 */
export function scaleCounts(
  counts: usize,
  last: u32,
  total: u32,
  bits: u32,
  rare: bool,
  shares: usize,
): void {
  let left: i32 = 1 << bits;
  // Multiplied instead of divided by the total.
  const factor = ((<u64>1 << 40) / total) << <u64>bits;
  let most: i32 = 0;
  let mostAt: usize = 0;
  for (let symbol: u32 = 0; symbol <= last; symbol++) {
    const count = load<u32>(counts + (symbol << 3));
    const at = shares + (symbol << 1);
    let share: i32 = 0;
    if (count != 0) {
      if (rare && count <= total >> bits) share = -1;
      else share = max<i32>(1, <i32>((<u64>count * factor + (<u64>1 << 39)) >> 40));
      left -= share < 0 ? 1 : share;
    }
    store<i16>(at, <i16>share);
    if (share > most) {
      most = share;
      mostAt = at;
    }
  }
  // What rounding left over goes to the largest, which feels it least, unless it is too much.
  if (most + left > most >> 1) {
    store<i16>(mostAt, <i16>(most + left));
    return;
  }
  for (; left < 0; left++) takeFromLargest(shares, last);
}

function takeFromLargest(shares: usize, last: u32): void {
  let most: i32 = 0;
  let mostAt = shares;
  for (let symbol: u32 = 0; symbol <= last; symbol++) {
    const share = <i32>load<i16>(shares + (symbol << 1));
    if (share > most) {
      most = share;
      mostAt = shares + (symbol << 1);
    }
  }
  store<i16>(mostAt, <i16>(most - 1));
}

/** What symbols with these counts cost with these shares; all bits set if one has none. */
export function costOf(counts: usize, last: u32, shares: usize, bits: u32): u32 {
  let cost: u32 = 0;
  for (let symbol: u32 = 0; symbol <= last; symbol++) {
    const count = load<u32>(counts + (symbol << 3));
    if (count == 0) continue;
    const share = <i32>load<i16>(shares + (symbol << 1));
    if (share == 0) return u32.MAX_VALUE;
    cost += count * ((bits << COST_BITS) - (share > 1 ? logarithm(share) : 0));
  }
  return cost;
}

/** Describes the shares of symbols 0 to `last` at `dst`, where 128 bytes are free; their bytes. */
export function writeShares(shares: usize, last: u32, bits: u32, dst: usize): u32 {
  let op = dst;
  let waiting: u64 = bits - 5;
  let filled: u32 = 4;
  // A value below is written in as few bits as tell it from all that are left to give out.
  let left: i32 = (1 << bits) + 1;
  let threshold: i32 = 1 << bits;
  let width = bits + 1;
  let symbol: u32 = 0;
  while (left > 1) {
    const share = <i32>load<i16>(shares + (symbol << 1));
    symbol++;
    const spare = 2 * threshold - 1 - left;
    left -= share < 0 ? 1 : share;
    let value = share + 1;
    if (value >= threshold) value += spare;
    waiting |= <u64>value << <u64>filled;
    filled += width - <u32>(value < spare);
    while (left < threshold) {
      width--;
      threshold >>= 1;
    }
    if (share == 0) {
      // Two bits tell how many more zeros follow; 3 means that two more bits tell about the rest.
      let zeros: u32 = 0;
      while (load<i16>(shares + ((symbol + zeros) << 1)) == 0) zeros++;
      symbol += zeros;
      for (; zeros >= 3; zeros -= 3) {
        waiting |= <u64>3 << <u64>filled;
        filled += 2;
      }
      waiting |= <u64>zeros << <u64>filled;
      filled += 2;
    }
    store<u64>(op, waiting);
    op += filled >> 3;
    waiting >>= <u64>(filled & 56);
    filled &= 7;
  }
  return <u32>(op - dst) + <u32>(filled != 0);
}
