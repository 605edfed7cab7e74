// Flattened dumps: the bytes of a dump in pieces, in the order in which a program that could not
// seek wrote them (makedumpfile -F, QEMU). Read as the dump that they make; a layer of a woven
// image says how the flattened file is made of that again.
//
//   4096 bytes   "makedumpfile", 0 up to 16 bytes | be64 type 1 | be64 version 1 | …
//   pieces       be64 offset | be64 byte length | bytes; later ones replace what earlier ones wrote
//   the end      be64 -1 | be64 -1
import { WeaveLayer } from "../../wire/weave.ts";
import type { ReadAt } from "../layout.ts";
import { FileWindow } from "./filewindow.ts";

const SIGNATURE = "makedumpfile\0\0\0\0";
const HEAD_BYTES = 4096;
const PIECE_HEAD_BYTES = 16;
const SCAN_WINDOW = 1 << 20;
const READ_WINDOW = 1 << 18;
/** Pieces that write to one place; a header or two is written twice. */
const MAX_OVERLAP = 64;
/** What nobody wrote, and what stands behind the end. */
const MAX_HOLE_BYTES = 1 << 22;
const MAX_REST_BYTES = 1 << 20;

/** Numbers by piece, or by extent. */
interface Pieces {
  readonly offsets: number[];
  readonly sizes: number[];
  /** Of their bytes in the file. */
  readonly places: number[];
}

/** True if a file begins as a flattened dump does. */
export function isFlattened(head: Uint8Array): boolean {
  return Buffer.from(head.subarray(0, SIGNATURE.length)).toString("latin1") === SIGNATURE;
}

export class Flattened {
  /** Of the dump. */
  readonly byteLength: number;
  private readonly fileBytes: number;
  private readonly window: FileWindow;
  /** In the order of the file. */
  private readonly pieces: Pieces;
  /** What counts, in the order of the dump; nothing lies twice. `index` is that of the piece. */
  private readonly extents: Pieces & { readonly index: number[] };

  private constructor(
    read: ReadAt,
    fileBytes: number,
    pieces: Pieces,
    extents: Pieces & { readonly index: number[] },
  ) {
    this.fileBytes = fileBytes;
    this.window = new FileWindow(read, READ_WINDOW);
    this.pieces = pieces;
    this.extents = extents;
    const last = extents.offsets.length - 1;
    this.byteLength = last < 0 ? 0 : extents.offsets[last] + extents.sizes[last];
  }

  /** Undefined: the file is not flattened; "odd": what it says makes no dump. */
  static async open(read: ReadAt, fileBytes: number): Promise<Flattened | "odd" | undefined> {
    const head = new Uint8Array(PIECE_HEAD_BYTES);
    await read(0, head);
    if (!isFlattened(head)) return undefined;
    const pieces = await scan(read, fileBytes);
    const extents = pieces && layOut(pieces);
    return extents ? new Flattened(read, fileBytes, pieces, extents) : "odd";
  }

  /** Bytes of the dump. One call at a time. */
  readonly read: ReadAt = async (byteOffset, into) => {
    const { offsets, sizes, places } = this.extents;
    const wanted = Math.max(0, Math.min(into.length, this.byteLength - byteOffset));
    let i = this.extentAt(byteOffset);
    for (let done = 0; done < wanted; i++) {
      const at = byteOffset + done;
      const hole = Math.min(offsets[i] - at, wanted - done);
      if (hole > 0) {
        into.fill(0, done, done + hole);
        done += hole;
        if (done === wanted) break;
      }
      const skip = Math.max(0, at - offsets[i]);
      const byteLength = Math.min(sizes[i] - skip, wanted - done);
      for (let part = 0; part < byteLength; ) {
        const piece = Math.min(READ_WINDOW, byteLength - part);
        const bytes = await this.window.at(places[i] + skip + part, piece);
        if (bytes.length === 0) return done + part;
        into.set(bytes, done + part);
        part += bytes.length;
      }
      done += byteLength;
    }
    return wanted;
  };

  /** Where in the file a byte of the dump stands, more or less. */
  placeOf(byteOffset: number): number {
    const { offsets, places } = this.extents;
    const i = this.extentAt(byteOffset);
    if (i >= offsets.length) return this.fileBytes;
    return places[i] + Math.max(0, byteOffset - offsets[i]);
  }

