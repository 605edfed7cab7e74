// XXH64, seed 0, exactly as published (xxHash spec), for any length: the checksum of batches and
// extents. It guards against damage, not against an enemy.
import { PRIME64_1, PRIME64_2, PRIME64_3, PRIME64_4, PRIME64_5 } from "./xxh";

/** XXH64 of `length` bytes, written as u64 to `outPtr`. */
export function checksum(ptr: usize, length: u32, outPtr: usize): void {
  const end = ptr + length;
  let hash = PRIME64_5;
  if (length >= 32) {
    hash = hashStripes(ptr, length >> 5);
    ptr += length & ~31;
  }
  hash += length;
  for (; ptr + 8 <= end; ptr += 8) {
    hash = rotl(hash ^ round(0, load<u64>(ptr)), 27) * PRIME64_1 + PRIME64_4;
  }
  if (ptr + 4 <= end) {
    hash = rotl(hash ^ (<u64>load<u32>(ptr) * PRIME64_1), 23) * PRIME64_2 + PRIME64_3;
    ptr += 4;
  }
  for (; ptr < end; ptr++) {
    hash = rotl(hash ^ (<u64>load<u8>(ptr) * PRIME64_5), 11) * PRIME64_1;
  }
  hash = (hash ^ (hash >> 33)) * PRIME64_2;
  hash = (hash ^ (hash >> 29)) * PRIME64_3;
  store<u64>(outPtr, hash ^ (hash >> 32));
}

/** The four accumulators over whole stripes of 32 bytes, converged. */
// @ts-ignore: decorator
@inline function hashStripes(ptr: usize, stripes: u32): u64 {
  let acc1 = PRIME64_1 + PRIME64_2;
  let acc2 = PRIME64_2;
  let acc3: u64 = 0;
  let acc4: u64 = 0 - PRIME64_1;
  for (; stripes != 0; stripes--) {
    acc1 = round(acc1, load<u64>(ptr));
    acc2 = round(acc2, load<u64>(ptr, 8));
    acc3 = round(acc3, load<u64>(ptr, 16));
    acc4 = round(acc4, load<u64>(ptr, 24));
    ptr += 32;
  }
  let hash = rotl(acc1, 1) + rotl(acc2, 7) + rotl(acc3, 12) + rotl(acc4, 18);
  hash = merge(hash, acc1);
  hash = merge(hash, acc2);
  hash = merge(hash, acc3);
  return merge(hash, acc4);
}

// @ts-ignore: decorator
@inline function round(acc: u64, input: u64): u64 {
  return rotl(acc + input * PRIME64_2, 31) * PRIME64_1;
}

// @ts-ignore: decorator
@inline function merge(hash: u64, acc: u64): u64 {
  return (hash ^ round(0, acc)) * PRIME64_1 + PRIME64_4;
}
