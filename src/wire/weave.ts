// How the file of a woven image is put together from its pages (docs/format.md, "Woven images"):
// layers of operations, the first over the pages, each later one over the bytes that the one before
// makes. Encoding only; weaveops.ts reads.
import { ByteWriter } from "../core/bytes.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { encodeRows, ROW_BYTES, type WeaveRows } from "./weaverows.ts";

/** In the low bits of the varint that begins an operation; the count stands above. */
export const WeaveOp = {
  /** Bytes of the literals. */
  LITERAL: 0,
  /** Bytes of the source, from the place that a zigzag gives against the end of the last ones. */
  COPY: 1,
  /** Pages of the source, each behind a big-endian u64 that counts up by 4096. */
  COUNTED: 2,
  /** The same for pages of one byte that all have: the u64 and a zero. */
  COUNTED_ZEROS: 3,
  /** Pages of the source, each as zlib's compress2 makes it at level 1. */
  ZLIB: 4,
  /** Pages of the source, each as snappy makes it. */
  SNAPPY: 5,
  /** Rows of the table of a dump (weaverows.ts). */
  ROWS: 6,
} as const;
export const WEAVE_OP_BITS = 3;

/** "PFWV" */
export const WEAVE_MAGIC = 0x56574650;
/** u64 bytes of operations, u64 bytes of literals, u64 bytes that the layer makes. */
export const WEAVE_LAYER_BYTES = 24;
/** u64 bytes of pages, u32 layers, u32 magic. */
export const WEAVE_TRAILER_BYTES = 16;
export const MAX_WEAVE_LAYERS = 4;
/** Pages that one operation compresses, so that reading a part of it costs little. */
export const MAX_RECOMPRESSED_PAGES = 256;

const LITERAL_PIECE = 1 << 16;

/** The operations and literals of one layer, as bytes are added in the order of what it makes. */
export class WeaveLayer {
  /** Bytes that the layer makes. */
  byteLength = 0;
  private readonly ops = new ByteWriter();
  private readonly literals: Uint8Array[] = [];
  private tail = new Uint8Array(LITERAL_PIECE);
  private tailBytes = 0;
  private literalBytes = 0;
  /** Where the next bytes of the source are expected, and the next count. */
  private source = 0;
  private count = 0;
  /** The operation that the next bytes may still belong to. */
  private pending: { op: number; length: number; argument: number | undefined } | undefined;

  /** Bytes that are nowhere else. They are copied. */
  literal(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.extend(WeaveOp.LITERAL, bytes.length, undefined);
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + LITERAL_PIECE - this.tailBytes);
      this.tail.set(part, this.tailBytes);
      this.tailBytes += part.length;
      at += part.length;
      if (this.tailBytes === LITERAL_PIECE) this.keepTail();
    }
    this.literalBytes += bytes.length;
    this.byteLength += bytes.length;
  }

  /** Bytes [offset, offset + length) of the source; default: those that come next. */
  copy(length: number, offset = this.source): void {
    if (length === 0) return;
    const isNext = offset === this.source;
    this.extend(WeaveOp.COPY, length, isNext ? undefined : offset - this.source, 0);
    this.source = offset + length;
    this.byteLength += length;
  }

  /** The next `pages` pages of the source, the first behind `count`. */
  counted(count: number, pages: number): void {
    this.extend(WeaveOp.COUNTED, pages, this.step(count, pages), 0);
    this.source += pages * PAGE_BYTES;
    this.byteLength += pages * (8 + PAGE_BYTES);
  }

  /** `pages` zero pages of 9 bytes, the first with `count`. */
  countedZeros(count: number, pages: number): void {
    this.extend(WeaveOp.COUNTED_ZEROS, pages, this.step(count, pages), 0);
    this.byteLength += pages * 9;
  }

  /**
   * The next pages of the source, of `pageBytes` each, compressed to `lengths`. Snappy is that of a
   * release (src/kernels/snappy.ts).
   */
  recompressed(
    op: typeof WeaveOp.ZLIB | typeof WeaveOp.SNAPPY,
    pageBytes: number,
    lengths: ArrayLike<number>,
    release = 0,
  ): void {
    this.flush();
    for (let at = 0; at < lengths.length; at += MAX_RECOMPRESSED_PAGES) {
      const pages = Math.min(MAX_RECOMPRESSED_PAGES, lengths.length - at);
      this.ops.varint(pages * 2 ** WEAVE_OP_BITS + op);
      this.ops.varint(pageBytes + release);
      for (let i = at; i < at + pages; i++) {
        this.ops.varint(lengths[i]);
        this.byteLength += lengths[i];
      }
    }
    this.source += lengths.length * pageBytes;
  }

  /** Rows of a table, at most MAX_WEAVE_ROWS. */
  rows(rows: WeaveRows): void {
    this.flush();
    this.ops.varint(rows.sizes.length * 2 ** WEAVE_OP_BITS + WeaveOp.ROWS);
    encodeRows(this.ops, rows);
    this.byteLength += rows.sizes.length * ROW_BYTES;
  }

  /** Ends the layer: its bytes, and how many of them are operations and literals. */
  finish(): { bytes: Uint8Array[]; opBytes: number; literalBytes: number } {
    this.flush();
    this.keepTail();
    const ops = this.ops.take();
    const bytes = [ops, ...this.literals];
    return { bytes, opBytes: ops.length, literalBytes: this.literalBytes };
  }

  private step(count: number, pages: number): number | undefined {
    const step = count - this.count;
    this.count = count + pages * PAGE_BYTES;
    return step === 0 ? undefined : step;
  }

  /** Goes on with the operation before, if it is of the same kind and nothing lies between. */
  private extend(op: number, length: number, argument: number | undefined, none?: number): void {
    if (this.pending?.op === op && argument === undefined) {
      this.pending.length += length;
      return;
    }
    this.flush();
    this.pending = { op, length, argument: argument ?? none };
  }

  private flush(): void {
    const { pending } = this;
    if (!pending) return;
    this.ops.varint(pending.length * 2 ** WEAVE_OP_BITS + pending.op);
    if (pending.argument !== undefined) this.ops.zigzag(pending.argument);
    this.pending = undefined;
  }

  private keepTail(): void {
    if (this.tailBytes === 0) return;
    this.literals.push(this.tail.subarray(0, this.tailBytes));
    this.tail = new Uint8Array(LITERAL_PIECE);
    this.tailBytes = 0;
  }
}

/** What stands behind the pages of a woven image. The layers are ended by this. */
export function encodeWeave(pageBytes: number, layers: readonly WeaveLayer[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  const table = new ByteWriter();
  for (const layer of layers) {
    const { bytes, opBytes, literalBytes } = layer.finish();
    pieces.push(...bytes);
    table.u64(BigInt(opBytes));
    table.u64(BigInt(literalBytes));
    table.u64(BigInt(layer.byteLength));
  }
  table.u64(BigInt(pageBytes));
  table.u32(layers.length);
  table.u32(WEAVE_MAGIC);
  return [...pieces, table.take()];
}
