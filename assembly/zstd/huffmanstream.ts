// Writes literals in a Huffman code, as one bit stream that is read backwards (RFC 8878 §4.2.2).
// Where the stream goes and whether it pays was decided before (literals.ts).

/**
 * Writes the stream of `length` literals at `dst` and returns its end. The 8 bytes behind the end
 * may be written too. Every literal has a code of at most 11 bits.
 *
 * New bits enter `held` at the top and move down, so a code needs no shift of its own and its count
 * may stay at its bottom: four codes and 7 bits of before leave the lowest 13 bits to such rests.
 */
export function encodeStream(from: usize, length: u32, code: usize, dst: usize): usize {
  let op = dst;
  let held: u64 = 0;
  let filled: u32 = 0;
  let ip = from + <usize>length;
  for (const stop = from + <usize>(length & ~3); ip > stop; ) {
    const a = load<u64>(code + (<usize>load<u8>(--ip) << 3));
    held = (held >> a) | a;
    filled += <u32>a;
  }
  store<u64>(op, (held >> 1) >> <u64>(63 - filled));
  op += filled >> 3;
  filled &= 7;
  while (ip > from) {
    ip -= 4;
    const a = load<u64>(code + (<usize>load<u8>(ip, 3) << 3));
    const b = load<u64>(code + (<usize>load<u8>(ip, 2) << 3));
    const c = load<u64>(code + (<usize>load<u8>(ip, 1) << 3));
    const d = load<u64>(code + (<usize>load<u8>(ip) << 3));
    const later = <u32>c + <u32>d;
    const all = <u32>a + <u32>b + later;
    const first = (a >> b) | b;
    held = (held >> <u64>all) | (first >> <u64>later) | (c >> d) | d;
    filled += all;
    store<u64>(op, held >> <u64>(64 - filled));
    op += filled >> 3;
    filled &= 7;
  }
  // A set bit tells the reader where to begin.
  held = (held >> 1) | (<u64>1 << 63);
  filled++;
  store<u64>(op, held >> <u64>(64 - filled));
  return op + ((filled + 7) >> 3);
}
