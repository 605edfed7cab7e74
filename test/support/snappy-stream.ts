// Makes streams of snappy's framing format, chunk by chunk, as its description says. What libsnappy
// makes of pages is not its business: blocks are given, or literals.
import { crc32cOracle } from "../oracle/snappy.ts";

export const SNAPPY_BEGIN = Uint8Array.of(0xff, 6, 0, 0, ...new TextEncoder().encode("sNaPpY"));

/** A chunk of any kind. */
export function snappyChunk(kind: number, ...parts: (Uint8Array | number[])[]): Uint8Array {
  const bytes = Buffer.concat(parts.map((part) => Uint8Array.from(part)));
  const head = [kind, bytes.length & 255, (bytes.length >> 8) & 255, bytes.length >> 16];
  return Uint8Array.from([...head, ...bytes]);
}

/** The checksum of a chunk, masked. */
export function snappyChecksum(content: Uint8Array): Uint8Array {
  const crc = crc32cOracle(content);
  const masked = ((((crc >>> 15) | (crc << 17)) >>> 0) + 0xa282ead8) % 2 ** 32;
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, masked, true);
  return bytes;
}

/** Up to 64 KiB as they are. */
export function plainChunk(content: Uint8Array): Uint8Array {
  return snappyChunk(1, snappyChecksum(content), content);
}

/** Up to 64 KiB as a block, which default to literals. */
export function blockChunk(content: Uint8Array, block = literalBlock(content)): Uint8Array {
  return snappyChunk(0, snappyChecksum(content), block);
}

/** A block of one element. */
function literalBlock(content: Uint8Array): Uint8Array {
  const { length } = content;
  if (length === 0) return Uint8Array.of(0);
  const size = [(length & 127) | 128, ((length >> 7) & 127) | 128, length >> 14];
  const last = length - 1;
  return Uint8Array.from([...size, 61 << 2, last & 255, last >> 8, ...content]);
}
