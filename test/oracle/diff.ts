// The mask of changed blocks and the moving of blocks, byte by byte: slow and obvious.

/** Bit i is set if block i of the two pages differs in any byte. */
export function diffMask(before: Uint8Array, after: Uint8Array, blockBytes: number): bigint {
  let mask = 0n;
  for (let at = 0; at < before.length; at++) {
    if (before[at] !== after[at]) mask |= 1n << BigInt(Math.floor(at / blockBytes));
  }
  return mask;
}

/** The blocks that the mask names, one behind the other. */
export function gathered(page: Uint8Array, mask: bigint, blockBytes: number): Uint8Array {
  const bytes: number[] = [];
  for (let at = 0; at < page.length; at++) {
    if ((mask >> BigInt(Math.floor(at / blockBytes))) & 1n) bytes.push(page[at]);
  }
  return Uint8Array.from(bytes);
}
