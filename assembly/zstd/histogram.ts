// How often each byte value stands in a run of literals. No decision is taken here.

/**
 * Counts into u32[256] at `counts`. Four tables take turns in `work` (4 KiB), since an increment
 * that waits for the one before it would set the pace on runs of one value.
 */
export function countBytes(from: usize, length: u32, counts: usize, work: usize): void {
  memory.fill(work, 0, 4096);
  const end = from + <usize>length;
  while (from + 8 <= end) {
    countOne(work, <u32>load<u8>(from), 0);
    countOne(work, <u32>load<u8>(from, 1), 1024);
    countOne(work, <u32>load<u8>(from, 2), 2048);
    countOne(work, <u32>load<u8>(from, 3), 3072);
    countOne(work, <u32>load<u8>(from, 4), 0);
    countOne(work, <u32>load<u8>(from, 5), 1024);
    countOne(work, <u32>load<u8>(from, 6), 2048);
    countOne(work, <u32>load<u8>(from, 7), 3072);
    from += 8;
  }
  for (; from < end; from++) countOne(work, <u32>load<u8>(from), 0);
  for (let at: usize = 0; at < 1024; at += 16) {
    const table = work + at;
    const first = i32x4.add(v128.load(table), v128.load(table, 1024));
    const second = i32x4.add(v128.load(table, 2048), v128.load(table, 3072));
    v128.store(counts + at, i32x4.add(first, second));
  }
}

// @ts-ignore: decorator
@inline
function countOne(work: usize, value: u32, table: usize): void {
  const at = work + <usize>(value << 2);
  store<u32>(at + table, load<u32>(at + table) + 1);
}

/** The largest of u32[256]. */
export function largestCount(counts: usize): u32 {
  let most = i32x4.splat(0);
  for (let at = counts; at < counts + 1024; at += 16) {
    most = i32x4.max_u(most, v128.load(at));
  }
  const low = max(i32x4.extract_lane(most, 0), i32x4.extract_lane(most, 1));
  return max(low, max(i32x4.extract_lane(most, 2), i32x4.extract_lane(most, 3)));
}
