// The frame around everything in a stream: a 64-byte header with the checksum of itself and of the
// head, the head, and for PAGES a body of clusters that carry checksums of their own
// (docs/format.md §1.2). The directory is deflated here, and heads are sealed. What is in a head is
// records.ts, imagehead.ts and indexhead.ts.
import { deflateSync, inflateSync } from "fflate";
import { PagefoldError } from "../core/errors.ts";
import { MAX_HEAD_BYTES } from "../core/limits.ts";
import { SESSION_NONCE_BYTES, TAG_BYTES } from "../core/seal.ts";
import type { Checksum } from "./checksum.ts";
import { type ArchiveSeal, CIPHER_AES_256_GCM, CIPHER_NONE, type WritingSession } from "./seal.ts";

export const BATCH_HEADER_BYTES = 64;

export const BatchType = {
  IMAGE: 1,
  PAGES: 2,
  END: 3,
  LEAF: 4,
  PLACES: 5,
  CONTENTS: 6,
  DIRECTORY: 7,
  FOOTER: 8,
} as const;
export type BatchType = (typeof BatchType)[keyof typeof BatchType];

const TYPE_NAMES = Object.keys(BatchType);
const MAGIC = 0x31424650; // "PFB1"
const FLAG_DEFLATED = 1;
const NONCE_OFFSET = 24;
const RESERVED_OFFSET = NONCE_OFFSET + SESSION_NONCE_BYTES;
const CHECKSUM_OFFSET = 56;

/** What stands in a batch header. */
export interface BatchHeader {
  readonly type: BatchType;
  readonly byteOffset: number;
  readonly sequence: number;
  /** Of the session that sealed it; undefined: it is not sealed. */
  readonly nonce: Uint8Array | undefined;
  readonly deflated: boolean;
  readonly headBytes: number;
  readonly bodyBytes: number;
  readonly checksum: bigint;
}

/** "PAGES batch 12", for messages. */
export function batchName(header: Pick<BatchHeader, "type" | "sequence">): string {
  return `${TYPE_NAMES[header.type - 1]} batch ${header.sequence}`;
}

/** With what a batch is sealed, and where it will lie. */
export interface BatchSealing {
  readonly session: WritingSession;
  readonly byteOffset: number;
}

/** Header and head of a batch, ready to be written before its body. */
export function encodeBatch(
  type: BatchType,
  sequence: number,
  head: Uint8Array,
  bodyBytes: number,
  checksum: Checksum,
  sealing?: BatchSealing,
): Uint8Array<ArrayBuffer> {
  const open = isDeflated(type) ? deflateHead(head) : head;
  const headBytes = open.length + (sealing ? TAG_BYTES : 0);
  if (headBytes > MAX_HEAD_BYTES) throw new Error(`a head of ${headBytes} bytes`);
  const bytes = new Uint8Array(BATCH_HEADER_BYTES + headBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint8(4, type);
  view.setUint8(5, sealing ? CIPHER_AES_256_GCM : CIPHER_NONE);
  view.setUint16(6, isDeflated(type) ? FLAG_DEFLATED : 0, true);
  view.setUint32(8, sequence, true);
  view.setUint32(12, headBytes, true);
  view.setBigUint64(16, BigInt(bodyBytes), true);
  if (sealing) bytes.set(sealing.session.nonce, NONCE_OFFSET);
  const stored = sealing
    ? sealing.session.sealHead(sequence, open, boundTo(bytes, sealing.byteOffset))
    : open;
  bytes.set(stored, BATCH_HEADER_BYTES);
  const sum = checksum(bytes.subarray(0, CHECKSUM_OFFSET), bytes.subarray(BATCH_HEADER_BYTES));
  view.setBigUint64(CHECKSUM_OFFSET, sum, true);
  return bytes;
}

/** Reads a header; its checksum can only be tested once the head is there (`decodeHead`). */
export function decodeBatchHeader(bytes: Uint8Array, offset: number): BatchHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, BATCH_HEADER_BYTES);
  const fail = (reason: string): never => {
    throw new PagefoldError("DAMAGED", `batch at offset ${offset}: ${reason}`);
  };
  if (view.getUint32(0, true) !== MAGIC) fail("no batch begins here");
  const type = view.getUint8(4);
  if (type < 1 || type > TYPE_NAMES.length) fail(`type ${type} is not known`);
  const cipher = view.getUint8(5);
  if (cipher !== CIPHER_NONE && cipher !== CIPHER_AES_256_GCM)
    fail(`cipher ${cipher} is not known`);
  const flags = view.getUint16(6, true);
  if (flags !== (isDeflated(type as BatchType) ? FLAG_DEFLATED : 0)) fail(`flags ${flags}`);
  const headBytes = view.getUint32(12, true);
  if (headBytes > MAX_HEAD_BYTES) fail(`a head of ${headBytes} bytes, limit ${MAX_HEAD_BYTES}`);
  const bodyBytes = view.getBigUint64(16, true);
  if (bodyBytes > BigInt(Number.MAX_SAFE_INTEGER)) fail(`a body of ${bodyBytes} bytes`);
  if (type !== BatchType.PAGES && bodyBytes !== 0n) fail(`a body of ${bodyBytes} bytes`);
  const reservedOffset = cipher === CIPHER_NONE ? NONCE_OFFSET : RESERVED_OFFSET;
  for (let i = reservedOffset; i < CHECKSUM_OFFSET; i += 8) {
    if (view.getBigUint64(i, true) !== 0n) fail("reserved bytes are not zero");
  }
  const nonce = cipher === CIPHER_NONE ? undefined : bytes.slice(NONCE_OFFSET, RESERVED_OFFSET);
  return {
    type: type as BatchType,
    byteOffset: offset,
    nonce,
    sequence: view.getUint32(8, true),
    deflated: flags === FLAG_DEFLATED,
    headBytes,
    bodyBytes: Number(bodyBytes),
    checksum: view.getBigUint64(CHECKSUM_OFFSET, true),
  };
}

