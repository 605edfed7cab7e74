// Walks through the pages of a dump in the order of their numbers, and gathers those whose data
// follows one another in the file: stretches, which can be read and decoded at once.

import { ROW_BYTES } from "../../wire/weaverows.ts";
import type { ReadAt } from "../layout.ts";
import { FileWindow } from "./filewindow.ts";
import type { KdumpCodecs } from "./kdumpcodecs.ts";
import { KdumpFlag, type KdumpHead } from "./kdumphead.ts";
import { KdumpData, type KdumpRow, KdumpRows } from "./kdumprows.ts";
import type { Placed } from "./kdumpstretch.ts";

/** An open dump; a flattened one is read as if it were not. */
export interface KdumpFile {
  /** For messages. */
  readonly name: string;
  readonly read: ReadAt;
  readonly byteLength: number;
  readonly head: KdumpHead;
  /** Rows that are there: one for each page, unless the file was cut. */
  readonly rowCount: number;
  readonly codecs: KdumpCodecs;
}

/** Pages whose data lies in [start, end), and the bytes of their rows. */
export interface Stretch {
  readonly placed: readonly Placed[];
  readonly rowBytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** Of the data that is compressed. */
  readonly flags: number;
}

/** Where the data of the pages may begin. */
export function dataOffset({ head, rowCount }: KdumpFile): number {
  return head.tableOffset + rowCount * ROW_BYTES;
}

/** Bytes of pages in a stretch, at most. */
const STRETCH_BYTES = 1 << 20;
const MAX_STRETCH_ROWS = 256;
const SHARED_WINDOW = 1 << 13;
/** Of pages that several rows share; dumps have one, of zeros. */
const MAX_KEPT = 16;

export class KdumpWalk {
  private readonly file: KdumpFile;
  private readonly window: FileWindow;
  private readonly kept = new Map<string, Placed["page"]>();

  constructor(file: KdumpFile) {
    this.file = file;
    this.window = new FileWindow(file.read, SHARED_WINDOW);
  }

  async *stretches(): AsyncGenerator<Stretch> {
    const { file } = this;
    const { head, rowCount } = file;
    const rows = new KdumpRows(file.read, head, rowCount);
    const data = new KdumpData(dataOffset(file), file.byteLength, head.blockBytes);
    const count = Math.min(MAX_STRETCH_ROWS, STRETCH_BYTES / head.blockBytes);
    for (let batch = await rows.next(count); batch.rows.length > 0; ) {
      yield* this.cut(batch.rows, batch.bytes, data);
      batch = await rows.next(count);
    }
  }

  /** Rows cut where their data does not go on, or is compressed otherwise. */
  private async *cut(rows: readonly KdumpRow[], bytes: Uint8Array, data: KdumpData) {
    let first = 0;
    let placed: Placed[] = [];
    let start = data.cursor;
    let end = data.cursor;
    let flags: number = KdumpFlag.PLAIN;
    const stretch = (next: number): Stretch => {
      const rowBytes = bytes.subarray(first * ROW_BYTES, next * ROW_BYTES);
      return { placed, rowBytes, start, end, flags };
    };
    for (const [i, row] of rows.entries()) {
      const standing = data.judge(row);
      if (standing !== "next") {
        const page = standing === "before" ? await this.pageOf(row) : undefined;
        placed.push({ row, page });
        continue;
      }
      const isPlain = row.flags === KdumpFlag.PLAIN;
      const isOther = !isPlain && flags !== KdumpFlag.PLAIN && flags !== row.flags;
      if (row.offset !== end || isOther) {
        if (placed.length > 0) yield stretch(i);
        first = i;
        placed = [];
        start = row.offset;
        flags = KdumpFlag.PLAIN;
      }
      if (!isPlain) flags = row.flags;
      placed.push({ row, page: "next" });
      end = row.offset + row.size;
    }
    yield stretch(rows.length);
  }

  /** The page whose data lies somewhere before; undefined if that is none. */
  private async pageOf(row: KdumpRow): Promise<Placed["page"]> {
    const { offset, size, flags } = row;
    const key = `${offset} ${size} ${flags}`;
    let page = this.kept.get(key);
    if (page !== undefined || this.kept.has(key)) return page;
    const bytes = new Uint8Array(this.file.head.blockBytes);
    const data = await this.window.at(offset, size);
    if (this.file.codecs.decode(flags, data, bytes)) {
      page = bytes.every((byte) => byte === 0) ? "zero" : bytes;
    }
    if (this.kept.size === MAX_KEPT) this.kept.clear();
    this.kept.set(key, page);
    return page;
  }
}
