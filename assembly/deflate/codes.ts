// Which code stands for a length or a distance, and how many bits follow it (RFC 1951 §3.2.5). From
// the 8th length and the 4th distance on, a code is its highest bits: 4 codes for each power of two
// of lengths, 2 of distances.

/** The code (0 … 28) of a length less 3. */
// @ts-ignore: decorator
@inline
export function lengthCodeOf(length: u32): u32 {
  if (length < 8) return length;
  if (length == 255) return 28;
  const extra = 29 - clz(length);
  return (extra << 2) + (length >>> extra);
}

// @ts-ignore: decorator
@inline
export function lengthExtra(code: u32): u32 {
  return code < 8 || code == 28 ? 0 : (code >>> 2) - 1;
}

/** The code (0 … 29) of a distance less 1. */
// @ts-ignore: decorator
@inline
export function distanceCodeOf(distance: u32): u32 {
  if (distance < 4) return distance;
  const extra = 30 - clz(distance);
  return (extra << 1) + (distance >>> extra);
}

// @ts-ignore: decorator
@inline
export function distanceExtra(code: u32): u32 {
  return code < 4 ? 0 : (code >>> 1) - 1;
}
