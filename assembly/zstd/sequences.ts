// The sequences section of a block (RFC 8878 §3.1.1.3.2): chooses for each of the three kinds of
// codes the table that takes the fewest bits: predefined, a single code, a new one, or that of the
// block before.
import { defaultBits, defaultShares, OFFSETS } from "./defaultshares";
import {
  KIND_BYTES,
  PART_CODE_COUNTS,
  PART_COUNT,
  PART_RECORDS,
  SET,
  SET_FRESH,
  SET_LOGS,
  SET_NEXT,
  SET_SHARES,
  SET_STATES,
  SHARES_BYTES,
  STATES_BYTES,
  WORK,
} from "./encodelayout";
import { COST_BITS, costOf, scaleCounts, tableBits, writeShares } from "./fseshares";
import { buildSingle, buildTable } from "./fsetable";
import { encodeSequences } from "./sequencestream";

// @ts-ignore: decorator
@inline const PREDEFINED: u32 = 0;
// @ts-ignore: decorator
@inline const SINGLE: u32 = 1;
// @ts-ignore: decorator
@inline const DESCRIBED: u32 = 2;
// @ts-ignore: decorator
@inline const REPEATED: u32 = 3;
/** With fewer sequences a description never pays. */
// @ts-ignore: decorator
@inline const MIN_DESCRIBED: u32 = 16;
/** From here on, tables are so fine that a share of less than one cell is common. */
// @ts-ignore: decorator
@inline const MIN_RARE: u32 = 2048;

/**
 * Writes the section of a part's records at `dst`. Returns its end, or 0 as soon as that lies
 * behind `stop`; 512 bytes behind both may be written. New tables go to SET_NEXT and set SET_FRESH.
 */
export function writeSequences(scratch: usize, part: usize, dst: usize, stop: usize): usize {
  const records = <usize>load<u32>(part, PART_RECORDS);
  const count = load<u32>(part, PART_COUNT);
  store<u32>(scratch, 0, SET_FRESH);
  let op = writeCount(count, dst);
  if (count == 0) return op;
  const modes = op++;
  let mode: u32 = 0;
  for (let kind: u32 = 0; kind < 3; kind++) {
    const chosen = writeTable(scratch, part, kind, op);
    mode = (mode << 2) | (chosen & 3);
    op += chosen >> 2;
  }
  store<u8>(modes, <u8>(mode << 2));
  store<u32>(scratch, 1, SET_FRESH);
  return encodeSequences(records, count, <usize>load<u32>(scratch, SET_NEXT), op, stop);
}

function writeCount(count: u32, dst: usize): usize {
  if (count < 128) {
    store<u8>(dst, <u8>count);
    return dst + 1;
  }
  if (count < 0x7f00) {
    store<u8>(dst, <u8>((count >> 8) + 128));
    store<u8>(dst, <u8>count, 1);
    return dst + 2;
  }
  store<u8>(dst, 255);
  store<u16>(dst, <u16>(count - 0x7f00), 1);
  return dst + 3;
}

/** Makes the table of a kind in SET_NEXT. Returns bytes of its description << 2 | mode. */
function writeTable(scratch: usize, part: usize, kind: u32, dst: usize): u32 {
  const counts = part + PART_CODE_COUNTS + <usize>kind * KIND_BYTES;
  const count = load<u32>(part, PART_COUNT);
  let last: u32 = 0;
  let most: u32 = 0;
  for (let code: u32 = 0; code < 64; code++) {
    const times = load<u32>(counts + (code << 3));
    if (times != 0) last = code;
    most = max(most, times);
  }
  const set = <usize>load<u32>(scratch, SET_NEXT);
  const old = <usize>load<u32>(scratch, SET);
  const transform = set + <usize>kind * 512;
  const states = set + SET_STATES + <usize>kind * STATES_BYTES;
  const shares = set + SET_SHARES + <usize>kind * SHARES_BYTES;
  const logs = set + SET_LOGS + <usize>kind * 8;
  const oldLogs = old + SET_LOGS + <usize>kind * 8;
  if (most == count && count > 2) {
    buildSingle(last, transform, states, set);
    store<u64>(logs, 0);
    store<u8>(dst, <u8>last);
    return (1 << 2) | SINGLE;
  }
  const work = scratch + WORK;
  const predefined = work + 2048;
  const lastDefault = defaultShares(kind, predefined);
  let mode = PREDEFINED;
  let least = u32.MAX_VALUE;
  if (last <= lastDefault) least = costOf(counts, last, predefined, defaultBits(kind));
  if (load<u32>(oldLogs, 4) != 0) {
    const oldShares = old + SET_SHARES + <usize>kind * SHARES_BYTES;
    const cost = costOf(counts, last, oldShares, load<u32>(oldLogs));
    if (cost < least) {
      least = cost;
      mode = REPEATED;
    }
  }
  let bytes: u32 = 0;
  const bits = tableBits(count, last, kind == OFFSETS ? 8 : 9);
  if (most != count && count >= MIN_DESCRIBED) {
    memory.fill(shares, 0, SHARES_BYTES);
    scaleCounts(counts, last, count, bits, count >= MIN_RARE, shares);
    bytes = writeShares(shares, last, bits, dst);
    const cost = costOf(counts, last, shares, bits) + ((bytes * 8) << COST_BITS);
    if (cost < least) mode = DESCRIBED;
  }
  if (mode == DESCRIBED) {
    buildTable(shares, last, bits, transform, states, set, work);
    store<u32>(logs, bits);
    store<u32>(logs, 1, 4);
    return (bytes << 2) | DESCRIBED;
  }
  if (mode == REPEATED) {
    memory.copy(transform, old + <usize>kind * 512, 512);
    memory.copy(states, old + SET_STATES + <usize>kind * STATES_BYTES, STATES_BYTES);
    memory.copy(shares, old + SET_SHARES + <usize>kind * SHARES_BYTES, SHARES_BYTES);
    store<u64>(logs, load<u64>(oldLogs));
    return REPEATED;
  }
  buildTable(predefined, lastDefault, defaultBits(kind), transform, states, set, work);
  store<u32>(logs, defaultBits(kind));
  store<u32>(logs, 0, 4);
  return PREDEFINED;
}
