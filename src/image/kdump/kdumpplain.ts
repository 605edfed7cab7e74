// A dump whose pages cannot be compressed again, taken as what it says: the parts of the same dump
// with pages that are not compressed. crash and libkdumpfile read it as they read the other one.
//
//   head, sub head, bitmaps | rows | a page of zeros | pages | what the sub head names behind those
import { PagefoldError } from "../../core/errors.ts";
import { WeaveLayer } from "../../wire/weave.ts";
import { ROW_BYTES } from "../../wire/weaverows.ts";
import type { ByteObserver } from "../opened.ts";
import type { Part, TakenApart } from "../woven.ts";
import { FileWindow } from "./filewindow.ts";
import { type KdumpBlob, KdumpFlag } from "./kdumphead.ts";
import type { KdumpRow } from "./kdumprows.ts";
import { decodeStretch, stretchParts } from "./kdumpstretch.ts";
import { KdumpTable } from "./kdumptable.ts";
import { dataOffset, type KdumpFile, KdumpWalk } from "./kdumpwalk.ts";

const PIECE_BYTES = 1 << 20;
const COMPRESSIONS = KdumpFlag.ZLIB | KdumpFlag.LZO | KdumpFlag.SNAPPY | KdumpFlag.ZSTD;

export function plainParts(file: KdumpFile): Pick<TakenApart, "parts" | "layers"> {
  let layers: WeaveLayer[] = [];
  async function* parts(signal?: AbortSignal, observer?: ByteObserver): AsyncGenerator<Part> {
    const { tableOffset, blockBytes } = file.head;
    const start = dataOffset(file);
    const layer = new WeaveLayer();
    layers = [layer];
    layer.copy(tableOffset);
    const table = new KdumpTable(layer, blockBytes, start + blockBytes);
    let end = start + blockBytes;
    for await (const row of rowsOf(file, start)) {
      table.add(row, bytesOf(row));
      end = Math.max(end, row.offset + row.size);
    }
    table.flush();
    const blobs = file.head.blobs.filter(({ offset, byteLength }) => {
      return byteLength > 0 && offset >= start && offset + byteLength <= file.byteLength;
    });
    yield* told(headParts(file, blobs, end), observer);
    if (observer) for await (const row of rowsOf(file, start)) observer.update(bytesOf(row));
    yield* told(dataParts(file, signal), observer);
    yield* told(blobParts(file, blobs), observer);
    layer.copy(end - start + blobs.reduce((sum, { byteLength }) => sum + byteLength, 0));
  }
  return { parts, layers: () => layers };
}

/** Shows the bytes of parts to an observer; those that are nowhere else are not in the file. */
async function* told(parts: AsyncIterable<Part>, observer: ByteObserver | undefined) {
  for await (const part of parts) {
    if (part.kind === "literal") observer?.update(part.bytes);
    else if (part.kind === "pages" && part.form.as === "plain") observer?.update(part.pages);
    yield part;
  }
}

/** Everything before the rows: it names no compression, and where the blobs are now. */
async function* headParts(
  file: KdumpFile,
  blobs: readonly KdumpBlob[],
  blobsOffset: number,
): AsyncGenerator<Part> {
  const { tableOffset, status, statusOffset } = file.head;
  const window = new FileWindow(file.read, PIECE_BYTES);
  for (let at = 0; at < tableOffset; at += PIECE_BYTES) {
    const bytes = await window.at(at, Math.min(PIECE_BYTES, tableOffset - at));
    if (at === 0) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      view.setUint32(statusOffset, status & ~COMPRESSIONS, true);
      let offset = blobsOffset;
      for (const { fieldOffset, byteLength } of blobs) {
        view.setBigUint64(fieldOffset, BigInt(offset), true);
        offset += byteLength;
      }
    }
    const isPages = bytes.length === PIECE_BYTES;
    yield isPages
      ? { kind: "pages", pages: bytes, form: { as: "plain" } }
      : { kind: "literal", bytes };
  }
}

/** Where each page will be: the rows of the dump anew. */
async function* rowsOf(file: KdumpFile, start: number): AsyncGenerator<KdumpRow> {
  const size = file.head.blockBytes;
  let offset = start + size;
  for await (const { placed } of new KdumpWalk(file).stretches()) {
    for (const { row, page } of placed) {
      if (page === undefined) yield { page: row.page, offset: 0, size: 0, flags: 0, pageFlags: 0 };
      else if (page === "zero")
        yield { page: row.page, offset: start, size, flags: 0, pageFlags: 0 };
      else {
        yield { page: row.page, offset, size, flags: 0, pageFlags: 0 };
        offset += size;
      }
    }
  }
}

function bytesOf({ offset, size, flags }: KdumpRow): Uint8Array {
  const bytes = new Uint8Array(ROW_BYTES);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(offset), true);
  view.setUint32(8, size, true);
  view.setUint32(12, flags, true);
  return bytes;
}

async function* dataParts(file: KdumpFile, signal: AbortSignal | undefined): AsyncGenerator<Part> {
  const { codecs, head, name } = file;
  const { blockBytes } = head;
  yield { kind: "pages", pages: new Uint8Array(blockBytes), form: { as: "plain" } };
  const window = new FileWindow(file.read, 2 * PIECE_BYTES);
  for await (const { placed, start, end } of new KdumpWalk(file).stretches()) {
    signal?.throwIfAborted();
    const data = await window.at(start, end - start);
    const decoded = decodeStretch(codecs, placed, data, blockBytes);
    const lost = decoded.fates.indexOf("unknown");
    if (lost >= 0) {
      const { row } = placed.filter(({ page }) => page === "next")[lost];
      const fault = `the data of page ${row.page} at byte ${row.offset} does not decompress`;
      throw new PagefoldError("DAMAGED", `${name}: ${fault}: --no-decompress keeps it as it is`);
    }
    decoded.fates.fill("plain");
    for (const part of stretchParts(placed, data, decoded, blockBytes)) {
      yield part.kind === "pages" ? { ...part, form: { as: "plain" } } : part;
    }
  }
}

async function* blobParts(file: KdumpFile, blobs: readonly KdumpBlob[]): AsyncGenerator<Part> {
  const window = new FileWindow(file.read, PIECE_BYTES);
  for (const { offset, byteLength } of blobs) {
    for (let at = 0; at < byteLength; at += PIECE_BYTES) {
      const piece = Math.min(PIECE_BYTES, byteLength - at);
      yield { kind: "literal", bytes: await window.at(offset + at, piece) };
    }
  }
}
