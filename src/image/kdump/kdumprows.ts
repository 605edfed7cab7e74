// The pages of a dump in the order of their numbers: the bits of its bitmap, and a row of its table
// for each. Where the data of a page may lie is judged here, too; what it is, elsewhere.
import { ROW_BYTES } from "../../wire/weaverows.ts";
import type { ReadAt } from "../layout.ts";
import { FileWindow } from "./filewindow.ts";
import type { KdumpHead } from "./kdumphead.ts";

const BITMAP_WINDOW = 1 << 13;
const TABLE_WINDOW = 1 << 18;
/** No compressor makes a page longer than that. */
const GROWTH = 2;

/** A row of the table. Numbers beyond 2^53 are not exact; they mean nothing either. */
export interface KdumpRow {
  /** The number of the page. */
  readonly page: number;
  readonly offset: number;
  readonly size: number;
  readonly flags: number;
  readonly pageFlags: number;
}

/** How many pages the bitmap names. */
export async function countPages(read: ReadAt, head: KdumpHead): Promise<number> {
  const bits = new PageBits(read, head);
  let count = 0;
  for (let batch = await bits.next(); batch; batch = await bits.next()) count += batch.length;
  return count;
}

export class KdumpRows {
  private readonly bits: PageBits;
  private readonly table: FileWindow;
  private pages: readonly number[] = [];
  private taken = 0;
  private offset: number;
  private left: number;

  /** The first `rowCount` rows. */
  constructor(read: ReadAt, head: KdumpHead, rowCount: number) {
    this.bits = new PageBits(read, head);
    this.table = new FileWindow(read, TABLE_WINDOW);
    this.offset = head.tableOffset;
    this.left = rowCount;
  }

  /** Up to `count` rows; none at the end. `bytes` is valid until the next call. */
  async next(count: number): Promise<{ rows: KdumpRow[]; bytes: Uint8Array }> {
    const rows: KdumpRow[] = [];
    const wanted = Math.min(count, this.left);
    const bytes = await this.table.at(this.offset, wanted * ROW_BYTES);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at + ROW_BYTES <= bytes.length; at += ROW_BYTES) {
      if (this.taken === this.pages.length) {
        this.pages = (await this.bits.next()) ?? [];
        this.taken = 0;
        if (this.pages.length === 0) break;
      }
      rows.push({
        page: this.pages[this.taken++],
        offset: Number(view.getBigUint64(at, true)),
        size: view.getUint32(at + 8, true),
        flags: view.getUint32(at + 12, true),
        pageFlags: Number(view.getBigUint64(at + 16, true)),
      });
    }
    this.offset += rows.length * ROW_BYTES;
    this.left -= rows.length;
    return { rows, bytes: bytes.subarray(0, rows.length * ROW_BYTES) };
  }
}

/** The numbers of the pages in a dump, in batches. */
class PageBits {
  private readonly read: ReadAt;
  private readonly head: KdumpHead;
  private readonly window = new Uint8Array(BITMAP_WINDOW);
  private at = 0;

  constructor(read: ReadAt, head: KdumpHead) {
    this.read = read;
    this.head = head;
  }

  /** Undefined at the end; no batch is empty. */
  async next(): Promise<number[] | undefined> {
    const { bitmapOffset, bitmapBytes, firstPage, endPage } = this.head;
    while (this.at < bitmapBytes) {
      const bytes = this.window.subarray(0, Math.min(BITMAP_WINDOW, bitmapBytes - this.at));
      const there = await this.read(bitmapOffset + this.at, bytes);
      if (there === 0) return undefined;
      const pages: number[] = [];
      for (let i = 0; i < there; i++) {
        for (let bits = bytes[i]; bits !== 0; bits &= bits - 1) {
          const page = (this.at + i) * 8 + 31 - Math.clz32(bits & -bits);
          if (page >= firstPage && page < endPage) pages.push(page);
        }
      }
      this.at += there;
      if (pages.length > 0) return pages;
    }
    return undefined;
  }
}

/** Where the data of a page stands: behind all that came before, at a place before, or nowhere. */
export type Standing = "next" | "before" | "nowhere";

/** Judges rows in their order. */
export class KdumpData {
  /** All data so far lies before. */
  cursor: number;
  private readonly byteLength: number;
  private readonly maxSize: number;

  /** Data from `start` to the end of the file. */
  constructor(start: number, byteLength: number, blockBytes: number) {
    this.cursor = start;
    this.byteLength = byteLength;
    this.maxSize = blockBytes * GROWTH;
  }

  judge({ offset, size }: KdumpRow): Standing {
    if (size === 0 || size > this.maxSize || offset === 0) return "nowhere";
    if (!(offset + size <= this.byteLength)) return "nowhere";
    if (offset < this.cursor) return "before";
    this.cursor = offset + size;
    return "next";
  }
}
