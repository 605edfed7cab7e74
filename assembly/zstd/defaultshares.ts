// The predefined distributions of RFC 8878 §3.1.1.3.2.2, written by code: a kernel has no data.

/** Kinds of codes, in the order of their tables in a block. */
// @ts-ignore: decorator
@inline export const LITERAL_LENGTHS: u32 = 0;
// @ts-ignore: decorator
@inline export const OFFSETS: u32 = 1;
// @ts-ignore: decorator
@inline export const MATCH_LENGTHS: u32 = 2;

/** Writes the shares (i16) of all codes of a kind; returns the last code. */
export function defaultShares(kind: u32, shares: usize): u32 {
  if (kind == OFFSETS) {
    fillShares(shares, 0, 24, 1);
    fillShares(shares, 6, 9, 2);
    fillShares(shares, 24, 29, -1);
    return 28;
  }
  if (kind == MATCH_LENGTHS) {
    fillShares(shares, 0, 46, 1);
    store<i16>(shares, 4, 2);
    store<i16>(shares, 3, 4);
    fillShares(shares, 3, 9, 2);
    fillShares(shares, 46, 53, -1);
    return 52;
  }
  fillShares(shares, 0, 27, 2);
  store<i16>(shares, 4);
  store<i16>(shares, 3, 2);
  fillShares(shares, 13, 16, 1);
  store<i16>(shares, 3, 50);
  fillShares(shares, 27, 32, 1);
  fillShares(shares, 32, 36, -1);
  return 35;
}

/** Bits of the predefined table of a kind. */
// @ts-ignore: decorator
@inline
export function defaultBits(kind: u32): u32 {
  return kind == OFFSETS ? 5 : 6;
}

function fillShares(shares: usize, from: u32, to: u32, share: i16): void {
  for (let code = from; code < to; code++) store<i16>(shares + (code << 1), share);
}
