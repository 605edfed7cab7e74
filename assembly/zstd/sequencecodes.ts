// Turns sequence records into codes and extra bits (RFC 8878 §3.1.1.3.2.1.1), in place, and counts
// the codes. What the codes are written with is chosen afterwards (sequences.ts).
//
// Record of 12 bytes before:  u32 literal length | u32 match length | u32 offBase
// and after:                  u64 extra bits at the top, their count at the bottom
//                             | u32 codes, each times 8: literals (10 bits), match (10), offset
import {
  KIND_BYTES,
  LITERAL_CODES,
  MATCH_CODES,
  PART_CODE_COUNTS,
  PART_COUNT,
  PART_LITERAL_COUNT,
  PART_RECORDS,
} from "./encodelayout";

// @ts-ignore: decorator
@inline const MIN_MATCH: u32 = 3;

// What a length is coded as:  u16 code times 8 | u16 extra bits | u32 mask of these.

/** Once per frame: short lengths look up what they are coded as. */
export function fillCodes(scratch: usize): void {
  fillKind(scratch + LITERAL_CODES, 16, 64, 0x433221111);
  fillKind(scratch + MATCH_CODES, 32, 128, 0x54433221111);
}

/** `widths` has the extra bits, 4 bits each, of the codes after the first `plain` ones. */
function fillKind(table: usize, plain: u32, end: u32, widths: u64): void {
  for (let value: u32 = 0; value < plain; value++) store<u64>(table + (value << 3), value << 3);
  let value = plain;
  for (let code = plain; value < end; code++) {
    const coded = codedAs(code, <u32>widths & 15);
    for (const stop = value + (1 << (<u32>widths & 15)); value < stop; value++) {
      store<u64>(table + (value << 3), coded);
    }
    widths >>= 4;
  }
}

// @ts-ignore: decorator
@inline
function codedAs(code: u32, width: u32): u64 {
  return <u64>(code << 3) | (<u64>width << 16) | (((<u64>1 << <u64>width) - 1) << 32);
}

/**
 * Codes records from `record` on, until they cover `enough` bytes of input or are at an end. Makes
 * them the part's, with their literals and counts; returns where it stopped.
 */
export function codeSequences(
  scratch: usize,
  record: usize,
  end: usize,
  enough: u32,
  part: usize,
): usize {
  const counts = part + PART_CODE_COUNTS;
  const literalCodes = scratch + LITERAL_CODES;
  const matchCodes = scratch + MATCH_CODES;
  memory.fill(counts, 0, 3 * KIND_BYTES);
  store<u32>(part, <u32>record, PART_RECORDS);
  const first = record;
  let literalCount: u32 = 0;
  let length: u32 = 0;
  for (; record < end && length < enough; record += 12) {
    const literals = load<u32>(record);
    const match = load<u32>(record, 4) - MIN_MATCH;
    const offset = load<u32>(record, 8);
    const l = literals < 64 ? load<u64>(literalCodes + (literals << 3)) : longCode(literals, 19);
    const m = match < 128 ? load<u64>(matchCodes + (match << 3)) : longCode(match, 36);
    const o = 31 - clz(offset);
    const literalBits = <u32>l >> 16;
    const shortBits = literalBits + (<u32>m >> 16);
    const bits = shortBits + o;
    // Every first value of a code has as many zeros at its end as the code has extra bits.
    const short = (literals & <u32>(l >> 32)) | ((match & <u32>(m >> 32)) << literalBits);
    const extra = <u64>short | (<u64>(offset ^ (1 << o)) << <u64>shortBits);
    const literalCode = <u32>l & 0xffff;
    const matchCode = <u32>m & 0xffff;
    store<u64>(record, rotr<u64>(extra, bits) | <u64>bits);
    store<u32>(record, literalCode | (matchCode << 10) | (o << 23), 8);
    const literalAt = counts + <usize>literalCode;
    store<u32>(literalAt, load<u32>(literalAt) + 1);
    const offsetAt = counts + <usize>(o << 3);
    store<u32>(offsetAt, load<u32>(offsetAt, KIND_BYTES) + 1, KIND_BYTES);
    const matchAt = counts + <usize>matchCode;
    store<u32>(matchAt, load<u32>(matchAt, 2 * KIND_BYTES) + 1, 2 * KIND_BYTES);
    literalCount += literals;
    length += literals + match + MIN_MATCH;
  }
  store<u32>(part, <u32>(record - first) / 12, PART_COUNT);
  store<u32>(part, literalCount, PART_LITERAL_COUNT);
  return record;
}

/** The code of a length beyond the table. */
// @ts-ignore: decorator
@inline
function longCode(length: u32, first: u32): u64 {
  const width = 31 - clz(length);
  return codedAs(width + first, width);
}
