// Tells pages that need no content from the rest: all zero, or one 8-byte word over and over. Both
// tests stop at the first line of 64 bytes that says no, so an ordinary page costs one or two.
import { PAGE_BYTES } from "./layout";

// @ts-ignore: decorator
@inline const LINE_BYTES: usize = 64;

/** True if the page holds nothing but zeros. */
export function isZeroPage(page: usize): bool {
  for (let end = page + PAGE_BYTES; page < end; page += LINE_BYTES) {
    const left = v128.or(v128.load(page), v128.load(page, 16));
    const right = v128.or(v128.load(page, 32), v128.load(page, 48));
    if (v128.any_true(v128.or(left, right))) return false;
  }
  return true;
}

/** True if the page repeats its first 8 bytes. */
export function isUniformPage(page: usize): bool {
  const word = v128.load64_splat(page);
  for (let end = page + PAGE_BYTES; page < end; page += LINE_BYTES) {
    const left = v128.or(
      v128.xor(v128.load(page), word),
      v128.xor(v128.load(page, 16), word),
    );
    const right = v128.or(
      v128.xor(v128.load(page, 32), word),
      v128.xor(v128.load(page, 48), word),
    );
    if (v128.any_true(v128.or(left, right))) return false;
  }
  return true;
}
