// What libvirt writes in front of a guest's migration stream when it saves it (`virsh save`):
//
//   "LibvirtQemudSave", u32 version 2, u32 bytes behind this head, u32 was running, u32 format,
//   u32 place of the cookie, 56 bytes; domain XML, cookie, padding; the stream
//
// in the byte order of the host. The format says what the stream was compressed with; "sparse" is
// mapped-ram. While libvirt still writes, the magic is "LibvirtQemudPart".
import { PagefoldError } from "../../core/errors.ts";
import { PieceReader } from "../../core/piecereader.ts";
import type { MemoryLayout, ReadAt } from "../layout.ts";
import type { Part } from "../woven.ts";
import { readMapped, readMappedRam } from "./mappedram.ts";
import { type MigrationOptions, migrationParts } from "./migrationfile.ts";

export const SAVE_HEAD_BYTES = 92;
const MAGIC_BYTES = 16;
const MAGICS = ["LibvirtQemudSave", "LibvirtQemudPart"];
const LENGTH_OFFSET = 20;
const FORMAT_OFFSET = 28;
const MAX_VERSION = 2;
/** By their numbers in the head. */
const FORMATS = ["raw", "gzip", "bzip2", "xz", "lzop", "zstd", "sparse"];
const PIECE_BYTES = 1 << 16;

interface SaveHead {
  /** Where the stream begins. */
  readonly streamOffset: number;
  readonly format: string;
}

/** Whether a file that begins so has a stream behind the head, compressed or not. */
export function isLibvirtSave(head: Uint8Array): boolean {
  const save = readSaveHead(head);
  return save !== undefined && save.format !== "sparse";
}

export function isSparseSave(head: Uint8Array): boolean {
  return readSaveHead(head)?.format === "sparse";
}

/** What the stream in it was compressed with that can be decompressed. */
export function saveCompression(head: Uint8Array): "libvirt-gzip" | "libvirt-zstd" | undefined {
  const format = readSaveHead(head)?.format;
  return format === "gzip" || format === "zstd" ? `libvirt-${format}` : undefined;
}

/** Head and stream; one that is compressed is refused. */
export async function* saveParts(
  bytes: AsyncIterable<Uint8Array>,
  options: MigrationOptions & { readonly name: string },
): AsyncGenerator<Part> {
  const { name, signal } = options;
  const reader = new PieceReader(bytes, signal);
  try {
    // Not `slice`, which gives a view where the piece is a Buffer.
    const head = new Uint8Array(await reader.take(SAVE_HEAD_BYTES));
    const { format = "raw", streamOffset = 0 } = readSaveHead(head) ?? {};
    if (format !== "raw") {
      const fault = `the stream in this save image is compressed with ${format}, which is not read`;
      const advice = 'set save_image_format = "zstd" in qemu.conf and save again';
      throw new PagefoldError("FORMAT", `${name}: ${fault}; ${advice}, or --no-decompress`);
    }
    yield* migrationParts(headAndRest(head, reader), { ...options, prefixBytes: streamOffset });
  } finally {
    await reader.close();
  }
}

/** The same save image as if its stream had not been compressed, which libvirt reads as well. */
export async function* decompressedSave(
  bytes: AsyncIterable<Uint8Array>,
  decompress: (stream: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const reader = new PieceReader(bytes, signal);
  try {
    // Not `slice`, which gives a view where the piece is a Buffer.
    const head = new Uint8Array(await reader.take(SAVE_HEAD_BYTES));
    const { streamOffset = 0 } = readSaveHead(head) ?? {};
    head.fill(0, FORMAT_OFFSET, FORMAT_OFFSET + 4);
    yield head;
    while (reader.position < streamOffset) {
      const piece = await reader.take(Math.min(PIECE_BYTES, streamOffset - reader.position));
      if (piece.length === 0) return;
      yield piece;
    }
    yield* decompress(rest(reader));
  } finally {
    await reader.close();
  }
}

/** The layout of a sparse save image, whose stream is mapped-ram. */
export async function readSparseSave(
  read: ReadAt,
  byteLength: number,
): Promise<MemoryLayout | undefined> {
  return readMappedRam(read, byteLength, await streamOffset(read));
}

/** Reads a sparse save image as if the pages that do not count were zero. */
export async function readSparseMapped(read: ReadAt): Promise<ReadAt> {
  return readMapped(read, await streamOffset(read));
}

async function streamOffset(read: ReadAt): Promise<number> {
  const head = new Uint8Array(SAVE_HEAD_BYTES);
  const there = await read(0, head);
  return readSaveHead(head.subarray(0, there))?.streamOffset ?? 0;
}

function readSaveHead(head: Uint8Array): SaveHead | undefined {
  if (head.length < SAVE_HEAD_BYTES) return;
  const magic = Buffer.from(head.buffer, head.byteOffset, MAGIC_BYTES).toString("latin1");
  if (!MAGICS.includes(magic)) return;
  const view = new DataView(head.buffer, head.byteOffset, SAVE_HEAD_BYTES);
  const isLittleEndian = view.getUint32(MAGIC_BYTES, true) <= MAX_VERSION;
  const version = view.getUint32(MAGIC_BYTES, isLittleEndian);
  if (version > MAX_VERSION) return;
  const streamOffset = SAVE_HEAD_BYTES + view.getUint32(LENGTH_OFFSET, isLittleEndian);
  // The first version knew no formats.
  const number = version < MAX_VERSION ? 0 : view.getUint32(FORMAT_OFFSET, isLittleEndian);
  return { streamOffset, format: FORMATS[number] ?? `format ${number}` };
}

async function* headAndRest(head: Uint8Array, reader: PieceReader): AsyncGenerator<Uint8Array> {
  yield head;
  yield* rest(reader);
}

async function* rest(reader: PieceReader): AsyncGenerator<Uint8Array> {
  for (;;) {
    const piece = await reader.take(PIECE_BYTES);
    if (piece.length === 0) return;
    yield piece;
  }
}
