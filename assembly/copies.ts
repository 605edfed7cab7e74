// Copies of decoders, in steps that may write further than they are long where there is room for
// it, and never otherwise.

/** Copies 16 bytes at a time where the output has room for the last 15; sources are margined. */
// @ts-ignore: decorator
@inline
export function copyLiterals(op: usize, from: usize, length: usize, dstEnd: usize): usize {
  const stop = op + length;
  if (dstEnd - stop >= 16) {
    for (; op < stop; op += 16, from += 16) v128.store(op, v128.load(from));
  } else {
    for (; op < stop; op++, from++) store<u8>(op, load<u8>(from));
  }
  return stop;
}

/** Repeats what lies `distance` bytes back. Wild where the output has 16 bytes of room after it. */
// @ts-ignore: decorator
@inline
export function copyMatch(op: usize, distance: usize, length: usize, dstEnd: usize): usize {
  const stop = op + length;
  if (dstEnd - stop < 16) {
    for (; op < stop; op++) store<u8>(op, load<u8>(op - distance));
  } else if (distance >= 16) {
    for (; op < stop; op += 16) v128.store(op, v128.load(op - distance));
  } else if (distance >= 8) {
    for (; op < stop; op += 8) store<u64>(op, load<u64>(op - distance));
  } else {
    // As many whole periods as 8 bytes hold are written per turn.
    const bits = <u64>(distance << 3);
    let word = load<u64>(op - distance) & ((<u64>1 << bits) - 1);
    word |= word << bits;
    if (distance < 4) word |= word << (bits << 1);
    if (distance == 1) word |= word << 32;
    for (const step: usize = 8 - (<usize>8 % distance); op < stop; op += step) store<u64>(op, word);
  }
  return stop;
}
