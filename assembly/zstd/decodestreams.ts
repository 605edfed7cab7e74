// Streams of Huffman codes (RFC 8878 §4.2.2), one or four side by side. A stream is read from its
// end; its last byte holds a 1 above the first bit. It must be used up to its very first bit.
import { CODES, FOUR_BITS, FOUR_INPUTS, FOUR_OUTPUTS, LITERAL_BUFFER } from "./decodecontext";

// Five codes of 11 bits at most fit into what a reload leaves: 56 bits and a mark.
// @ts-ignore: decorator
@inline const CODES_PER_TURN: usize = 5;
// @ts-ignore: decorator
@inline const TURN_BYTES: usize = 7;
// @ts-ignore: decorator
@inline const JUMPS_BYTES: usize = 6;

/** Decodes `count` symbols to `op` from the stream [ip, end); false if it does not fit them. */
export function decodeOne(context: usize, ip: usize, end: usize, op: usize, count: u32): bool {
  if (end <= ip || load<u8>(end - 1) == 0) return false;
  const left = <i32>((end - ip) << 3) - <i32>(clz<u32>(load<u8>(end - 1)) - 23);
  return decodeRest(context, ip, left, op, op + <usize>count);
}

/** The rest of a stream with `left` bits to go; true if they end with the last symbol. */
function decodeRest(context: usize, ip: usize, left: i32, op: usize, opEnd: usize): bool {
  while (op < opEnd) {
    if (left < 0) return false;
    // Bits before the stream may be looked at, but whoever uses them ends below 0.
    const word = load<u64>(ip + (left >> 3) - 7) << (8 - <u64>(left & 7));
    let used: u64 = 0;
    const stop = min(opEnd, op + CODES_PER_TURN);
    for (; op < stop; op++) {
      const entry = load<u16>(context + <usize>(((word << used) >>> 53) << 1), CODES);
      store<u8>(op, entry >>> 8);
      used += <u64>(entry & 15);
    }
    left -= <i32>used;
  }
  return left == 0;
}

/** Decodes `count` symbols to LITERAL_BUFFER from the jump table and four streams in [ip, end). */
export function decodeFour(context: usize, ip: usize, end: usize, count: u32): bool {
  // A jump table and one byte per stream at least.
  if (end - ip < JUMPS_BYTES + 4) return false;
  const buffer = context + LITERAL_BUFFER;
  const segment = <usize>(count + 3) >>> 2;
  let start = ip + JUMPS_BYTES;
  for (let i: usize = 0; i < 4; i++) {
    const stop = i == 3 ? end : start + <usize>load<u16>(ip + (i << 1));
    if (stop > end || stop <= start || load<u8>(stop - 1) == 0) return false;
    // The bits stand at the top. Below them a 1 marks how many are used up.
    const pad = <u64>(clz<u32>(load<u8>(stop - 1)) - 23);
    store<u64>(context + (i << 3), (load<u64>(stop - 8) | 1) << pad, FOUR_BITS);
    store<u32>(context + (i << 2), <u32>(stop - 8), FOUR_INPUTS);
    store<u32>(context + (i << 2), <u32>(buffer + i * segment), FOUR_OUTPUTS);
    start = stop;
  }
  runFour(context, ip + JUMPS_BYTES, buffer + <usize>count, segment);
  start = ip + JUMPS_BYTES;
  for (let i: usize = 0; i < 4; i++) {
    const input = <usize>load<u32>(context + (i << 2), FOUR_INPUTS);
    const op = <usize>load<u32>(context + (i << 2), FOUR_OUTPUTS);
    const used = <i32>ctz(load<u64>(context + (i << 3), FOUR_BITS));
    const left = (<i32>(input - start) << 3) + 64 - used;
    const opEnd = i == 3 ? buffer + <usize>count : buffer + (i + 1) * segment;
    if (!decodeRest(context, start, left, op, opEnd)) return false;
    start += <usize>load<u16>(ip + (i << 1));
  }
  return true;
}

