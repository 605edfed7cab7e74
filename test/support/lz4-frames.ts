// Writes LZ4 frames (lz4_Frame_format.md) with the oracle's encoder: every combination of flags,
// and legacy ones. XXH32 is that of xxhash-wasm; the blocks share no code with the kernel.
import xxhash from "xxhash-wasm";
import { lz4EncodeOracle } from "../oracle/lz4.ts";

export interface Lz4Shape {
  isLinked?: boolean;
  hasBlockChecks?: boolean;
  hasContentCheck?: boolean;
  isSized?: boolean;
  /** 4 … 7; 64 KiB … 4 MiB. */
  blockKind?: number;
  /** Content of each block; default: the largest there may be. */
  blockBytes?: number;
  /** Content of each frame; default: all in one. */
  frameBytes?: number;
  /** Each n-th block is stored as it is. */
  storedEvery?: number;
}

const WINDOW_BYTES = 65_535;
const { h32Raw } = await xxhash();

export function lz4Frames(content: Uint8Array, shape: Lz4Shape = {}): Buffer {
  const { frameBytes = Math.max(content.length, 1) } = shape;
  const frames: Buffer[] = [];
  for (let at = 0; at === 0 || at < content.length; at += frameBytes) {
    frames.push(frameOf(content.subarray(at, at + frameBytes), shape));
  }
  return Buffer.concat(frames);
}

function frameOf(content: Uint8Array, shape: Lz4Shape): Buffer {
  const { isLinked = false, hasBlockChecks = false, hasContentCheck = true } = shape;
  const { isSized = false, blockKind = 4, storedEvery = Infinity } = shape;
  const { blockBytes = 2 ** (8 + 2 * blockKind) } = shape;
  const flag = (is: boolean, bit: number) => Number(is) << bit;
  const flags =
    0x40 |
    flag(!isLinked, 5) |
    flag(hasBlockChecks, 4) |
    flag(isSized, 3) |
    flag(hasContentCheck, 2);
  const size = Buffer.alloc(isSized ? 8 : 0);
  if (isSized) size.writeBigUInt64LE(BigInt(content.length));
  const head = Buffer.concat([Buffer.from([flags, blockKind << 4]), size]);
  const parts = [u32(0x184d2204), head, Buffer.from([(h32Raw(head) >>> 8) & 0xff])];
  for (let at = 0, block = 1; at < content.length; at += blockBytes, block++) {
    const bytes = content.subarray(at, at + blockBytes);
    const before = isLinked ? content.subarray(Math.max(0, at - WINDOW_BYTES), at) : undefined;
    const packed = lz4EncodeOracle(bytes, before);
    const isStored = block % storedEvery === 0 || packed.length >= bytes.length;
    const stored = isStored ? bytes : packed;
    parts.push(u32(stored.length + (isStored ? 2 ** 31 : 0)), Buffer.from(stored));
    if (hasBlockChecks) parts.push(u32(h32Raw(stored)));
  }
  parts.push(u32(0));
  if (hasContentCheck) parts.push(u32(h32Raw(content)));
  return Buffer.concat(parts);
}

/** A legacy frame; `blockBytes` other than 8 MiB is only for tests. */
export function lz4Legacy(content: Uint8Array, blockBytes = 8 << 20): Buffer {
  const parts = [u32(0x184c2102)];
  for (let at = 0; at < content.length; at += blockBytes) {
    const packed = lz4EncodeOracle(content.subarray(at, at + blockBytes));
    parts.push(u32(packed.length), Buffer.from(packed));
  }
  return Buffer.concat(parts);
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}