/**
 * Tests the checksum over header and head, opens the head if the archive is sealed, and inflates it
 * if need be.
 */
export function decodeHead(
  header: BatchHeader,
  headerBytes: Uint8Array,
  stored: Uint8Array,
  checksum: Checksum,
  seal: ArchiveSeal | undefined,
): Uint8Array {
  const what = batchName(header);
  if (checksum(headerBytes.subarray(0, CHECKSUM_OFFSET), stored) !== header.checksum) {
    throw new PagefoldError("DAMAGED", `${what}: wrong checksum`);
  }
  const head = openHead(header, headerBytes, stored, seal);
  return header.deflated ? inflateHead(head, what) : head;
}

function openHead(
  header: BatchHeader,
  headerBytes: Uint8Array,
  stored: Uint8Array,
  seal: ArchiveSeal | undefined,
): Uint8Array {
  const { nonce, sequence, byteOffset } = header;
  const fail = (reason: string): never => {
    throw new PagefoldError("DAMAGED", `${batchName(header)}: ${reason}`);
  };
  if (!seal && !nonce) return stored;
  if (!seal) return fail("is sealed, and the archive is not");
  if (!nonce) return fail("is not sealed, and the archive is");
  const bound = boundTo(headerBytes, byteOffset);
  return seal.openHead(nonce, sequence, stored, bound) ?? fail("is not the one that belongs there");
}

/** What a sealed head is bound to: its header, with its place where the checksum will be. */
function boundTo(headerBytes: Uint8Array, byteOffset: number): Uint8Array {
  const bound = new Uint8Array(BATCH_HEADER_BYTES);
  bound.set(headerBytes.subarray(0, CHECKSUM_OFFSET));
  new DataView(bound.buffer).setBigUint64(CHECKSUM_OFFSET, BigInt(byteOffset), true);
  return bound;
}

/** Names and notes deflate well; leaves and places are dense, and many. */
function isDeflated(type: BatchType): boolean {
  return type === BatchType.DIRECTORY;
}

function deflateHead(head: Uint8Array): Uint8Array {
  const packed = deflateSync(head, { level: 1 });
  const stored = new Uint8Array(4 + packed.length);
  new DataView(stored.buffer).setUint32(0, head.length, true);
  stored.set(packed, 4);
  return stored;
}

function inflateHead(stored: Uint8Array, what: string): Uint8Array {
  const view = new DataView(stored.buffer, stored.byteOffset, stored.byteLength);
  const length = stored.length < 4 ? 0 : view.getUint32(0, true);
  if (stored.length < 4 || length > MAX_HEAD_BYTES) {
    throw new PagefoldError("DAMAGED", `${what}: inflates to ${length} bytes`);
  }
  try {
    // One byte of room more than allowed: a stream that goes on is found out by filling it.
    const head = inflateSync(stored.subarray(4), { out: new Uint8Array(length + 1) });
    if (head.length === length) return head;
  } catch {}
  throw new PagefoldError("DAMAGED", `${what}: the head does not inflate to ${length} bytes`);
}