/** Decodes from all four streams as long as no bound of any can be near. */
function runFour(context: usize, lowest: usize, opEnd: usize, segment: usize): void {
  let bits0 = load<u64>(context, FOUR_BITS);
  let bits1 = load<u64>(context, FOUR_BITS + 8);
  let bits2 = load<u64>(context, FOUR_BITS + 16);
  let bits3 = load<u64>(context, FOUR_BITS + 24);
  let ip0 = <usize>load<u32>(context, FOUR_INPUTS);
  let ip1 = <usize>load<u32>(context, FOUR_INPUTS + 4);
  let ip2 = <usize>load<u32>(context, FOUR_INPUTS + 8);
  let ip3 = <usize>load<u32>(context, FOUR_INPUTS + 12);
  let op = context + LITERAL_BUFFER;
  const lag: usize = 3 * segment;
  while (true) {
    // Streams that have run into each other are broken; the check of their ends will tell.
    if (ip0 < lowest || ip1 < ip0 || ip2 < ip1 || ip3 < ip2) break;
    const turns = min((ip0 - lowest) / TURN_BYTES, (opEnd - lag - op) / CODES_PER_TURN);
    if (turns == 0) break;
    for (const stop = op + turns * CODES_PER_TURN; op < stop; op += CODES_PER_TURN) {
      const op1 = op + segment;
      const op2 = op1 + segment;
      const op3 = op2 + segment;
      bits0 = step(context, bits0, op, 0);
      bits1 = step(context, bits1, op1, 0);
      bits2 = step(context, bits2, op2, 0);
      bits3 = step(context, bits3, op3, 0);
      bits0 = step(context, bits0, op, 1);
      bits1 = step(context, bits1, op1, 1);
      bits2 = step(context, bits2, op2, 1);
      bits3 = step(context, bits3, op3, 1);
      bits0 = step(context, bits0, op, 2);
      bits1 = step(context, bits1, op1, 2);
      bits2 = step(context, bits2, op2, 2);
      bits3 = step(context, bits3, op3, 2);
      bits0 = step(context, bits0, op, 3);
      bits1 = step(context, bits1, op1, 3);
      bits2 = step(context, bits2, op2, 3);
      bits3 = step(context, bits3, op3, 3);
      bits0 = step(context, bits0, op, 4);
      bits1 = step(context, bits1, op1, 4);
      bits2 = step(context, bits2, op2, 4);
      bits3 = step(context, bits3, op3, 4);
      ip0 -= <usize>(ctz(bits0) >>> 3);
      bits0 = reload(ip0, bits0);
      ip1 -= <usize>(ctz(bits1) >>> 3);
      bits1 = reload(ip1, bits1);
      ip2 -= <usize>(ctz(bits2) >>> 3);
      bits2 = reload(ip2, bits2);
      ip3 -= <usize>(ctz(bits3) >>> 3);
      bits3 = reload(ip3, bits3);
    }
  }
  store<u64>(context, bits0, FOUR_BITS);
  store<u64>(context, bits1, FOUR_BITS + 8);
  store<u64>(context, bits2, FOUR_BITS + 16);
  store<u64>(context, bits3, FOUR_BITS + 24);
  storeEnds(context, ip0, ip1, ip2, ip3, op, segment);
}

// @ts-ignore: decorator
@inline
function step(context: usize, bits: u64, op: usize, at: usize): u64 {
  const entry = <u32>load<u16>(context + (<usize>(bits >>> 53) << 1), CODES);
  store<u8>(op + at, <u8>(entry >>> 8));
  return bits << <u64>entry;
}

// @ts-ignore: decorator
@inline
function reload(ip: usize, bits: u64): u64 {
  return (load<u64>(ip) | 1) << (ctz(bits) & 7);
}

function storeEnds(
  context: usize,
  ip0: usize,
  ip1: usize,
  ip2: usize,
  ip3: usize,
  op: usize,
  segment: usize,
): void {
  store<u32>(context, <u32>ip0, FOUR_INPUTS);
  store<u32>(context, <u32>ip1, FOUR_INPUTS + 4);
  store<u32>(context, <u32>ip2, FOUR_INPUTS + 8);
  store<u32>(context, <u32>ip3, FOUR_INPUTS + 12);
  store<u32>(context, <u32>op, FOUR_OUTPUTS);
  store<u32>(context, <u32>(op + segment), FOUR_OUTPUTS + 4);
  store<u32>(context, <u32>(op + 2 * segment), FOUR_OUTPUTS + 8);
  store<u32>(context, <u32>(op + 3 * segment), FOUR_OUTPUTS + 12);
}
