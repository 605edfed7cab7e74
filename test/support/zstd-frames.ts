// Writes Zstandard frames without compressing anything, so that images of any size can be made
// without the `zstd` command: raw blocks, and one repeated byte where a block is nothing else.

export interface FrameShape {
  /** Whether the head says how much content there is. */
  isSized?: boolean;
  /** Content of each frame; default: all in one. */
  frameBytes?: number;
}

const MAGIC = 0xfd2fb528;
const BLOCK_BYTES = 131_072;
/** 2 ^ (10 + 10) bytes. */
const WINDOW_BYTE = 10 << 3;
const RAW = 0;
const REPEATED = 1;

export function zstdFrames(content: Uint8Array, shape: FrameShape = {}): Buffer {
  const { isSized = true, frameBytes = Math.max(content.length, 1) } = shape;
  const frames: Buffer[] = [];
  for (let at = 0; at === 0 || at < content.length; at += frameBytes) {
    frames.push(frameOf(content.subarray(at, at + frameBytes), isSized));
  }
  return Buffer.concat(frames);
}

function frameOf(content: Uint8Array, isSized: boolean): Buffer {
  const head = Buffer.alloc(isSized ? 14 : 6);
  head.writeUInt32LE(MAGIC, 0);
  head[4] = isSized ? 3 << 6 : 0;
  head[5] = WINDOW_BYTE;
  if (isSized) head.writeBigUInt64LE(BigInt(content.length), 6);
  const parts: Buffer[] = [head];
  for (let at = 0; at === 0 || at < content.length; at += BLOCK_BYTES) {
    const block = Buffer.from(content.subarray(at, at + BLOCK_BYTES));
    const isRepeated = block.length > 0 && block.equals(Buffer.alloc(block.length, block[0]));
    const isLast = at + BLOCK_BYTES >= content.length;
    const blockHead = Buffer.alloc(3);
    const kind = isRepeated ? REPEATED : RAW;
    blockHead.writeUIntLE((block.length << 3) | (kind << 1) | Number(isLast), 0, 3);
    parts.push(blockHead, isRepeated ? block.subarray(0, 1) : block);
  }
  return Buffer.concat(parts);
}
