// LiME files (LiME Memory Range Header, version 1, as src/lime.h of the project has it; AVML writes
// the same when it does not compress): ranges of physical memory, each behind a header of 32 bytes.
// Reading trusts no header: whatever the bytes say, the segments are a partition of the file.
//
//   +0 magic u32 0x4c694d45 | +4 version u32, 1 | +8 first address u64 | +16 last one u64 | +24 0
import { type MemoryLayout, type MemoryRange, partition, type ReadAt } from "./layout.ts";

export const LIME_HEADER_BYTES = 32;
const LIME_MAGIC = 0x4c694d45;
const VERSION = 1;
/** A file of more ranges is read up to here; what follows is one piece. */
const MAX_RANGES = 1 << 18;

/** The layout of a LiME file; undefined when the file is something else. */
export async function readLime(
  read: ReadAt,
  byteLength: number,
): Promise<MemoryLayout | undefined> {
  const ranges = await readLimeRanges(read, byteLength);
  return ranges && partition(ranges, byteLength);
}

/** Its ranges, found forwards; undefined when the file is something else. */
export async function readLimeRanges(
  read: ReadAt,
  byteLength: number,
): Promise<MemoryRange[] | undefined> {
  const ranges: MemoryRange[] = [];
  const head = new DataView(new ArrayBuffer(LIME_HEADER_BYTES));
  for (let at = 0; at < byteLength && ranges.length < MAX_RANGES; ) {
    const there = await read(at, new Uint8Array(head.buffer));
    if (there < LIME_HEADER_BYTES || !isLime(head)) break;
    const address = head.getBigUint64(8, true);
    const last = head.getBigUint64(16, true);
    const start = at + LIME_HEADER_BYTES;
    if (last < address) break;
    // Beyond 2^53 a Number is not exact, but it stays beyond the end of the file.
    const end = Math.min(start + Number(last - address + 1n), byteLength);
    if (start < end) ranges.push({ start, end, address });
    if (!Number.isSafeInteger(end)) break;
    at = end;
  }
  return ranges.length === 0 ? undefined : ranges;
}

/** What stands before a range of memory. */
export function encodeLimeHeader(address: bigint, byteLength: number): Uint8Array {
  const header = new DataView(new ArrayBuffer(LIME_HEADER_BYTES));
  header.setUint32(0, LIME_MAGIC, true);
  header.setUint32(4, VERSION, true);
  header.setBigUint64(8, address, true);
  header.setBigUint64(16, address + BigInt(byteLength) - 1n, true);
  return new Uint8Array(header.buffer);
}

/** True if the first LIME_HEADER_BYTES of a file are those of a LiME file. */
export function isLime(head: DataView): boolean {
  return head.getUint32(0, true) === LIME_MAGIC && head.getUint32(4, true) === VERSION;
}
