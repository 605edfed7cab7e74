// Turns sequence records into codes and extra bits (RFC 8878 §3.1.1.3.2.1.1), in place, and counts
// the codes. What the codes are written with is chosen afterwards (sequences.ts).
//
// Record of 12 bytes before:  u32 literal length | u32 match length | u32 offBase
// and after:                  u64 extra bits at the top, their count at the bottom
//                             | u32 codes, each times 8: literals (10 bits), match (10), offset
import { COUNTS, LITERAL_CODES, MATCH_CODES } from "./encodelayout";

/** Between the counters of one kind of code and the next; each takes 8 bytes. */
// @ts-ignore: decorator
@inline export const KIND_BYTES: usize = 512;
// @ts-ignore: decorator
@inline const MIN_MATCH: u32 = 3;

/** Once per frame: short lengths look their codes up, as code << 3 | extra bits << 16. */
export function fillCodes(scratch: usize): void {
  fillKind(scratch + LITERAL_CODES, 16, 64, 0x433221111);
  fillKind(scratch + MATCH_CODES, 32, 128, 0x54433221111);
}

/** `widths` has the extra bits, 4 bits each, of the codes after the first `plain` ones. */
function fillKind(table: usize, plain: u32, end: u32, widths: u64): void {
  for (let value: u32 = 0; value < plain; value++) store<u32>(table + (value << 2), value << 3);
  let value = plain;
  for (let code = plain; value < end; code++) {
    const width = <u32>widths & 15;
    widths >>= 4;
    for (const stop = value + (1 << width); value < stop; value++) {
      store<u32>(table + (value << 2), (code << 3) | (width << 16));
    }
  }
}

/** Returns the extra bits of all `count` records. Counters: literals, offsets, matches. */
export function codeSequences(scratch: usize, sequences: usize, count: u32): u32 {
  const counts = scratch + COUNTS;
  const literalCodes = scratch + LITERAL_CODES;
  const matchCodes = scratch + MATCH_CODES;
  memory.fill(counts, 0, 3 * KIND_BYTES);
  let total: u32 = 0;
  const end = sequences + 12 * <usize>count;
  for (let record = sequences; record < end; record += 12) {
    const literals = load<u32>(record);
    const match = load<u32>(record, 4) - MIN_MATCH;
    const offset = load<u32>(record, 8);
    const l = literals < 64 ? load<u32>(literalCodes + (literals << 2)) : longCode(literals, 19);
    const m = match < 128 ? load<u32>(matchCodes + (match << 2)) : longCode(match, 36);
    const o = 31 - clz(offset);
    const literalBits = l >> 16;
    const matchBits = m >> 16;
    const shortBits = literalBits + matchBits;
    const bits = shortBits + o;
    // Every first value of a code has as many zeros at its end as the code has extra bits.
    const literalExtra = literals & ((1 << literalBits) - 1);
    const matchExtra = match & ((1 << matchBits) - 1);
    const short = literalExtra | (matchExtra << literalBits);
    const extra = <u64>short | (<u64>(offset ^ (1 << o)) << <u64>shortBits);
    store<u64>(record, ((extra << 1) << <u64>(63 - bits)) | <u64>bits);
    store<u32>(record, (l & 0xffff) | ((m & 0xffff) << 10) | (o << 23), 8);
    total += bits;
    const literalAt = counts + <usize>(l & 0xffff);
    store<u32>(literalAt, load<u32>(literalAt) + 1);
    const offsetAt = counts + <usize>(o << 3);
    store<u32>(offsetAt, load<u32>(offsetAt, KIND_BYTES) + 1, KIND_BYTES);
    const matchAt = counts + <usize>(m & 0xffff);
    store<u32>(matchAt, load<u32>(matchAt, 2 * KIND_BYTES) + 1, 2 * KIND_BYTES);
  }
  return total;
}

/** The code of a length beyond the table. */
// @ts-ignore: decorator
@inline
function longCode(length: u32, first: u32): u32 {
  const width = 31 - clz(length);
  return ((width + first) << 3) | (width << 16);
}
