// Adler-32 (RFC 1950), the checksum at the end of a zlib stream.

// @ts-ignore: decorator
@inline const MODULUS: u32 = 65521;
/** Bytes after which the sums still fit 32 bits: zlib's 5552, in whole turns. */
// @ts-ignore: decorator
@inline const ROUND_BYTES: u32 = 5552;

/** Adler-32 of `length` bytes. */
export function adler32(ptr: usize, length: u32): u32 {
  let sum: u32 = 1;
  let sums: u32 = 0;
  while (length > 0) {
    const round = min(length, ROUND_BYTES);
    length -= round;
    const turns = round >>> 4;
    if (turns > 0) {
      // Of each 16 bytes: their sum, and the sum of what the sums of all turns before were.
      let total = i32x4.splat(0);
      let totals = i32x4.splat(0);
      let weighted = i32x4.splat(0);
      for (let turn: u32 = 0; turn < turns; turn++, ptr += 16) {
        const bytes = v128.load(ptr);
        const low = i16x8.extend_low_i8x16_u(bytes);
        const high = i16x8.extend_high_i8x16_u(bytes);
        totals = i32x4.add(totals, total);
        total = i32x4.add(total, i32x4.extadd_pairwise_i16x8_u(i16x8.add(low, high)));
        const first = i32x4.dot_i16x8_s(low, i16x8(16, 15, 14, 13, 12, 11, 10, 9));
        const second = i32x4.dot_i16x8_s(high, i16x8(8, 7, 6, 5, 4, 3, 2, 1));
        weighted = i32x4.add(weighted, i32x4.add(first, second));
      }
      sums += 16 * (turns * sum + lanes(totals)) + lanes(weighted);
      sum += lanes(total);
    }
    for (const end = ptr + <usize>(round & 15); ptr < end; ptr++) {
      sum += <u32>load<u8>(ptr);
      sums += sum;
    }
    sum %= MODULUS;
    sums %= MODULUS;
  }
  return (sums << 16) | sum;
}

// @ts-ignore: decorator
@inline
function lanes(four: v128): u32 {
  return (
    i32x4.extract_lane(four, 0) +
    i32x4.extract_lane(four, 1) +
    i32x4.extract_lane(four, 2) +
    i32x4.extract_lane(four, 3)
  );
}
