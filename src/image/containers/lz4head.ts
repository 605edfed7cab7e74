// Heads of LZ4 frames (lz4_Frame_format.md 1.6.4). Checksums are compared by whoever reads them.
//
//   frame       magic 184d2204 | flags u8 | block size u8 | content size u64? | dictionary u32?
//               | check u8 (second byte of XXH32 of all since the flags) | blocks | end u32 0
//               | XXH32 of the content u32?
//   flags       version 7-6, 1 | independent 5 | block checks 4 | size 3 | content check 2
//               | reserved 1 | dictionary 0
//   block size  2^(8 + 2n) bytes, n in 6-4, 4 … 7; other bits are reserved
//   block       u32: stored as it is 31 | bytes 30-0 — then these | XXH32 of them u32?
//   legacy      magic 184c2102 | (u32 bytes — then these) …, up to a magic or the end
//   skippable   magic 184d2a50 … 184d2a5f | size u32 | anything

const MAGIC = 0x184d_2204;
const LEGACY_MAGIC = 0x184c_2102;
const SKIPPABLE_MAGIC = 0x184d_2a50;
/** Of the flags and the block size, which tell how long the rest is. */
export const LZ4_FLAG_BYTES = 2;
/** In the word of a block: it is not compressed; what is below are its bytes. */
export const LZ4_STORED = 2 ** 31;

export type Lz4Magic = "frame" | "legacy" | "skippable";

/** What a word begins; undefined: nothing. */
export function lz4Magic(word: number): Lz4Magic | undefined {
  if (word === MAGIC) return "frame";
  if (word === LEGACY_MAGIC) return "legacy";
  return word - (word % 16) === SKIPPABLE_MAGIC ? "skippable" : undefined;
}

export interface Lz4FrameHead {
  /** No block of the frame is larger, compressed or not. */
  readonly maxBlockBytes: number;
  /** Whether matches reach into blocks before. */
  readonly isLinked: boolean;
  readonly hasBlockChecks: boolean;
  readonly hasContentCheck: boolean;
  readonly contentBytes: number | undefined;
  readonly dictionary: number | undefined;
}

/** Bytes between the block size and the check. */
export function lz4FrameHeadBytes(flags: number): number {
  return (hasBit(flags, 3) ? 8 : 0) + (hasBit(flags, 0) ? 4 : 0);
}

/** Reads a head, of which `rest` is what follows the block size; why not, if it is bad. */
export function decodeLz4FrameHead(
  flags: number,
  blockSize: number,
  rest: Uint8Array,
): Lz4FrameHead | string {
  if (flags >> 6 !== 1) return `its version is ${flags >> 6}, only version 1 is read`;
  if (hasBit(flags, 1) || (blockSize & 0x8f) !== 0) return "a reserved bit is set";
  const shift = blockSize >> 4;
  if (shift < 4) return `its block size is of the reserved kind ${shift}`;
  const view = new DataView(rest.buffer, rest.byteOffset, rest.length);
  const hasSize = hasBit(flags, 3);
  return {
    maxBlockBytes: 2 ** (8 + 2 * shift),
    isLinked: !hasBit(flags, 5),
    hasBlockChecks: hasBit(flags, 4),
    hasContentCheck: hasBit(flags, 2),
    contentBytes: hasSize ? Number(view.getBigUint64(0, true)) : undefined,
    dictionary: hasBit(flags, 0) ? view.getUint32(hasSize ? 8 : 0, true) : undefined,
  };
}

function hasBit(flags: number, bit: number): boolean {
  return ((flags >> bit) & 1) === 1;
}
