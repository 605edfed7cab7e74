// The two superblocks at the head of a stream and the FOOTER that repeats them at its end
// (docs/format.md §1.1, §2). The commit itself is archive/commit.ts.
import { ByteReader, ByteWriter } from "../core/bytes.ts";
import { PagefoldError } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { SALT_BYTES } from "../core/seal.ts";
import type { Checksum } from "./checksum.ts";
import { CIPHER_AES_256_GCM, CIPHER_NONE, KEY_CHECK_BYTES, type SealMark } from "./seal.ts";

export const SUPERBLOCK_BYTES = 4096;
/** Bytes before the first batch. */
export const STREAM_HEAD_BYTES = 2 * SUPERBLOCK_BYTES;
export const FORMAT_VERSION = 1;
/** Body of a FOOTER head. */
export const FOOTER_HEAD_BYTES = 40;

const MAGIC = new TextEncoder().encode("PAGEFOLD");
const CHECKSUM_OFFSET = SUPERBLOCK_BYTES - 8;
const FIELDS_END = 56;
// Of a sealed archive: u8 cipher, 7 zero bytes, the salt, the key check.
const CIPHER_OFFSET = FIELDS_END;
const SALT_OFFSET = 64;
const KEY_CHECK_OFFSET = SALT_OFFSET + SALT_BYTES;
const SEALED_FIELDS_END = KEY_CHECK_OFFSET + KEY_CHECK_BYTES;

/** What a superblock or a FOOTER says of an archive. Offsets and lengths in bytes. */
export interface ArchiveState {
  generation: number;
  committedLength: number;
  directoryOffset: number;
  directoryLength: number;
  /** Where the index begins that lies directly before the directory. */
  indexOffset: number;
}

/** What a superblock says; `seal` of a sealed archive. */
export type Superblock = ArchiveState & { readonly seal?: SealMark };

/** Generation 0: nothing committed. */
export const UNCOMMITTED: Readonly<ArchiveState> = {
  generation: 0,
  committedLength: 0,
  directoryOffset: 0,
  directoryLength: 0,
  indexOffset: 0,
};

export function encodeSuperblock(
  state: ArchiveState,
  checksum: Checksum,
  seal?: SealMark,
): Uint8Array<ArrayBuffer> {
  const block = new Uint8Array(SUPERBLOCK_BYTES);
  const view = new DataView(block.buffer);
  block.set(MAGIC, 0);
  view.setUint16(8, FORMAT_VERSION, true);
  view.setUint32(12, PAGE_BYTES, true);
  const writer = new ByteWriter(FOOTER_HEAD_BYTES);
  writeState(writer, state);
  block.set(writer.take(), 16);
  if (seal) {
    block[CIPHER_OFFSET] = CIPHER_AES_256_GCM;
    block.set(seal.salt, SALT_OFFSET);
    block.set(seal.keyCheck, KEY_CHECK_OFFSET);
  }
  view.setBigUint64(CHECKSUM_OFFSET, checksum(block.subarray(0, CHECKSUM_OFFSET)), true);
  return block;
}

/**
 * Reads one superblock. Returns undefined when its checksum is wrong (a torn or damaged write);
 * throws FORMAT when it is intact but of another version.
 */
export function decodeSuperblock(block: Uint8Array, checksum: Checksum): Superblock | undefined {
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  if (block.length !== SUPERBLOCK_BYTES) return undefined;
  if (MAGIC.some((byte, i) => block[i] !== byte)) return undefined;
  const stated = view.getBigUint64(CHECKSUM_OFFSET, true);
  if (stated !== checksum(block.subarray(0, CHECKSUM_OFFSET))) return undefined;
  const version = view.getUint16(8, true);
  if (version !== FORMAT_VERSION) {
    throw new PagefoldError("FORMAT", `format version ${version}: this pagefold reads version 1`);
  }
  const cipher = block[CIPHER_OFFSET];
  if (cipher !== CIPHER_NONE && cipher !== CIPHER_AES_256_GCM) {
    throw new PagefoldError("FORMAT", `cipher ${cipher} is not known`);
  }
  const pageBytes = view.getUint32(12, true);
  const seal = cipher === CIPHER_NONE ? undefined : readSealMark(block);
  const end = seal ? SEALED_FIELDS_END : FIELDS_END;
  const reserved =
    block.subarray(end, CHECKSUM_OFFSET).some((byte) => byte !== 0) ||
    block.subarray(CIPHER_OFFSET + 1, SALT_OFFSET).some((byte) => byte !== 0);
  if (pageBytes !== PAGE_BYTES || view.getUint16(10, true) !== 0 || reserved) {
    throw new PagefoldError("FORMAT", `page size ${pageBytes} or a reserved field is not known`);
  }
  const state = readState(new ByteReader(block.subarray(16, FIELDS_END), "superblock"));
  return seal ? { ...state, seal } : state;
}

function readSealMark(block: Uint8Array): SealMark {
  const salt = block.slice(SALT_OFFSET, KEY_CHECK_OFFSET);
  return { salt, keyCheck: block.slice(KEY_CHECK_OFFSET, SEALED_FIELDS_END) };
}

/** True when the bytes begin as a pagefold stream does, whatever follows. */
export function looksLikeStream(head: Uint8Array): boolean {
  return head.length >= MAGIC.length && MAGIC.every((byte, i) => head[i] === byte);
}

export function encodeFooter(state: ArchiveState): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(FOOTER_HEAD_BYTES);
  writeState(writer, state);
  return writer.take();
}

export function decodeFooter(head: Uint8Array, what: string): ArchiveState {
  const reader = new ByteReader(head, what);
  const state = readState(reader);
  reader.end();
  return state;
}

function writeState(writer: ByteWriter, state: ArchiveState): void {
  writer.u64(BigInt(state.generation));
  writer.u64(BigInt(state.committedLength));
  writer.u64(BigInt(state.directoryOffset));
  writer.u64(BigInt(state.directoryLength));
  writer.u64(BigInt(state.indexOffset));
}

function readState(reader: ByteReader): ArchiveState {
  const next = (): number => {
    const value = reader.u64();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) reader.fail(`${value} is out of range`);
    return Number(value);
  };
  const state = {
    generation: next(),
    committedLength: next(),
    directoryOffset: next(),
    directoryLength: next(),
    indexOffset: next(),
  };
  const { indexOffset, directoryOffset, directoryLength, committedLength } = state;
  const ordered =
    indexOffset <= directoryOffset && directoryOffset + directoryLength <= committedLength;
  if (state.generation > 0 && !ordered) reader.fail("the index lies outside the committed length");
  return state;
}
