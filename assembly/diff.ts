// Which blocks of a page changed between two versions, and the moving of just these blocks. The
// mask has bit i for block i, bit 0 for the first; delta.ts finds what moved inside a page instead.
import { BLOCK_BYTES, PAGE_BYTES } from "./layout";

/** Mask of changed 64-byte blocks, u64 per page. Returns the changed pages. */
export function diff(oldPtr: usize, newPtr: usize, pageCount: u32, masksPtr: usize): u32 {
  return diffPages(oldPtr, newPtr, pageCount, BLOCK_BYTES, masksPtr);
}

/** The same for blocks of 64, 128 or 256 bytes; the upper bits stay 0. */
export function diffBlocks(
  oldPtr: usize,
  newPtr: usize,
  pageCount: u32,
  blockBytes: u32,
  masksPtr: usize,
): u32 {
  assert(blockBytes == 64 || blockBytes == 128 || blockBytes == 256);
  if (blockBytes == 64) return diffPages(oldPtr, newPtr, pageCount, 64, masksPtr);
  if (blockBytes == 128) return diffPages(oldPtr, newPtr, pageCount, 128, masksPtr);
  return diffPages(oldPtr, newPtr, pageCount, 256, masksPtr);
}

/** One loop for each size: inlined with a constant, `blockBytes` costs nothing while it runs. */
// @ts-ignore: decorator
@inline function diffPages(
  a: usize,
  b: usize,
  pageCount: u32,
  blockBytes: u32,
  masksPtr: usize,
): u32 {
  let changed: u32 = 0;
  for (const end = masksPtr + (<usize>pageCount << 3); masksPtr < end; masksPtr += 8) {
    let mask: u64 = 0;
    let bit: u64 = 0;
    for (const pageEnd = a + PAGE_BYTES; a < pageEnd; bit++) {
      let difference = differenceOf64(a, b);
      if (blockBytes >= 128) difference = v128.or(difference, differenceOf64(a + 64, b + 64));
      if (blockBytes >= 256) {
        difference = v128.or(difference, differenceOf64(a + 128, b + 128));
        difference = v128.or(difference, differenceOf64(a + 192, b + 192));
      }
      mask |= <u64>v128.any_true(difference) << bit;
      a += blockBytes;
      b += blockBytes;
    }
    store<u64>(masksPtr, mask);
    changed += u32(mask != 0);
  }
  return changed;
}

/** Zero if 64 bytes are equal. */
// @ts-ignore: decorator
@inline function differenceOf64(a: usize, b: usize): v128 {
  const left = v128.or(
    v128.xor(v128.load(a), v128.load(b)),
    v128.xor(v128.load(a, 16), v128.load(b, 16)),
  );
  const right = v128.or(
    v128.xor(v128.load(a, 32), v128.load(b, 32)),
    v128.xor(v128.load(a, 48), v128.load(b, 48)),
  );
  return v128.or(left, right);
}

/** Copies the blocks that the mask names, in order, to `outPtr`. Returns the bytes written. */
export function gatherBlocks(pagePtr: usize, maskPtr: usize, outPtr: usize): u32 {
  const start = outPtr;
  for (let mask = load<u64>(maskPtr); mask != 0; mask &= mask - 1) {
    copyBlock(outPtr, pagePtr + (<usize>ctz(mask) * BLOCK_BYTES));
    outPtr += BLOCK_BYTES;
  }
  return <u32>(outPtr - start);
}

/** Puts gathered blocks back in their places. -1 if `inLength` is not what the mask needs. */
export function scatterBlocks(inPtr: usize, inLength: u32, maskPtr: usize, pagePtr: usize): i32 {
  let mask = load<u64>(maskPtr);
  if (inLength != <u32>popcnt(mask) * BLOCK_BYTES) return -1;
  for (; mask != 0; mask &= mask - 1) {
    copyBlock(pagePtr + (<usize>ctz(mask) * BLOCK_BYTES), inPtr);
    inPtr += BLOCK_BYTES;
  }
  return <i32>inLength;
}

// @ts-ignore: decorator
@inline function copyBlock(to: usize, from: usize): void {
  v128.store(to, v128.load(from));
  v128.store(to, v128.load(from, 16), 16);
  v128.store(to, v128.load(from, 32), 32);
  v128.store(to, v128.load(from, 48), 48);
}
