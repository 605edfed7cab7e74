// Writes AVML's compressed dumps as src/image.rs and src/io/snappy.rs of microsoft/avml describe
// them: AVML itself wants to be root on a machine that may be looked into.
import { blockChunk, plainChunk, SNAPPY_BEGIN } from "./snappy-stream.ts";

export interface AvmlRange {
  first: bigint;
  memory: Uint8Array;
}

const CHUNK_BYTES = 65_536;

export function avmlFile(ranges: readonly AvmlRange[]): Buffer {
  return Buffer.concat(ranges.map(rangeOf));
}

function rangeOf({ first, memory }: AvmlRange): Buffer {
  const head = Buffer.alloc(32);
  head.write("AVML", 0, "latin1");
  head.writeUInt32LE(2, 4);
  head.writeBigUInt64LE(first, 8);
  head.writeBigUInt64LE(first + BigInt(memory.length) - 1n, 16);
  const chunks: Uint8Array[] = [SNAPPY_BEGIN];
  for (let at = 0; at < memory.length; at += CHUNK_BYTES) {
    const bytes = memory.subarray(at, at + CHUNK_BYTES);
    chunks.push(at % (2 * CHUNK_BYTES) === 0 ? blockChunk(bytes) : plainChunk(bytes));
  }
  const frames = Buffer.concat(chunks);
  const tail = Buffer.alloc(8);
  tail.writeBigUInt64LE(BigInt(frames.length));
  return Buffer.concat([head, frames, tail]);
}
