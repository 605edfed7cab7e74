// Goes through the batches of an archive from the first to the last, without an index. Where a
// header or a head is damaged it finds the next batch that is intact and says what was left out.
import { Buffer } from "node:buffer";
import { PagefoldError } from "../core/errors.ts";
import {
  BATCH_HEADER_BYTES,
  type BatchHeader,
  batchName,
  decodeBatchHeader,
  decodeHead,
} from "../wire/batch.ts";
import type { Checksum } from "../wire/checksum.ts";
import type { ArchiveSeal } from "../wire/seal.ts";
import { STREAM_HEAD_BYTES } from "../wire/superblock.ts";
import type { ReadAhead } from "./bytesource.ts";

export interface WalkedBatch {
  /** "PAGES batch 12", for messages. */
  readonly what: string;
  readonly header: BatchHeader;
  readonly byteOffset: number;
  readonly bodyOffset: number;
  /** Where the next batch begins. */
  readonly endOffset: number;
  /** Inflated. */
  readonly head: Uint8Array;
}

export interface Walk {
  readonly bytes: ReadAhead;
  /** Where the last batch ends. */
  readonly end: number;
  readonly checksum: Checksum;
  readonly seal: ArchiveSeal | undefined;
  /** Told of everything that is not as it should be, one line each. */
  onFault(fault: string): void;
}

const MAGIC = Buffer.from("PFB1");
/** Bytes that are searched at a time. */
const SEARCH_BYTES = 1 << 20;
/** Bytes of false heads that one search may hash: batches inside of stored pages can be crafted. */
const SEARCH_HASHED_BYTES = 256 << 20;

/** All batches that are intact, in order. Throws only when reading fails. */
export async function* walkBatches(walk: Walk): AsyncGenerator<WalkedBatch> {
  let sequence = 0;
  for (let offset = STREAM_HEAD_BYTES; offset < walk.end; ) {
    const batch = await tryBatch(walk, offset);
    if (typeof batch === "string") {
      walk.onFault(batch);
      const next = await findNext(walk, offset, sequence);
      if (next === undefined) {
        walk.onFault(`bytes ${offset} to ${walk.end}: no batch can be read`);
        return;
      }
      walk.onFault(`bytes ${offset} to ${next.byteOffset}: not read`);
      sequence = next.header.sequence;
      offset = next.byteOffset;
      continue;
    }
    if (batch.header.sequence !== sequence) {
      walk.onFault(`${batch.what} at offset ${offset}: number ${sequence} was expected`);
    }
    sequence = batch.header.sequence + 1;
    offset = batch.endOffset;
    yield batch;
  }
}

/** The batch at `offset`, or why there is none. */
async function tryBatch(walk: Walk, offset: number): Promise<WalkedBatch | string> {
  try {
    const left = walk.end - offset;
    if (left < BATCH_HEADER_BYTES) return `batch at offset ${offset}: ${left} bytes are left`;
    const headerBytes = await walk.bytes.bytes(offset, BATCH_HEADER_BYTES);
    const header = decodeBatchHeader(headerBytes, offset);
    const what = batchName(header);
    const bodyOffset = offset + BATCH_HEADER_BYTES + header.headBytes;
    const endOffset = bodyOffset + header.bodyBytes;
    if (endOffset > walk.end) return `${what} at offset ${offset}: goes on to byte ${endOffset}`;
    const stored = await walk.bytes.bytes(offset + BATCH_HEADER_BYTES, header.headBytes);
    const head = decodeHead(header, headerBytes, stored, walk.checksum, walk.seal);
    return { what, header, byteOffset: offset, bodyOffset, endOffset, head };
  } catch (error) {
    if (error instanceof PagefoldError && error.code === "DAMAGED") return error.message;
    throw error;
  }
}

/** The next intact batch after the damaged one at `offset`, which had number `sequence`. */
async function findNext(
  walk: Walk,
  offset: number,
  sequence: number,
): Promise<WalkedBatch | undefined> {
  return (
    (await followLengths(walk, offset, sequence)) ?? (await searchMagic(walk, offset, sequence))
  );
}

/** Most damage leaves the lengths of the header alone: then the next batch is where they say. */
async function followLengths(
  walk: Walk,
  offset: number,
  sequence: number,
): Promise<WalkedBatch | undefined> {
  if (walk.end - offset < BATCH_HEADER_BYTES) return undefined;
  const header = await walk.bytes.bytes(offset, BATCH_HEADER_BYTES);
  const view = new DataView(header.buffer, header.byteOffset, BATCH_HEADER_BYTES);
  const bodyBytes = Number(view.getBigUint64(16, true));
  const next = offset + BATCH_HEADER_BYTES + view.getUint32(12, true) + bodyBytes;
  if (next + BATCH_HEADER_BYTES > walk.end) return undefined;
  const batch = await tryBatch(walk, next);
  return typeof batch !== "string" && batch.header.sequence === sequence + 1 ? batch : undefined;
}

/**
 * Stored pages may hold batches of other archives. A candidate counts only if its number could
 * have been reached: every batch before it took at least a header.
 */
async function searchMagic(
  walk: Walk,
  offset: number,
  sequence: number,
): Promise<WalkedBatch | undefined> {
  let hashedBytes = 0;
  for await (const candidate of magicOffsets(walk, offset + 1)) {
    const header = await walk.bytes.bytes(candidate, BATCH_HEADER_BYTES);
    const view = new DataView(header.buffer, header.byteOffset, BATCH_HEADER_BYTES);
    const ahead = view.getUint32(8, true) - sequence;
    if (ahead < 1 || ahead > (candidate - offset) / BATCH_HEADER_BYTES) continue;
    const batch = await tryBatch(walk, candidate);
    if (typeof batch !== "string") return batch;
    hashedBytes += Math.min(view.getUint32(12, true), walk.end - candidate);
    if (hashedBytes > SEARCH_HASHED_BYTES) return undefined;
  }
  return undefined;
}

/** Where a header could begin, from `from` on. */
async function* magicOffsets(walk: Walk, from: number): AsyncGenerator<number> {
  const lastOffset = walk.end - BATCH_HEADER_BYTES;
  for (let at = from; at <= lastOffset; ) {
    const length = Math.min(SEARCH_BYTES, walk.end - at);
    const piece = await walk.bytes.bytes(at, length);
    const searched = Buffer.from(piece.buffer, piece.byteOffset, length);
    for (let found = searched.indexOf(MAGIC); found >= 0; ) {
      if (at + found <= lastOffset) yield at + found;
      found = searched.indexOf(MAGIC, found + 1);
    }
    at += length - MAGIC.length + 1;
  }
}
