// The matches that begin at a position, offered to the nodes where they would end (nodes.ts). A
// node takes the cheapest of its offers; whether a literal is cheaper still, ways.ts tells.
import { likelyAt, nearAt, positionOf, recordOf } from "./candidates";
import { ARRAY, LENGTH, LITERALS, LONG_MATCH, NODE_BYTES, OFFSET_CODE, OFFSETS } from "./nodes";
import { LITERAL_PRICES, MATCH_PRICES, offsetPrice } from "./prices";
import { matchEnd, STATE_FRAME } from "./sequence";

/** Where the state tells of a match longer than LONG_MATCH: u32 length or 0, u32 offset code. */
// @ts-ignore: decorator
@inline export const LONG_LENGTH: usize = 24;
// @ts-ignore: decorator
@inline export const LONG_OFFSET: usize = 28;
/** Bytes of the frame that the repeat offsets it begins with reach back: nothing is searched in
 * them. Any other offset was in reach where it was first used, and is so behind that place. */
// @ts-ignore: decorator
@inline export const FIRST_OFFSETS: usize = 8;

/** Whether nothing matches here, behind so many literals; `state` begins with repeat offsets. */
// @ts-ignore: decorator
@inline
export function isHopeless(at: usize, literals: usize, blockEnd: usize, state: usize): bool {
  const record = recordOf(state, at, blockEnd);
  if (nearAt(record) != 0 || likelyAt(record) != 0) return false;
  const word = load<u32>(at);
  const first = <usize>load<u32>(state);
  // With no literals the first offset itself cannot be named, but the one below it can.
  const firstNamed = first - <usize>(literals == 0);
  const isSame =
    <i32>(((load<u32>(at - firstNamed) ^ word) << 8) == 0) |
    <i32>(((load<u32>(at - <usize>load<u32>(state, 4)) ^ word) << 8) == 0) |
    <i32>(((load<u32>(at - <usize>load<u32>(state, 8)) ^ word) << 8) == 0);
  return isSame == 0;
}

/**
 * Offers the matches at `at`, whose node costs `price` and has the repeat offsets of `owner`.
 * Returns the furthest node that was offered one, `node` if none was, or 0 for a long match.
 */
export function offerMatches(
  node: usize,
  at: usize,
  limit: usize,
  state: usize,
  owner: usize,
  price: u32,
): usize {
  const record = recordOf(state, at, limit);
  const word = load<u64>(at);
  const base = price + load<u32>(state, LITERAL_PRICES);
  // Codes 1 to 3 name offsets 1 to 3, or with no literals before them 2, 3 and the first less one.
  const hasLiterals = load<u32>(node, LITERALS) != 0;
  const first = <usize>load<u32>(owner, OFFSETS);
  const second = <usize>load<u32>(owner, OFFSETS + ARRAY);
  const third = <usize>load<u32>(owner, OFFSETS + 2 * ARRAY);
  const distance1 = hasLiterals ? first : second;
  const distance2 = hasLiterals ? second : third;
  const distance3 = hasLiterals ? third : first - 1;
  const differs1 = (load<u32>(at - distance1) ^ <u32>word) << 8;
  const differs2 = (load<u32>(at - distance2) ^ <u32>word) << 8;
  const differs3 = ((load<u32>(at - distance3) ^ <u32>word) << 8) | <u32>(distance3 == 0);
  let likely = likelyAt(record);
  let best: usize = 2;
  let code: u32 = 0;
  if (<i32>(differs1 == 0) | <i32>(differs2 == 0) | <i32>(differs3 == 0)) {
    const length1 = differs1 == 0 ? matchEnd(at + 3, distance1, limit) - at : 0;
    const length2 = differs2 == 0 ? matchEnd(at + 3, distance2, limit) - at : 0;
    const length3 = differs3 == 0 ? matchEnd(at + 3, distance3, limit) - at : 0;
    best = max(length1, max(length2, length3));
    code = best == length1 ? 1 : best == length2 ? 2 : 3;
    offer(node, 3, best, code, base, state);
  } else if (likely == 0 && nearAt(record) != 0) {
    // Where five bytes match as well, the row names the same place or a better one.
    best = matchEnd(at + 3, at - nearAt(record), limit) - at;
    code = <u32>(at - nearAt(record)) + 3;
    offer(node, 3, best, code, base, state);
  }
  const frameStart = <usize>load<u32>(state, STATE_FRAME);
  while (likely != 0 && best <= LONG_MATCH) {
    const match = frameStart + positionOf(record, <usize>ctz(likely));
    likely &= likely - 1;
    let length = <usize>(ctz(load<u64>(match) ^ word) >>> 3);
    if (length == 8) {
      if (best >= 8 && load<u32>(match + best - 3) != load<u32>(at + best - 3)) continue;
      length = matchEnd(at + 8, at - match, limit) - at;
    }
    if (length <= best) continue;
    code = <u32>(at - match) + 3;
    offer(node, best + 1, length, code, base, state);
    best = length;
  }
  if (best <= LONG_MATCH) return best < 3 ? node : node + best * NODE_BYTES;
  store<u32>(state, <u32>best, LONG_LENGTH);
  store<u32>(state, code, LONG_OFFSET);
  return 0;
}

/** Offers a match in its lengths from `shortest` on, four lengths at a time. */
// @ts-ignore: decorator
@inline
function offer(
  node: usize,
  shortest: usize,
  longest: usize,
  code: u32,
  base: u32,
  state: usize,
): void {
  if (longest > LONG_MATCH) return;
  const price = i32x4.splat(base + offsetPrice(state, code));
  const codes = i32x4.splat(code);
  const low = i32x4.splat(<i32>shortest);
  const high = i32x4.splat(<i32>longest);
  // All offers of a position lie alike, since a load that straddles two stores must wait for them.
  let length = shortest - ((shortest - 3) & 3);
  let lengths = i32x4.add(i32x4.splat(<i32>length), i32x4(0, 1, 2, 3));
  for (; length <= longest; length += 4) {
    const target = node + length * NODE_BYTES;
    const old = v128.load(target);
    const offered = i32x4.add(price, v128.load(state + (length << 2), MATCH_PRICES));
    const isMeant = v128.and(i32x4.ge_s(lengths, low), i32x4.le_s(lengths, high));
    const isBetter = v128.and(isMeant, i32x4.lt_s(offered, old));
    v128.store(target, v128.bitselect(offered, old, isBetter));
    const oldCodes = v128.load(target, OFFSET_CODE);
    v128.store(target, v128.bitselect(codes, oldCodes, isBetter), OFFSET_CODE);
    const oldLengths = v128.load(target, LENGTH);
    v128.store(target, v128.bitselect(lengths, oldLengths, isBetter), LENGTH);
    lengths = i32x4.add(lengths, i32x4.splat(4));
  }
}
