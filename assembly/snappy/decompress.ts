// The raw format of snappy (format_description.txt of google/snappy): a total decoder.
//
//   bytes of the content (varint) | elements
//   literal:  (length - 1) << 2, or 60 … 63 << 2 and length - 1 in 1 … 4 bytes | the bytes
//   copy:     01 | length - 4 << 2 | distance >> 8 << 5, and the distance's lowest byte
//             10 | length - 1 << 2, and the distance in 2 bytes;  11: in 4 bytes
import { copyLiterals, copyMatch } from "../copies";
import {
  SNAPPY_BAD_DISTANCE,
  SNAPPY_BAD_SIZE,
  SNAPPY_OVER_CAPACITY,
  SNAPPY_TRUNCATED,
} from "../layout";

/** The bytes that a block says its content has, or a negative SNAPPY_*. */
// @ts-ignore: decorator
@inline
function statedBytes(src: usize, srcLength: u32): i64 {
  let stated: u64 = 0;
  for (let at: u32 = 0; at < 5; at++) {
    if (at == srcLength) return -<i64>SNAPPY_TRUNCATED;
    const byte = <u64>load<u8>(src + at);
    stated |= (byte & 127) << <u64>(7 * at);
    if (byte < 128) return stated > 0xffffffff ? -<i64>SNAPPY_BAD_SIZE : <i64>stated;
  }
  return -<i64>SNAPPY_BAD_SIZE;
}

/** Bytes written, all that the block says it has, or a negative SNAPPY_*. */
export function snappyDecompress(src: usize, srcLength: u32, dst: usize, dstCapacity: u32): i32 {
  const stated = statedBytes(src, srcLength);
  if (stated < 0) return <i32>stated;
  if (stated > <i64>dstCapacity) return -<i32>SNAPPY_OVER_CAPACITY;
  const srcEnd = src + <usize>srcLength;
  const dstEnd = dst + <usize>stated;
  let ip = src;
  while (load<u8>(ip++) >= 128) {}
  let op = dst;
  // `ip` ≤ `srcEnd` and `op` ≤ `dstEnd` at every turn, so their differences are true sizes.
  while (ip < srcEnd) {
    const tag = <usize>load<u8>(ip++);
    let length = (tag >>> 2) + 1;
    if ((tag & 3) == 0) {
      if (length <= 16 && srcEnd - ip >= 16 && dstEnd - op >= 16) {
        v128.store(op, v128.load(ip));
        ip += length;
        op += length;
        continue;
      }
      if (length > 60) {
        const more = length - 60;
        if (srcEnd - ip < more) return -<i32>SNAPPY_TRUNCATED;
        length = littleEndian(ip, more) + 1;
        // 2^32 wraps around.
        if (length == 0) return -<i32>SNAPPY_BAD_SIZE;
        ip += more;
      }
      if (length > srcEnd - ip) return -<i32>SNAPPY_TRUNCATED;
      if (length > dstEnd - op) return -<i32>SNAPPY_BAD_SIZE;
      op = copyLiterals(op, ip, length, srcEnd - ip >= length + 16 ? dstEnd : op + length);
      ip += length;
      continue;
    }
    let distance: usize;
    if ((tag & 3) == 1) {
      if (ip == srcEnd) return -<i32>SNAPPY_TRUNCATED;
      length = ((tag >>> 2) & 7) + 4;
      distance = ((tag >>> 5) << 8) | <usize>load<u8>(ip++);
    } else {
      const bytes: usize = (tag & 3) == 2 ? 2 : 4;
      if (srcEnd - ip < bytes) return -<i32>SNAPPY_TRUNCATED;
      distance = bytes == 2 ? <usize>load<u16>(ip) : <usize>load<u32>(ip);
      ip += bytes;
    }
    // A distance of 0 wraps around and is refused here as well.
    if (distance - 1 >= op - dst) return -<i32>SNAPPY_BAD_DISTANCE;
    if (length > dstEnd - op) return -<i32>SNAPPY_BAD_SIZE;
    op = copyMatch(op, distance, length, dstEnd);
  }
  return op == dstEnd ? <i32>stated : -<i32>SNAPPY_BAD_SIZE;
}

// @ts-ignore: decorator
@inline
function littleEndian(ip: usize, bytes: usize): usize {
  let value: usize = 0;
  for (let i: usize = 0; i < bytes; i++) value |= <usize>load<u8>(ip + i) << (i << 3);
  return value;
}