  /** How the file is made of the dump. */
  async layer(): Promise<WeaveLayer> {
    const layer = new WeaveLayer();
    const { offsets, sizes, places } = this.pieces;
    await this.addFrom(layer, 0, HEAD_BYTES);
    const byPiece = this.byPiece();
    let next = 0;
    let end = HEAD_BYTES;
    for (let i = 0; i < offsets.length; i++) {
      await this.addFrom(layer, end, places[i]);
      const pieceEnd = places[i] + sizes[i];
      end = places[i];
      for (; next < byPiece.length && this.extents.index[byPiece[next]] === i; next++) {
        const extent = byPiece[next];
        await this.addFrom(layer, end, this.extents.places[extent]);
        layer.copy(this.extents.sizes[extent], this.extents.offsets[extent]);
        end = this.extents.places[extent] + this.extents.sizes[extent];
      }
      await this.addFrom(layer, end, pieceEnd);
      end = pieceEnd;
    }
    await this.addFrom(layer, end, this.fileBytes);
    return layer;
  }

  /** Bytes of the file that are nothing of the dump. */
  private async addFrom(layer: WeaveLayer, start: number, end: number): Promise<void> {
    for (let at = start; at < end; ) {
      const bytes = await this.window.at(at, Math.min(READ_WINDOW, end - at));
      if (bytes.length === 0) return;
      layer.literal(bytes);
      at += bytes.length;
    }
  }

  /** Extents in the order of the file. */
  private byPiece(): Uint32Array {
    const { places } = this.extents;
    const order = Uint32Array.from(places, (_, i) => i);
    return order.sort((a, b) => places[a] - places[b]);
  }

  /** The extent that holds a byte, or the one behind it. */
  private extentAt(byteOffset: number): number {
    const { offsets, sizes } = this.extents;
    let low = 0;
    let high = offsets.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (offsets[middle] + sizes[middle] <= byteOffset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** All pieces; the last one may be cut. Undefined when they are none. */
async function scan(read: ReadAt, fileBytes: number): Promise<Pieces | undefined> {
  const window = new FileWindow(read, SCAN_WINDOW);
  const pieces: Pieces = { offsets: [], sizes: [], places: [] };
  let at = HEAD_BYTES;
  while (at + PIECE_HEAD_BYTES <= fileBytes) {
    const head = await window.at(at, PIECE_HEAD_BYTES);
    if (head.length < PIECE_HEAD_BYTES) return undefined;
    const view = new DataView(head.buffer, head.byteOffset, PIECE_HEAD_BYTES);
    const offset = Number(view.getBigInt64(0));
    const size = Number(view.getBigInt64(8));
    if (offset === -1) return fileBytes - at <= MAX_REST_BYTES ? pieces : undefined;
    if (offset < 0 || size < 0 || !Number.isSafeInteger(offset + size)) return undefined;
    at += PIECE_HEAD_BYTES;
    pieces.offsets.push(offset);
    pieces.sizes.push(Math.min(size, fileBytes - at));
    pieces.places.push(at);
    at += size;
  }
  return pieces;
}

/** What of the pieces counts; undefined when it is more holes than dump, or all in one place. */
function layOut({ offsets, sizes, places }: Pieces) {
  const order = Uint32Array.from(offsets, (_, i) => i).filter((i) => sizes[i] > 0);
  order.sort((a, b) => offsets[a] - offsets[b]);
  const extents = { offsets: [], sizes: [], places: [], index: [] } as Record<string, number[]>;
  let active: number[] = [];
  let at = 0;
  let holes = 0;
  for (let next = 0; next < order.length || active.length > 0; ) {
    const start = next < order.length ? offsets[order[next]] : Infinity;
    if (active.length > 0) {
      const top = Math.max(...active);
      const end = Math.min(offsets[top] + sizes[top], start);
      if (end > at) {
        extents.offsets.push(at);
        extents.sizes.push(end - at);
        extents.places.push(places[top] + at - offsets[top]);
        extents.index.push(top);
      }
      at = end;
      active = active.filter((i) => offsets[i] + sizes[i] > at);
      if (at < start) continue;
    } else {
      holes += start - at;
      at = start;
    }
    active.push(order[next++]);
    if (active.length > MAX_OVERLAP || holes > MAX_HOLE_BYTES) return undefined;
  }
  return extents as unknown as Pieces & { readonly index: number[] };
}
