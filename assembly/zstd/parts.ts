// Cuts what was found in a block into parts that are worth tables of their own: memory changes its
// kind from page to page. Neighbours are joined as long as common tables cost less than two times
// their own. Each part is written as a block.
import {
  LITERALS,
  PART_BYTE_COUNTS,
  PART_BYTES,
  PART_COST,
  PART_COUNT,
  PART_LITERAL_COUNT,
  PART_LITERALS,
  PARTS,
  SEQUENCES,
  WORK,
} from "./encodelayout";
import { countBytes } from "./histogram";
import { codeSequences } from "./sequencecodes";

/** Bytes of input that are not cut any further. */
// @ts-ignore: decorator
@inline const LEAST_LENGTH: u32 = 16384;
/** Bits of literals that a cut must save. Heads and tables take more, but sequences gain too. */
// @ts-ignore: decorator
@inline const OWN_TABLES: f32 = 1000;

/** Codes `count` records and cuts them, with all `literals`, into parts; returns how many. */
export function cutBlock(scratch: usize, count: u32, literals: u32, length: u32): u32 {
  const end = scratch + SEQUENCES + 12 * <usize>count;
  const enough = length < 2 * LEAST_LENGTH ? length : LEAST_LENGTH;
  let record = scratch + SEQUENCES;
  let literal = scratch + LITERALS;
  const literalEnd = literal + <usize>literals;
  let part = scratch + PARTS;
  let parts: u32 = 0;
  do {
    record = codeSequences(scratch, record, end, enough, part);
    store<u32>(part, <u32>literal, PART_LITERALS);
    // The last part has what is behind the last match too.
    if (record == end) store<u32>(part, <u32>(literalEnd - literal), PART_LITERAL_COUNT);
    const literalCount = load<u32>(part, PART_LITERAL_COUNT);
    countBytes(literal, literalCount, part + PART_BYTE_COUNTS, scratch + WORK);
    literal += <usize>literalCount;
    store<f32>(part, literalCost(part, part), PART_COST);
    if (parts == 0 || !join(part - PART_BYTES, part)) {
      parts++;
      part += PART_BYTES;
    }
  } while (record < end);
  return parts;
}

/** Joins two neighbours if that pays; the second one is gone then. */
function join(first: usize, second: usize): bool {
  const cost = literalCost(first, second);
  if (cost > load<f32>(first, PART_COST) + load<f32>(second, PART_COST) + OWN_TABLES) return false;
  store<f32>(first, cost, PART_COST);
  addTo(first, second, PART_COUNT);
  addTo(first, second, PART_LITERAL_COUNT);
  for (let at = PART_BYTE_COUNTS; at < PART_BYTES; at += 16) {
    v128.store(first + at, i32x4.add(v128.load(first + at), v128.load(second + at)));
  }
  return true;
}

// @ts-ignore: decorator
@inline
function addTo(first: usize, second: usize, field: usize): void {
  store<u32>(first + field, load<u32>(first + field) + load<u32>(second + field));
}

/**
 * Bits of the literals of two parts together by their entropy, or of one part if it is given twice.
 * Codes of sequences are left out: they say little more about where memory changes its kind.
 */
function literalCost(first: usize, second: usize): f32 {
  const same = first == second;
  let total = load<u32>(first, PART_LITERAL_COUNT);
  if (!same) total += load<u32>(second, PART_LITERAL_COUNT);
  const mask = i32x4.splat(same ? 0 : -1);
  let sum = f32x4.splat(0);
  for (let at = PART_BYTE_COUNTS; at < PART_BYTE_COUNTS + 1024; at += 16) {
    const others = v128.and(v128.load(second + at), mask);
    sum = f32x4.add(sum, timesOwnLogarithm(i32x4.add(v128.load(first + at), others)));
  }
  const low = f32x4.extract_lane(sum, 0) + f32x4.extract_lane(sum, 1);
  const high = f32x4.extract_lane(sum, 2) + f32x4.extract_lane(sum, 3);
  return f32x4.extract_lane(timesOwnLogarithm(i32x4.splat(total)), 0) - low - high;
}

/** x log2 x; the logarithm of the mantissa is a parabola, right to a hundredth. */
// @ts-ignore: decorator
@inline
function timesOwnLogarithm(x: v128): v128 {
  const value = f32x4.convert_i32x4_u(x);
  const exponent = f32x4.convert_i32x4_s(i32x4.sub(i32x4.shr_u(value, 23), i32x4.splat(127)));
  const fraction = v128.and(value, i32x4.splat(0x7fffff));
  const mantissa = v128.or(fraction, i32x4.splat(0x3f800000));
  const slope = f32x4.sub(f32x4.splat(2), f32x4.mul(mantissa, f32x4.splat(0.33333334)));
  const power = f32x4.sub(f32x4.mul(mantissa, slope), f32x4.splat(1.6666666));
  return f32x4.mul(value, f32x4.add(exponent, power));
}
