// Cuts what was found in a block into parts that are worth tables of their own: memory changes its
// kind from page to page. Neighbours are joined, those first that gain most by it, as long as
// common tables cost less than two times their own. Each part is written as a block.
import {
  KIND_BYTES,
  LITERALS,
  PART_BYTE_COUNTS,
  PART_BYTES,
  PART_CODE_COUNTS,
  PART_COST,
  PART_COUNT,
  PART_GAIN,
  PART_JOINED_COST,
  PART_LITERAL_COUNT,
  PART_LITERALS,
  PART_NEXT,
  PARTS,
  SEQUENCES,
  WORK,
} from "./encodelayout";
import { countBytes } from "./histogram";
import { codeSequences } from "./sequencecodes";

/** Bytes of input that are not cut any further, when that must be fast and when it is fine. */
// @ts-ignore: decorator
@inline const LEAST_LENGTH: u32 = 16384;
// @ts-ignore: decorator
@inline const LEAST_FINE_LENGTH: u32 = 4096;
/** What the tables of a part cost, in bits. */
// @ts-ignore: decorator
@inline const OWN_TABLES: f32 = 1200;
// @ts-ignore: decorator
@inline const OWN_FINE_TABLES: f32 = 700;

/** Codes `count` records and cuts them, with all `literals`, into parts: a list from PARTS on. */
export function cutBlock(
  scratch: usize,
  count: u32,
  literals: u32,
  length: u32,
  fine: bool,
): void {
  const end = scratch + SEQUENCES + 12 * <usize>count;
  const least = fine ? LEAST_FINE_LENGTH : LEAST_LENGTH;
  const enough = length < 2 * least ? length : least;
  let record = scratch + SEQUENCES;
  let literal = scratch + LITERALS;
  const literalEnd = literal + <usize>literals;
  let part = scratch + PARTS;
  while (true) {
    record = codeSequences(scratch, record, end, enough, part);
    store<u32>(part, <u32>literal, PART_LITERALS);
    // The last part has what is behind the last match too.
    if (record == end) store<u32>(part, <u32>(literalEnd - literal), PART_LITERAL_COUNT);
    const literalCount = load<u32>(part, PART_LITERAL_COUNT);
    countBytes(literal, literalCount, part + PART_BYTE_COUNTS, scratch + WORK);
    if (record == end) break;
    literal += <usize>literalCount;
    store<u32>(part, <u32>(part + PART_BYTES), PART_NEXT);
    part += PART_BYTES;
  }
  store<u32>(part, 0, PART_NEXT);
  if (part != scratch + PARTS) joinParts(scratch + PARTS, fine);
}

/** Joins neighbours until none gains by it. */
function joinParts(first: usize, fine: bool): void {
  for (let part = first; part != 0; part = <usize>load<u32>(part, PART_NEXT)) {
    store<f32>(part, costOf(part, part, fine), PART_COST);
  }
  for (let part = first; part != 0; part = <usize>load<u32>(part, PART_NEXT)) weigh(part, fine);
  while (true) {
    let most: f32 = 0;
    let best: usize = 0;
    let beforeBest: usize = 0;
    let before: usize = 0;
    for (let part = first; part != 0; part = <usize>load<u32>(part, PART_NEXT)) {
      const gain = load<f32>(part, PART_GAIN);
      if (gain > most) {
        most = gain;
        best = part;
        beforeBest = before;
      }
      before = part;
    }
    if (best == 0) return;
    joinNext(best);
    weigh(best, fine);
    if (beforeBest != 0) weigh(beforeBest, fine);
  }
}

/** What a part gains when it is joined with the next one, and what the two will cost. */
function weigh(part: usize, fine: bool): void {
  const next = <usize>load<u32>(part, PART_NEXT);
  let gain: f32 = -1;
  if (next != 0) {
    const joined = costOf(part, next, fine);
    const tables = fine ? OWN_FINE_TABLES : OWN_TABLES;
    gain = load<f32>(part, PART_COST) + load<f32>(next, PART_COST) + tables - joined;
    store<f32>(part, joined, PART_JOINED_COST);
  }
  store<f32>(part, gain, PART_GAIN);
}

function joinNext(part: usize): void {
  const next = <usize>load<u32>(part, PART_NEXT);
  store<f32>(part, load<f32>(part, PART_JOINED_COST), PART_COST);
  store<u32>(part, load<u32>(next, PART_NEXT), PART_NEXT);
  store<u32>(part, load<u32>(part, PART_COUNT) + load<u32>(next, PART_COUNT), PART_COUNT);
  const literalCount = load<u32>(next, PART_LITERAL_COUNT);
  store<u32>(part, load<u32>(part, PART_LITERAL_COUNT) + literalCount, PART_LITERAL_COUNT);
  for (let at = PART_BYTE_COUNTS; at < PART_BYTES; at += 16) {
    v128.store(part + at, i32x4.add(v128.load(part + at), v128.load(next + at)));
  }
}

/**
 * Bits of two neighbours together by their entropy, or of one part if it is given twice. In a hurry
 * the codes of sequences are left out: mostly, literals tell where memory changes its kind.
 */
function costOf(part: usize, next: usize, fine: bool): f32 {
  let cost = entropyOf(part, next, PART_LITERAL_COUNT, PART_BYTE_COUNTS, PART_CODE_COUNTS);
  if (!fine) return cost;
  for (let at = PART_CODE_COUNTS; at < PART_BYTES; at += KIND_BYTES) {
    cost += entropyOf(part, next, PART_COUNT, at, at + KIND_BYTES);
  }
  return cost;
}

/** Of the counters from `at` to `end`, whose sum is the field `total`. */
function entropyOf(part: usize, next: usize, total: usize, at: usize, end: usize): f32 {
  const mask = i32x4.splat(part == next ? 0 : -1);
  let sum = f32x4.splat(0);
  for (; at < end; at += 16) {
    const others = v128.and(v128.load(next + at), mask);
    sum = f32x4.add(sum, timesOwnLogarithm(i32x4.add(v128.load(part + at), others)));
  }
  const low = f32x4.extract_lane(sum, 0) + f32x4.extract_lane(sum, 1);
  const high = f32x4.extract_lane(sum, 2) + f32x4.extract_lane(sum, 3);
  const all = load<u32>(part + total) + (part == next ? 0 : load<u32>(next + total));
  return f32x4.extract_lane(timesOwnLogarithm(i32x4.splat(all)), 0) - low - high;
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
