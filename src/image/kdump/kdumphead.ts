// The head of a dump of kdump's compressed format (makedumpfile's diskdump_mod.h, QEMU's dump.h):
// where its table of pages stands, and which pages are in it. Little-endian dumps of machines of 64
// and 32 bits; a head that makes no sense is none.
//
//   head          0 "KDUMP   " or "DISKDUMP" | 8 version i32 | 12 six names of 65 bytes
//                 then at 424 (64 bits) or 412 (32): status u32, block bytes i32, blocks of the sub
//                 head i32, blocks of the bitmaps u32, pages u32
//   sub head      one block further; SUB_HEADS
//   bitmaps       one of the pages that exist, one of the pages that are in the dump; or only that
//   rows          24 bytes for each page: u64 offset | u32 size | u32 flags | u64 page flags
//   data          of the pages, anywhere
import { PAGE_BYTES } from "../../core/page.ts";
import type { ReadAt } from "../layout.ts";

/** What compressed the data of a page: in `flags` of its row, and in the status of the head. */
export const KdumpFlag = { PLAIN: 0, ZLIB: 1, LZO: 2, SNAPPY: 4, ZSTD: 0x20 } as const;

const SIGNATURES = ["KDUMP   ", "DISKDUMP"];
const HEAD_BYTES = 464;
const SUB_HEAD_BYTES = 104;
const MAX_VERSION = 64;
const MAX_BLOCK_BYTES = 1 << 16;
/** "status" in the head, by the width of the machine. */
const STATUS_OFFSETS = { 64: 424, 32: 412 } as const;
/** Offsets in the sub head; a blob is an offset u64, then a size of the width of the machine. */
const SUB_HEADS = {
  64: { split: 12, start: 16, end: 24, start64: 80, end64: 88, pages64: 96, blobs: [32, 48, 64] },
  32: { split: 8, start: 12, end: 16, start64: 56, end64: 64, pages64: 72, blobs: [20, 32, 44] },
} as const;

/** Bytes somewhere in the dump that the sub head names. */
export interface KdumpBlob {
  /** Where in the file their offset (u64) stands. */
  readonly fieldOffset: number;
  readonly offset: number;
  readonly byteLength: number;
}

export interface KdumpHead {
  /** Of a page. */
  readonly blockBytes: number;
  /** The compressions that the head names, and where it does. */
  readonly status: number;
  readonly statusOffset: number;
  /** The bitmap of the pages that are in the dump. */
  readonly bitmapOffset: number;
  readonly bitmapBytes: number;
  /** Pages [firstPage, endPage) are in this file, where the bitmap has them. */
  readonly firstPage: number;
  readonly endPage: number;
  readonly tableOffset: number;
  readonly blobs: readonly KdumpBlob[];
}

/** True if a file begins as a dump does. */
export function beginsKdump(head: Uint8Array): boolean {
  return SIGNATURES.includes(Buffer.from(head.subarray(0, 8)).toString("latin1"));
}

/** Undefined when the file is something else. */
export async function readKdumpHead(
  read: ReadAt,
  byteLength: number,
): Promise<KdumpHead | undefined> {
  const bytes = new Uint8Array(HEAD_BYTES);
  const view = new DataView(bytes.buffer);
  if ((await read(0, bytes)) < HEAD_BYTES || !beginsKdump(bytes)) return undefined;
  const version = view.getUint32(8, true);
  if (version > MAX_VERSION) return undefined;
  const width = isHead(view, 64) ? 64 : isHead(view, 32) ? 32 : undefined;
  if (width === undefined) return undefined;
  const statusOffset = STATUS_OFFSETS[width];
  const field = (index: number) => view.getUint32(statusOffset + 4 * index, true);
  const [status, blockBytes, subBlocks, bitmapBlocks] = [0, 1, 2, 3].map(field);
  const tableOffset = (1 + subBlocks + bitmapBlocks) * blockBytes;
  if (tableOffset > byteLength) return undefined;
  const isOld = beginsAs(bytes, "DISKDUMP");
  const sub = isOld ? undefined : await readSubHead(read, blockBytes, width, version);
  const pages = sub?.pages ?? field(4);
  const oneBitmap = Math.ceil(Math.ceil(pages / 8) / blockBytes);
  const isTwo = bitmapBlocks >= 2 * oneBitmap;
  const bitmapBytes = (bitmapBlocks * blockBytes) / (isTwo ? 2 : 1);
  return {
    blockBytes,
    status,
    statusOffset,
    bitmapOffset: tableOffset - bitmapBytes,
    bitmapBytes,
    firstPage: sub?.firstPage ?? 0,
    endPage: Math.min(sub?.endPage ?? Infinity, pages, bitmapBytes * 8),
    tableOffset,
    blobs: sub?.blobs ?? [],
  };
}

/** Whether a head of this width makes sense: a block is a page, and the bitmaps cover all pages. */
function isHead(view: DataView, width: 64 | 32): boolean {
  const field = (index: number) => view.getUint32(STATUS_OFFSETS[width] + 4 * index, true);
  const [blockBytes, subBlocks, bitmapBlocks] = [1, 2, 3].map(field);
  const isBlock = blockBytes >= PAGE_BYTES && blockBytes <= MAX_BLOCK_BYTES;
  if (!isBlock || (blockBytes & (blockBytes - 1)) !== 0) return false;
  return subBlocks >= 1 && bitmapBlocks >= 1;
}

async function readSubHead(read: ReadAt, at: number, width: 64 | 32, version: number) {
  const bytes = new Uint8Array(SUB_HEAD_BYTES);
  const view = new DataView(bytes.buffer);
  await read(at, bytes);
  const places = SUB_HEADS[width];
  const u64 = (offset: number) => Number(view.getBigUint64(offset, true));
  const word = (offset: number) => (width === 64 ? u64(offset) : view.getUint32(offset, true));
  const isNew = version >= 6;
  const isSplit = version >= 2 && view.getUint32(places.split, true) !== 0;
  const blobs = places.blobs.slice(0, Math.max(0, version - 2)).map((offset) => ({
    fieldOffset: at + offset,
    offset: u64(offset),
    byteLength: word(offset + 8),
  }));
  return {
    pages: isNew ? u64(places.pages64) : undefined,
    firstPage: isSplit ? (isNew ? u64(places.start64) : word(places.start)) : 0,
    endPage: isSplit ? (isNew ? u64(places.end64) : word(places.end)) : Infinity,
    blobs,
  };
}

function beginsAs(bytes: Uint8Array, signature: string): boolean {
  return Buffer.from(bytes.subarray(0, 8)).toString("latin1") === signature;
}
