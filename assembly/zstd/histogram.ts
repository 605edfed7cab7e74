// How often each byte value stands in a run of literals. No decision is taken here.

/**
 * Counts into u32[256] at `counts`, of which 4 KiB are used; returns the largest count. Four
 * tables take turns, since an increment that waits for the one before it would set the pace on
 * runs of one value.
 */
export function countBytes(from: usize, length: u32, counts: usize): u32 {
  memory.fill(counts, 0, 4096);
  const end = from + <usize>length;
  while (from + 8 <= end) {
    countOne(counts, <u32>load<u8>(from), 0);
    countOne(counts, <u32>load<u8>(from, 1), 1024);
    countOne(counts, <u32>load<u8>(from, 2), 2048);
    countOne(counts, <u32>load<u8>(from, 3), 3072);
    countOne(counts, <u32>load<u8>(from, 4), 0);
    countOne(counts, <u32>load<u8>(from, 5), 1024);
    countOne(counts, <u32>load<u8>(from, 6), 2048);
    countOne(counts, <u32>load<u8>(from, 7), 3072);
    from += 8;
  }
  for (; from < end; from++) countOne(counts, <u32>load<u8>(from), 0);
  let most = i32x4.splat(0);
  for (let at: usize = counts; at < counts + 1024; at += 16) {
    const pair = i32x4.add(v128.load(at), v128.load(at, 1024));
    const sum = i32x4.add(pair, i32x4.add(v128.load(at, 2048), v128.load(at, 3072)));
    v128.store(at, sum);
    most = i32x4.max_u(most, sum);
  }
  const low = max(i32x4.extract_lane(most, 0), i32x4.extract_lane(most, 1));
  return max(low, max(i32x4.extract_lane(most, 2), i32x4.extract_lane(most, 3)));
}

// @ts-ignore: decorator
@inline
function countOne(counts: usize, value: u32, table: usize): void {
  const at = counts + <usize>(value << 2);
  store<u32>(at + table, load<u32>(at + table) + 1);
}
