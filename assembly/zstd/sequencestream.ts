// Writes coded sequences as the bit stream of a block, from the last to the first, with one FSE
// state each for literal lengths, offsets and match lengths (RFC 8878 §3.1.1.3.2.1.2).
import {
  SET_LOGS,
  SET_TRANSFORM_LITERALS,
  SET_TRANSFORM_MATCHES,
  SET_TRANSFORM_OFFSETS,
} from "./encodelayout";
import { lastState } from "./fsetable";

/**
 * Writes `count` ≥ 1 records (see sequencecodes.ts) with the tables of `set` at `dst`. Returns the
 * end, or 0 as soon as that lies behind `stop`; 32 bytes behind `stop` may be written.
 *
 * New bits enter `held` at the top and move down. States take 26 bits at most and 7 may be left
 * from before, so with up to 31 extra bits one flush is enough.
 */
export function encodeSequences(
  sequences: usize,
  count: u32,
  set: usize,
  dst: usize,
  stop: usize,
): usize {
  let op = dst;
  let record = sequences + 12 * (<usize>count - 1);
  const codes = load<u32>(record, 8);
  let literals = lastState(set, set + SET_TRANSFORM_LITERALS + (codes & 0x3ff));
  let matches = lastState(set, set + SET_TRANSFORM_MATCHES + ((codes >> 10) & 0x3ff));
  let offsets = lastState(set, set + SET_TRANSFORM_OFFSETS + (codes >> 20));
  const extra = load<u64>(record);
  let held = extra & ~63;
  let filled = <u32>extra & 63;
  store<u64>(op, held >> <u64>(64 - filled));
  op += filled >> 3;
  filled &= 7;
  while (record > sequences) {
    record -= 12;
    const codes = load<u32>(record, 8);
    const extra = load<u64>(record);
    const o = set + <usize>(codes >> 20);
    const offsetBits = (offsets + load<u32>(o, SET_TRANSFORM_OFFSETS)) >> 17;
    held = (held >> <u64>offsetBits) | (<u64>offsets << <u64>(offsetBits ^ 63));
    offsets = nextState(set, offsets, offsetBits, load<u32>(o, SET_TRANSFORM_OFFSETS + 4));
    const m = set + <usize>((codes >> 10) & 0x3ff);
    const matchBits = (matches + load<u32>(m, SET_TRANSFORM_MATCHES)) >> 17;
    held = (held >> <u64>matchBits) | (<u64>matches << <u64>(matchBits ^ 63));
    matches = nextState(set, matches, matchBits, load<u32>(m, SET_TRANSFORM_MATCHES + 4));
    const l = set + <usize>(codes & 0x3ff);
    const literalBits = (literals + load<u32>(l, SET_TRANSFORM_LITERALS)) >> 17;
    held = (held >> <u64>literalBits) | (<u64>literals << <u64>(literalBits ^ 63));
    literals = nextState(set, literals, literalBits, load<u32>(l, SET_TRANSFORM_LITERALS + 4));
    filled += offsetBits + matchBits + literalBits;
    if (filled + (<u32>extra & 63) > 64) {
      store<u64>(op, held >> <u64>(64 - filled));
      op += filled >> 3;
      filled &= 7;
    }
    held = (held >> extra) | (extra & ~63);
    filled += <u32>extra & 63;
    store<u64>(op, held >> <u64>(64 - filled));
    op += filled >> 3;
    filled &= 7;
    if (op > stop) return 0;
  }
  return writeLast(set, matches, offsets, literals, held, filled, op);
}

// @ts-ignore: decorator
@inline
function nextState(set: usize, state: u32, bits: u32, rebase: u32): u32 {
  return <u32>load<u16>(set + <usize>(((state >> bits) & ~1) + rebase));
}

/** The states that the reader begins with, and the set bit that tells it where. */
function writeLast(
  set: usize,
  matches: u32,
  offsets: u32,
  literals: u32,
  held: u64,
  filled: u32,
  op: usize,
): usize {
  store<u64>(op, held >> <u64>(64 - filled));
  op += filled >> 3;
  filled &= 7;
  const matchBits = load<u32>(set, SET_LOGS + 16);
  const offsetBits = load<u32>(set, SET_LOGS + 8);
  const literalBits = load<u32>(set, SET_LOGS);
  held = (held >> <u64>matchBits) | (<u64>matches << <u64>(matchBits ^ 63));
  held = (held >> <u64>offsetBits) | (<u64>offsets << <u64>(offsetBits ^ 63));
  held = (held >> <u64>literalBits) | (<u64>literals << <u64>(literalBits ^ 63));
  held = (held >> 1) | (<u64>1 << 63);
  filled += matchBits + offsetBits + literalBits + 1;
  store<u64>(op, held >> <u64>(64 - filled));
  return op + ((filled + 7) >> 3);
}
