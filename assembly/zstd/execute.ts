// Executes a batch of decoded sequences: literals, then what lies `distance` bytes back. Every
// bound is checked here; copies of 16 bytes are used where the output has room for their excess.
import {
  LITERALS_AT,
  LITERALS_END,
  OUTPUT_AT,
  SEQUENCE_BYTES,
  SEQUENCES,
} from "./decodecontext";
import { ZSTD_BAD_SEQUENCE, ZSTD_OVER_CAPACITY } from "../layout";

// A copy writes up to 31 bytes more than it was asked for.
// @ts-ignore: decorator
@inline const WILD_BYTES: usize = 32;

/** Executes [SEQUENCES, end) in the context's place of the output; 0, or a negative code. */
export function executeBatch(context: usize, end: usize, windowStart: usize, dstEnd: usize): i32 {
  let op = <usize>load<u32>(context, OUTPUT_AT);
  let literals = <usize>load<u32>(context, LITERALS_AT);
  const literalsEnd = <usize>load<u32>(context, LITERALS_END);
  for (let sequence = context + SEQUENCES; sequence < end; sequence += SEQUENCE_BYTES) {
    const length = <usize>load<u32>(sequence);
    const match = <usize>load<u32>(sequence, 4);
    const distance = <usize>load<u32>(sequence, 8);
    // `literals` and `op` never pass their ends, so these are true sizes. Lengths are below 2^18.
    if (length > literalsEnd - literals) return -<i32>ZSTD_BAD_SEQUENCE;
    const room = dstEnd - op;
    if (length + match > room) return -<i32>ZSTD_OVER_CAPACITY;
    const from = literals;
    literals += length;
    const matchStart = op + length;
    // A distance of 0 wraps around and is refused here as well.
    if (distance - 1 >= matchStart - windowStart) return -<i32>ZSTD_BAD_SEQUENCE;
    if (length + match + WILD_BYTES > room) {
      copyBytes(op, from, length);
      copyBytes(matchStart, matchStart - distance, match);
      op = matchStart + match;
      continue;
    }
    v128.store(op, v128.load(from));
    if (length > 16) copyWild(op + 16, from + 16, matchStart);
    op = matchStart + match;
    if (distance >= 16) {
      v128.store(matchStart, v128.load(matchStart - distance));
      v128.store(matchStart, v128.load(matchStart - distance, 16), 16);
      if (match > 32) copyWild(matchStart + 32, matchStart + 32 - distance, op);
    } else {
      repeatNear(matchStart, distance, op);
    }
  }
  store<u32>(context, <u32>op, OUTPUT_AT);
  store<u32>(context, <u32>literals, LITERALS_AT);
  return 0;
}

/** The literals behind the last sequence; 0, or a negative code. */
export function executeLast(context: usize, dstEnd: usize): i32 {
  const op = <usize>load<u32>(context, OUTPUT_AT);
  const literals = <usize>load<u32>(context, LITERALS_AT);
  const length = <usize>load<u32>(context, LITERALS_END) - literals;
  if (length > dstEnd - op) return -<i32>ZSTD_OVER_CAPACITY;
  memory.copy(op, literals, length);
  store<u32>(context, <u32>(op + length), OUTPUT_AT);
  return 0;
}

/** Up to 15 bytes too many; `from` lies 16 bytes before `op` at least, or elsewhere. */
// @ts-ignore: decorator
@inline
function copyWild(op: usize, from: usize, stop: usize): void {
  do {
    v128.store(op, v128.load(from));
    op += 16;
    from += 16;
  } while (op < stop);
}

function copyBytes(op: usize, from: usize, length: usize): void {
  for (const stop = op + length; op < stop; op++, from++) store<u8>(op, load<u8>(from));
}

/** Repeats the `distance` (1 … 15) bytes before `op`; up to 15 bytes too many. */
// @ts-ignore: decorator
@inline
function repeatNear(op: usize, distance: usize, stop: usize): void {
  if (distance >= 8) {
    for (; op < stop; op += 8) store<u64>(op, load<u64>(op - distance));
    return;
  }
  // As many whole periods as 8 bytes hold are written per turn.
  const bits = <u64>(distance << 3);
  let word = load<u64>(op - distance) & ((<u64>1 << bits) - 1);
  word |= word << bits;
  if (distance < 4) word |= word << (bits << 1);
  if (distance == 1) word |= word << 32;
  for (const turn: usize = 8 - (<usize>8 % distance); op < stop; op += turn) store<u64>(op, word);
}
