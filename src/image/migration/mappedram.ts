// Files of QEMU 9 and later with the capability mapped-ram: a migration stream with gaps in which
// the pages of RAM lie as they do in memory. It has to be read in any order; what is in its pages
// is not looked at. Pages that were zero at the end are not written, or not any more: a bitmap says
// which ones count.
//
//   stream up to the section "ram", be64 bytes of all blocks | 4, then for each block
//   u8 length, name, be64 bytes, [be64 page size], [be64 address]
//   be32 1, be64 page size, be64 place of the bitmap, be64 place of the pages
//   bitmap, to the next MiB, pages; the stream goes on behind them
import { PAGE_BYTES } from "../../core/page.ts";
import { RAM_FLAGS, Ram } from "../../qemu/stream.ts";
import { type MemoryLayout, type MemoryRange, partition, type ReadAt } from "../layout.ts";
import { addressOf, type ListedBlock, type PlacedBlock, placeBlocks } from "./machinememory.ts";
import {
  be64,
  isMappedRam,
  RAM_START_BYTES,
  ramStartIn,
  readBlock,
  readConfiguration,
} from "./migrationhead.ts";

/** What stands before the blocks has some hundred bytes in streams of real guests. */
const HEAD_BYTES = 64 << 10;
const MAX_BLOCKS = 4096;
/** Name, length, fields and header of a block. */
const BLOCK_HEAD_BYTES = 512;
const MAX_BLOCK_FIELDS = 2;
const HEADER_VERSION = 1;
const HEADER_BYTES = 28;

/** A block whose pages are in the file. */
interface MappedBlock extends ListedBlock {
  readonly bitmapOffset: number;
  readonly pagesOffset: number;
}

/** The blocks of RAM of a file, and where they lie in the guest. */
interface MappedRam {
  readonly blocks: readonly MappedBlock[];
  readonly placed: ReadonlyMap<string, PlacedBlock>;
}

/**
 * A partition of the file at its blocks; regions are those of the guest's memory, not of devices.
 * Undefined if it is not understood. `start` is where the stream begins.
 */
export async function readMappedRam(
  read: ReadAt,
  byteLength: number,
  start = 0,
): Promise<MemoryLayout | undefined> {
  const ram = await readBlocks(read, start);
  if (ram === undefined) return;
  const ranges: MemoryRange[] = [];
  const memory = new Set<number>();
  for (const { name, byteLength: blockBytes, pagesOffset } of ram.blocks) {
    const block = ram.placed.get(name) as PlacedBlock;
    const split = Math.min(block.splitOffset, blockBytes);
    for (const [from, to] of [
      [0, split],
      [split, blockBytes],
    ]) {
      if (from === to) continue;
      const address = BigInt(addressOf(block, from));
      ranges.push({ start: pagesOffset + from, end: pagesOffset + to, address });
      if (block.block === undefined) memory.add(pagesOffset + from);
    }
  }
  const { segments, regions } = partition(ranges, byteLength);
  const isMemory = (index: number) => memory.has(segments[index].byteOffset);
  return { segments, regions: regions.filter(({ segmentIndex }) => isMemory(segmentIndex)) };
}

/** Reads the file as if the pages that do not count were zero. */
export async function readMapped(read: ReadAt, start = 0): Promise<ReadAt> {
  const blocks = (await readBlocks(read, start))?.blocks ?? [];
  return async (byteOffset, into) => {
    const there = await read(byteOffset, into);
    for (const block of blocks) await clearAbsent(read, block, byteOffset, into.subarray(0, there));
    return there;
  };
}

/** Zeros the pages of a block that its bitmap does not name. */
async function clearAbsent(
  read: ReadAt,
  { byteLength, bitmapOffset, pagesOffset }: MappedBlock,
  byteOffset: number,
  bytes: Uint8Array,
): Promise<void> {
  const from = Math.max(0, byteOffset - pagesOffset);
  const to = Math.min(byteLength, byteOffset + bytes.length - pagesOffset);
  if (from >= to) return;
  const firstByte = Math.floor(from / PAGE_BYTES / 8);
  const lastByte = Math.floor((to - 1) / PAGE_BYTES / 8);
  const bitmap = new Uint8Array(lastByte - firstByte + 1);
  await read(bitmapOffset + firstByte, bitmap);
  for (let page = Math.floor(from / PAGE_BYTES); page * PAGE_BYTES < to; page++) {
    if (bitmap[(page >>> 3) - firstByte] & (1 << (page & 7))) continue;
    const begin = pagesOffset + page * PAGE_BYTES - byteOffset;
    bytes.fill(0, Math.max(0, begin), Math.max(0, begin + PAGE_BYTES));
  }
}

async function readBlocks(read: ReadAt, start: number): Promise<MappedRam | undefined> {
  const room = new Uint8Array(HEAD_BYTES);
  const head = room.subarray(0, await read(start, room));
  const ramStart = isMappedRam(head) ? ramStartIn(head, 0) : -1;
  const list = ramStart + RAM_START_BYTES;
  if (ramStart < 0 || list + 8 > head.length) return;
  const view = new DataView(head.buffer);
  if ((view.getUint32(list + 4) & RAM_FLAGS) !== Ram.MEM_SIZE) return;
  const blocks: MappedBlock[] = [];
  let left = be64(view, list) - Ram.MEM_SIZE;
  for (let at = start + list + 8; left > 0; ) {
    const found = await readMappedBlock(read, at);
    if (found === undefined || blocks.length === MAX_BLOCKS) return;
    blocks.push(found.block);
    left -= found.block.byteLength;
    at = found.end;
  }
  const placed = placeBlocks(readConfiguration(head).machine, blocks);
  // Memory that is shared with its file (x-ignore-shared) has no pages here.
  return { blocks: blocks.filter(({ pagesOffset }) => pagesOffset > 0), placed };
}

/** The block that is described at `at`, and where the stream goes on. */
async function readMappedBlock(read: ReadAt, at: number) {
  const room = new Uint8Array(BLOCK_HEAD_BYTES);
  const bytes = room.subarray(0, await read(at, room));
  const view = new DataView(room.buffer);
  const listed = readBlock(bytes, view, 0);
  if (listed === undefined) return;
  const { name, byteLength } = listed;
  for (let fields = 0, from = listed.end; fields <= MAX_BLOCK_FIELDS; fields++, from += 8) {
    if (from + HEADER_BYTES > bytes.length) return;
    if (view.getUint32(from) !== HEADER_VERSION || be64(view, from + 4) !== PAGE_BYTES) continue;
    const bitmapOffset = be64(view, from + 12);
    const pagesOffset = be64(view, from + 20);
    if (!Number.isSafeInteger(bitmapOffset + pagesOffset + byteLength)) return;
    const end = pagesOffset > 0 ? pagesOffset + byteLength : at + from + HEADER_BYTES;
    return { block: { name, byteLength, bitmapOffset, pagesOffset }, end };
  }
  return;
}
