// Writes dumps of kdump's compressed format, plain and flattened, as makedumpfile's diskdump_mod.h
// has them: the smallest ones that have everything. Nothing of it comes from the reader.
import { recompress } from "../../src/image/recompress.ts";
import { seededRandom } from "./random.ts";

const BLOCK_BYTES = 4096;
const ROW_BYTES = 24;

/**
 * How the data of a page stands in the dump. "odd" and "odd-snappy" are as no compressor has them;
 * "shared" is the page of zeros of all.
 */
export type PageKind =
  | "plain"
  | "zlib"
  | "odd"
  | "snappy"
  | "odd-snappy"
  | "zstd"
  | "lzo"
  | "shared"
  | "missing";

export interface DumpedPage {
  readonly frame: number;
  readonly bytes: Uint8Array;
  readonly kind: PageKind;
}

export interface KdumpChoice {
  readonly pages: readonly DumpedPage[];
  /** Default 6. */
  readonly version?: number;
  /** Bytes behind the data: makedumpfile's list of what it erased. */
  readonly erased?: Uint8Array;
  /** Bytes between the data of pages. */
  readonly gapBytes?: number;
  /** The dump is one of several, of these frames. */
  readonly split?: readonly [first: number, end: number];
  /** Of a machine of 32 bits. */
  readonly is32?: boolean;
}

const FLAGS: Partial<Record<PageKind, number>> = {
  zlib: 1,
  odd: 1,
  lzo: 2,
  snappy: 4,
  "odd-snappy": 4,
  zstd: 0x20,
};

export function makeKdump(choice: KdumpChoice): Buffer {
  const { pages, version = 6, erased = new Uint8Array(0), gapBytes = 0, split, is32 } = choice;
  const bits = (pages.at(-1)?.frame ?? 0) + 1;
  const bitmapBlocks = Math.ceil(bits / 8 / BLOCK_BYTES);
  const bitmap = Buffer.alloc(bitmapBlocks * BLOCK_BYTES);
  for (const { frame } of pages) bitmap[frame >> 3] |= 1 << (frame & 7);
  const inside = ({ frame }: DumpedPage) => !split || (frame >= split[0] && frame < split[1]);
  const own = pages.filter(inside);
  const tableOffset = (2 + 2 * bitmapBlocks) * BLOCK_BYTES;
  const rows = Buffer.alloc(own.length * ROW_BYTES);
  const dataStart = tableOffset + rows.length;
  const data: Uint8Array[] = [Buffer.alloc(BLOCK_BYTES)];
  let offset = dataStart + BLOCK_BYTES;
  own.forEach(({ bytes, kind }, i) => {
    const packed = packPage(bytes, kind);
    if (kind === "missing") return;
    rows.writeBigUInt64LE(BigInt(kind === "shared" ? dataStart : offset), i * ROW_BYTES);
    rows.writeUInt32LE(packed.length, i * ROW_BYTES + 8);
    rows.writeUInt32LE(FLAGS[kind] ?? 0, i * ROW_BYTES + 12);
    if (kind === "shared") return;
    data.push(packed, Buffer.alloc(gapBytes, 0xaa));
    offset += packed.length + gapBytes;
  });
  const head = makeHead({ version, bitmapBlocks: 2 * bitmapBlocks, bits, is32 });
  const sub = makeSubHead({ version, bits, split, erased, erasedOffset: offset, is32 });
  // The first bitmap is of the pages that exist: more of them.
  const existing = Buffer.alloc(bitmap.length, 0xff);
  return Buffer.concat([head, sub, existing, bitmap, rows, ...data, erased]);
}

interface Head {
  version: number;
  bitmapBlocks: number;
  bits: number;
  is32: boolean | undefined;
}

function makeHead({ version, bitmapBlocks, bits, is32 }: Head): Buffer {
  const head = Buffer.alloc(BLOCK_BYTES);
  head.write("KDUMP   ", "latin1");
  head.writeInt32LE(version, 8);
  ["Linux", "guest", "6.1.0", "#1 SMP", is32 ? "i686" : "x86_64", "(none)"].forEach((name, i) => {
    head.write(name, 12 + 65 * i, "latin1");
  });
  const at = is32 ? 412 : 424;
  // status, block bytes, blocks of the sub head, blocks of the bitmaps, pages
  [1, BLOCK_BYTES, 1, bitmapBlocks, bits].forEach((value, i) => {
    head.writeUInt32LE(value, at + 4 * i);
  });
  head.writeUInt32LE(1, at + 36);
  return head;
}

interface SubHead {
  version: number;
  bits: number;
  split: readonly [number, number] | undefined;
  erased: Uint8Array;
  erasedOffset: number;
  is32: boolean | undefined;
}

