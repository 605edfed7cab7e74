// Describes a Huffman code in a frame (RFC 8878 §4.2.1): a weight per byte value up to the last but
// one that has a code, either FSE-coded by two states in turn or 4 bits each.
import { buildTable, lastState } from "./fsetable";
import { scaleCounts, tableBits, writeShares } from "./fseshares";

// Parts of the work area: weights, their counts (8 bytes each), shares, transforms, states, and
// what building the table needs.
// @ts-ignore: decorator
@inline const COUNTS: usize = 256;
// @ts-ignore: decorator
@inline const SHARES: usize = 512;
// @ts-ignore: decorator
@inline const TRANSFORM: usize = 640;
// @ts-ignore: decorator
@inline const STATES: usize = 768;
// @ts-ignore: decorator
@inline const WORK: usize = 1024;
// @ts-ignore: decorator
@inline const TABLE_BITS: u32 = 6;
/** More weights than this cannot be written 4 bits each. */
// @ts-ignore: decorator
@inline const MAX_DIRECT: u32 = 128;

/**
 * Writes the description of a code whose longest word has `bits` bits. Returns its bytes, at most
 * 128 but wild by 8 more, or 0 when there is none. `work` holds 4 KiB.
 */
export function writeTree(code: usize, bits: u32, dst: usize, work: usize): u32 {
  const counts = work + COUNTS;
  memory.fill(counts, 0, 128);
  let last: u32 = 255;
  while (load<u64>(code + (last << 3)) == 0) last--;
  for (let symbol: u32 = 0; symbol < last; symbol++) {
    const length = <u32>load<u8>(code + (symbol << 3));
    const weight = length != 0 ? bits + 1 - length : 0;
    store<u8>(work + symbol, <u8>weight);
    const counter = counts + (weight << 3);
    store<u32>(counter, load<u32>(counter) + 1);
  }
  const coded = writeCoded(work, last, dst + 1);
  const direct = (last + 1) >> 1;
  if (coded != 0 && (coded < direct || last > MAX_DIRECT)) {
    if (coded > 127) return 0;
    store<u8>(dst, <u8>coded);
    return coded + 1;
  }
  if (last > MAX_DIRECT) return 0;
  store<u8>(dst, <u8>(127 + last));
  store<u8>(work + last, 0);
  for (let symbol: u32 = 0; symbol < last; symbol += 2) {
    const pair = (load<u8>(work + symbol) << 4) | load<u8>(work + symbol, 1);
    store<u8>(dst + 1 + (symbol >> 1), pair);
  }
  return direct + 1;
}

/** FSE codes `count` weights; 0 when that makes no sense. */
function writeCoded(work: usize, count: u32, dst: usize): u32 {
  const counts = work + COUNTS;
  let last: u32 = 0;
  let most: u32 = 0;
  for (let weight: u32 = 0; weight < 16; weight++) {
    const times = load<u32>(counts + (weight << 3));
    if (times != 0) last = weight;
    most = max(most, times);
  }
  if (most <= 1 || most == count) return 0;
  const bits = tableBits(count, last, TABLE_BITS);
  const shares = work + SHARES;
  scaleCounts(counts, last, count, bits, false, shares);
  const head = writeShares(shares, last, bits, dst);
  buildTable(shares, last, bits, work + TRANSFORM, work + STATES, work, work + WORK);
  return head + writeWeights(work, count, bits, dst + head);
}

/** From the last weight to the first; those at even places belong to the first state. */
function writeWeights(work: usize, count: u32, bits: u32, dst: usize): u32 {
  let op = dst;
  let waiting: u64 = 0;
  let filled: u32 = 0;
  let at = count - 1;
  // `own` is the state of the weight at hand, `other` that of its neighbours.
  let other = lastState(work, transformOf(work, at--));
  let own = lastState(work, transformOf(work, at));
  while (at > 0) {
    const swap = own;
    own = other;
    other = swap;
    const transform = transformOf(work, --at);
    const written = (own + load<u32>(transform)) >> 17;
    waiting |= <u64>((own >> 1) & ((1 << written) - 1)) << <u64>filled;
    filled += written;
    own = <u32>load<u16>(work + ((own >> written) & ~1) + <usize>load<i32>(transform, 4));
    if (filled < 40) continue;
    store<u64>(op, waiting);
    op += filled >> 3;
    waiting >>= <u64>(filled & 56);
    filled &= 7;
  }
  store<u64>(op, waiting);
  op += filled >> 3;
  waiting >>= <u64>(filled & 56);
  filled &= 7;
  // The first weight is at place 0, so its state is the first one, which is read first: it is
  // written last, and a set bit marks the end.
  const mask: u64 = (<u64>1 << <u64>bits) - 1;
  const both = (<u64>(other >> 1) & mask) | ((<u64>(own >> 1) & mask) << <u64>bits);
  waiting |= (both | (<u64>1 << <u64>(2 * bits))) << <u64>filled;
  store<u64>(op, waiting);
  return <u32>(op - dst) + ((filled + 2 * bits + 8) >> 3);
}

// @ts-ignore: decorator
@inline
function transformOf(work: usize, at: u32): usize {
  return work + TRANSFORM + (<usize>load<u8>(work + at) << 3);
}
