// Builds LiME files by hand, well-formed or not. It shares no code with the reader under test.

export interface LimeRange {
  first: bigint;
  /** Bytes of memory in the file. */
  byteLength: number;
  last?: bigint;
}

export function limeFile(ranges: readonly LimeRange[], rest = 0): Uint8Array {
  const parts = ranges.map(({ first, byteLength, last }) => {
    const part = new Uint8Array(32 + byteLength).fill(0x5a);
    const view = new DataView(part.buffer);
    view.setUint32(0, 0x4c694d45, true);
    view.setUint32(4, 1, true);
    view.setBigUint64(8, first, true);
    view.setBigUint64(16, last ?? first + BigInt(byteLength) - 1n, true);
    view.setBigUint64(24, 0n, true);
    return part;
  });
  return new Uint8Array(Buffer.concat([...parts, new Uint8Array(rest).fill(7)]));
}