function makeSubHead(choice: SubHead): Buffer {
  const { version, bits, split, erased, erasedOffset, is32 } = choice;
  const sub = Buffer.alloc(BLOCK_BYTES);
  const vmcoreinfo = "OSRELEASE=6.1.0\nPAGESIZE=4096\n";
  sub.write(vmcoreinfo, 256, "latin1");
  const word = (value: number, at: number) => {
    if (is32) sub.writeUInt32LE(value, at);
    else sub.writeBigUInt64LE(BigInt(value), at);
  };
  const u64 = (value: number, at: number) => sub.writeBigUInt64LE(BigInt(value), at);
  const places = is32
    ? { split: 8, start: 12, end: 16, info: 20, erased: 44, start64: 56 }
    : { split: 12, start: 16, end: 24, info: 32, erased: 64, start64: 80 };
  if (split && version >= 2) {
    sub.writeUInt32LE(1, places.split);
    word(split[0], places.start);
    word(split[1], places.end);
  }
  if (version >= 3) {
    u64(BLOCK_BYTES + 256, places.info);
    word(vmcoreinfo.length, places.info + 8);
  }
  if (version >= 5 && erased.length > 0) {
    u64(erasedOffset, places.erased);
    word(erased.length, places.erased + 8);
  }
  if (version >= 6) {
    u64(split?.[0] ?? 0, places.start64);
    u64(split?.[1] ?? 0, places.start64 + 8);
    u64(bits, places.start64 + 16);
  }
  return sub;
}

function packPage(bytes: Uint8Array, kind: PageKind): Uint8Array {
  switch (kind) {
    case "plain":
    case "shared":
      return bytes;
    case "missing":
      return new Uint8Array(0);
    case "zlib":
      return recompress("zlib", bytes, bytes.length).bytes.slice();
    case "odd":
      return storedZlib(bytes);
    case "snappy":
      return recompress("snappy", bytes, bytes.length).bytes.slice();
    case "odd-snappy":
      return literalSnappy(bytes);
    case "zstd":
      return rawZstd(bytes);
    case "lzo":
      return bytes.subarray(0, 100);
  }
}

/** Stored. */
function storedZlib(bytes: Uint8Array): Uint8Array {
  let [a, b] = [1, 0];
  for (const byte of bytes) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  const head = Buffer.from([0x78, 0x01, 1, 0, 0, 0, 0]);
  head.writeUInt16LE(bytes.length, 3);
  head.writeUInt16LE(~bytes.length & 0xffff, 5);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(b * 65536 + a);
  return Buffer.concat([head, bytes, sum]);
}

/** One literal: a varint of the length, 61 << 2, u16 of the length less one. */
function literalSnappy(bytes: Uint8Array): Uint8Array {
  const { length } = bytes;
  const head = [(length & 0x7f) | 0x80, length >> 7, 61 << 2, (length - 1) & 0xff];
  return Buffer.concat([Buffer.from([...head, (length - 1) >> 8]), bytes]);
}

/** One frame of one raw block; the content size stands in two bytes, less 256. */
function rawZstd(bytes: Uint8Array): Uint8Array {
  const head = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x60, 0, 0, 0, 0, 0]);
  head.writeUInt16LE(bytes.length - 256, 5);
  head.writeUIntLE(bytes.length * 8 + 1, 7, 3);
  return Buffer.concat([head, bytes]);
}

/** The dump as pieces, as a program that cannot seek writes them. */
export function flatten(dump: Uint8Array, pieceBytes: readonly number[], tail = 0): Buffer {
  const head = Buffer.alloc(4096);
  head.write("makedumpfile", "latin1");
  head.writeBigInt64BE(1n, 16);
  head.writeBigInt64BE(1n, 24);
  const pieces: Uint8Array[] = [head];
  for (let at = 0, i = 0; at < dump.length; i++) {
    const piece = dump.subarray(at, at + pieceBytes[i % pieceBytes.length]);
    pieces.push(pieceHead(at, piece.length), piece);
    at += piece.length;
  }
  pieces.push(pieceHead(-1, -1), Buffer.alloc(tail, 7));
  return Buffer.concat(pieces);
}

export function pieceHead(offset: number, size: number): Buffer {
  const head = Buffer.alloc(16);
  head.writeBigInt64BE(BigInt(offset), 0);
  head.writeBigInt64BE(BigInt(size), 8);
  return head;
}

/** Pages of all kinds in `kinds`, with frames that are not all there. */
export function somePages(seed: number, count: number, kinds: readonly PageKind[]): DumpedPage[] {
  const random = seededRandom(seed);
  const pages: DumpedPage[] = [];
  let frame = random.int(3);
  for (let i = 0; i < count; i++) {
    const kind = kinds[random.int(kinds.length)];
    const bytes = new Uint8Array(BLOCK_BYTES);
    if (kind !== "shared" && kind !== "missing") bytes.set(random.bytes(200 + random.int(3000)));
    pages.push({ frame, bytes, kind });
    frame += random.int(4) === 0 ? 1 + random.int(20) : 1;
  }
  return pages;
}
