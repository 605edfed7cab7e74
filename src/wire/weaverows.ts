// Rows of a table of pages, as dumps have it: where the data of each page lies in the file, and how
// many bytes. Most rows follow from the one before and the length of its data, so an operation of a
// woven image (weave.ts) says the lengths, and which rows share the data of one page.
//
//   row   u64 offset | u32 size | u32 flags | u64 0
import type { ByteReader, ByteWriter } from "../core/bytes.ts";

export const ROW_BYTES = 24;
/** Rows that one operation makes, so that reading a part of it costs little. */
export const MAX_WEAVE_ROWS = 256;
/** More than a page of 64 KiB becomes when it grows by being compressed. */
const MAX_DATA_BYTES = 1 << 17;
const MAX_FLAGS = 2 ** 32 - 1;
const MAX_OFFSET = 2 ** 52;

/** What a run of rows is, in the low bits of its length. */
const Run = { PLAIN: 0, PACKED: 1, SHARED: 2 } as const;
const RUN_BITS = 2;

/** The rows of one operation. */
export interface WeaveRows {
  /** Bytes of a page that is not compressed; its flags are 0. */
  readonly pageBytes: number;
  /** Of rows whose data is compressed. */
  readonly flags: number;
  /** Of the first data; the data of later rows follows. */
  readonly offset: number;
  /** The row of those that have no data of their own. */
  readonly shared: Readonly<{ offset: number; size: number; flags: number }>;
  /** For each row the bytes of its data; 0: it is a shared one. */
  readonly sizes: readonly number[];
  /** For each row whether its data is compressed. */
  readonly packed: readonly boolean[];
}

/** Everything behind the count of rows. */
export function encodeRows(writer: ByteWriter, rows: WeaveRows): void {
  const { sizes, packed, shared } = rows;
  writer.varint(rows.pageBytes);
  writer.varint(rows.flags);
  writer.varint(rows.offset);
  writer.varint(shared.offset);
  writer.varint(shared.size);
  writer.varint(shared.flags);
  const runOf = (i: number) => {
    if (sizes[i] === 0) return Run.SHARED;
    return packed[i] ? Run.PACKED : Run.PLAIN;
  };
  for (let first = 0, i = 0; first < sizes.length; first = i) {
    while (i < sizes.length && runOf(i) === runOf(first)) i++;
    writer.varint((i - first) * 2 ** RUN_BITS + runOf(first));
  }
  // In one piece, as they stand where the pages are compressed again: one of both costs little.
  sizes.forEach((size, i) => {
    if (packed[i]) writer.varint(size);
  });
}

/** The bytes of `count` rows. */
export function decodeRows(reader: ByteReader, count: number): Uint8Array {
  if (count > MAX_WEAVE_ROWS) reader.fail(`${count} rows at once`);
  const pageBytes = reader.varint(MAX_DATA_BYTES);
  const flags = reader.varint(MAX_FLAGS);
  let offset = reader.varint(MAX_OFFSET);
  const shared = [reader.varint(MAX_OFFSET), reader.varint(MAX_FLAGS), reader.varint(MAX_FLAGS)];
  const runs: number[] = [];
  while (runs.length < count) {
    const run = reader.varint();
    const length = Math.floor(run / 2 ** RUN_BITS);
    const kind = run % 2 ** RUN_BITS;
    if (kind > Run.SHARED) reader.fail(`there is no run of rows of kind ${kind}`);
    if (length === 0 || length > count - runs.length) {
      reader.fail(`a run of ${length} rows of ${count - runs.length}`);
    }
    for (let i = 0; i < length; i++) runs.push(kind);
  }
  const bytes = new Uint8Array(count * ROW_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [i, kind] of runs.entries()) {
    const at = i * ROW_BYTES;
    if (kind === Run.SHARED) setRow(view, at, shared[0], shared[1], shared[2]);
    else {
      const isPlain = kind === Run.PLAIN;
      const size = isPlain ? pageBytes : reader.varint(MAX_DATA_BYTES);
      setRow(view, at, offset, size, isPlain ? 0 : flags);
      offset += size;
    }
  }
  return bytes;
}

function setRow(view: DataView, at: number, offset: number, size: number, flags: number): void {
  view.setBigUint64(at, BigInt(offset), true);
  view.setUint32(at + 8, size, true);
  view.setUint32(at + 12, flags, true);
}
