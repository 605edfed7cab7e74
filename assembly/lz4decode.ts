// A total decoder of LZ4 blocks (lz4.ts draws them), also of those of any size that go on where
// others end. No frames.
import { copyLiterals, copyMatch } from "./copies";
import { MIN_MATCH } from "./lz4";

// @ts-ignore: decorator
@inline const TRUNCATED: i32 = -1;
// @ts-ignore: decorator
@inline const OVER_CAPACITY: i32 = -2;
// @ts-ignore: decorator
@inline const BAD_DISTANCE: i32 = -3;

/** Bytes written, or a negative code. The end rules for encoders are not asked of the input. */
export function lz4Decompress(src: usize, srcLength: u32, dst: usize, dstCapacity: u32): i32 {
  return lz4DecompressAfter(src, srcLength, dst, dst, dstCapacity);
}

/** The same for a block whose matches may reach back to `window`, in one piece with the output. */
export function lz4DecompressAfter(
  src: usize,
  srcLength: u32,
  window: usize,
  dst: usize,
  dstCapacity: u32,
): i32 {
  const srcEnd = src + <usize>srcLength;
  const dstEnd = dst + <usize>dstCapacity;
  let ip = src;
  let op = dst;
  // `ip` ≤ `srcEnd` and `op` ≤ `dstEnd` at every turn, so their differences are true sizes.
  while (ip < srcEnd) {
    const token = <usize>load<u8>(ip++);
    let literals = token >>> 4;
    if (literals < 15 && srcEnd - ip >= 18 && dstEnd - op >= 32) {
      v128.store(op, v128.load(ip));
      ip += literals;
      op += literals;
    } else {
      for (let more: usize = literals == 15 ? 255 : 0; more == 255; literals += more) {
        if (ip == srcEnd || literals > srcEnd - ip) return TRUNCATED;
        more = <usize>load<u8>(ip++);
      }
      if (literals > srcEnd - ip) return TRUNCATED;
      if (literals > dstEnd - op) return OVER_CAPACITY;
      // Wild reads need their 15 bytes in the input too.
      op = copyLiterals(op, ip, literals, srcEnd - ip >= literals + 16 ? dstEnd : op + literals);
      ip += literals;
      if (ip == srcEnd) return <i32>(op - dst);
      if (srcEnd - ip < 2) return TRUNCATED;
    }
    const distance = <usize>load<u16>(ip);
    ip += 2;
    // A distance of 0 wraps around and is refused here as well.
    if (distance - 1 >= op - window) return BAD_DISTANCE;
    let length = (token & 15) + MIN_MATCH;
    if (length < 19 && distance >= 8 && dstEnd - op >= 20) {
      store<u64>(op, load<u64>(op - distance));
      store<u64>(op, load<u64>(op - distance, 8), 8);
      store<u32>(op, load<u32>(op - distance, 16), 16);
      op += length;
    } else {
      for (let more: usize = length == 19 ? 255 : 0; more == 255; length += more) {
        if (ip == srcEnd) return TRUNCATED;
        if (length > dstEnd - op) return OVER_CAPACITY;
        more = <usize>load<u8>(ip++);
      }
      if (length > dstEnd - op) return OVER_CAPACITY;
      op = copyMatch(op, distance, length, dstEnd);
    }
  }
  return TRUNCATED;
}
