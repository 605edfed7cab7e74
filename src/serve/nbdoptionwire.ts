// Messages of the first phase of NBD, from the greeting to the choice of an export, as its document
// (doc/proto.md of the nbd project) draws them. All numbers are big-endian.
//
//   option       u64 IHAVEOPT  u32 option  u32 length  data
//   its reply    u64 magic  u32 option  u32 type  u32 length  data
import { MAX_PAYLOAD_BYTES, MAX_STRING_BYTES } from "./nbdwire.ts";

const NBDMAGIC = 0x4e42444d41474943n;
const IHAVEOPT = 0x49484156454f5054n;
const OPTION_REPLY_MAGIC = 0x3e889045565a9n;

export const OPTION_HEAD_BYTES = 16;

export const HandshakeFlag = { FIXED_NEWSTYLE: 1, NO_ZEROES: 2 } as const;
export const TransmissionFlag = {
  HAS_FLAGS: 1,
  READ_ONLY: 1 << 1,
  SEND_FLUSH: 1 << 2,
  CAN_MULTI_CONN: 1 << 8,
  SEND_CACHE: 1 << 10,
} as const;
export const Option = {
  EXPORT_NAME: 1,
  ABORT: 2,
  LIST: 3,
  STARTTLS: 5,
  INFO: 6,
  GO: 7,
  STRUCTURED_REPLY: 8,
  LIST_META_CONTEXT: 9,
  SET_META_CONTEXT: 10,
} as const;
export const Reply = {
  ACK: 1,
  SERVER: 2,
  INFO: 3,
  META_CONTEXT: 4,
  ERR_UNSUP: 2 ** 31 + 1,
  ERR_POLICY: 2 ** 31 + 2,
  ERR_INVALID: 2 ** 31 + 3,
  ERR_TLS_REQD: 2 ** 31 + 5,
  ERR_UNKNOWN: 2 ** 31 + 6,
  ERR_TOO_BIG: 2 ** 31 + 9,
} as const;
export const InfoType = { EXPORT: 0, NAME: 1, BLOCK_SIZE: 3 } as const;

export function greeting(): Buffer {
  const bytes = Buffer.alloc(18);
  bytes.writeBigUInt64BE(NBDMAGIC, 0);
  bytes.writeBigUInt64BE(IHAVEOPT, 8);
  bytes.writeUInt16BE(HandshakeFlag.FIXED_NEWSTYLE | HandshakeFlag.NO_ZEROES, 16);
  return bytes;
}

/** Undefined when it is none. */
export function decodeOptionHead(
  bytes: Buffer,
): { option: number; byteLength: number } | undefined {
  if (bytes.readBigUInt64BE(0) !== IHAVEOPT) return undefined;
  return { option: bytes.readUInt32BE(8), byteLength: bytes.readUInt32BE(12) };
}

export function optionReply(option: number, type: number, body: Uint8Array = Buffer.alloc(0)) {
  const head = Buffer.alloc(20);
  head.writeBigUInt64BE(OPTION_REPLY_MAGIC, 0);
  head.writeUInt32BE(option, 8);
  head.writeUInt32BE(type, 12);
  head.writeUInt32BE(body.length, 16);
  return Buffer.concat([head, body]);
}

/** What EXPORT_NAME is answered with. */
export function exportAnswer(byteLength: number, flags: number, hasZeroes: boolean): Buffer {
  const bytes = Buffer.alloc(hasZeroes ? 134 : 10);
  bytes.writeBigUInt64BE(BigInt(byteLength), 0);
  bytes.writeUInt16BE(flags, 8);
  return bytes;
}

export function exportDetails(byteLength: number, flags: number): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt16BE(InfoType.EXPORT, 0);
  bytes.writeBigUInt64BE(BigInt(byteLength), 2);
  bytes.writeUInt16BE(flags, 10);
  return bytes;
}

export function nameDetails(name: string): Buffer {
  const bytes = Buffer.from(`\0\0${name}`);
  bytes.writeUInt16BE(InfoType.NAME, 0);
  return bytes;
}

/** Images end at any byte, so any byte may be asked for; whole pages cost least. */
export function blockSizes(preferredBytes: number): Buffer {
  const bytes = Buffer.alloc(14);
  bytes.writeUInt16BE(InfoType.BLOCK_SIZE, 0);
  bytes.writeUInt32BE(1, 2);
  bytes.writeUInt32BE(preferredBytes, 6);
  bytes.writeUInt32BE(MAX_PAYLOAD_BYTES, 10);
  return bytes;
}

/** A string with its length before it. */
export function encodeString(text: string): Buffer {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

export function contextReply(option: number, id: number, name: string): Buffer {
  const bytes = Buffer.from(`\0\0\0\0${name}`);
  bytes.writeUInt32BE(id, 0);
  return optionReply(option, Reply.META_CONTEXT, bytes);
}

/** The name and the wanted types of INFO and GO; undefined when the data is malformed. */
export function decodeInfo(bytes: Buffer): { name: string; wanted: number[] } | undefined {
  const found = takeString(bytes, 0);
  if (!found || found.end + 2 > bytes.length) return undefined;
  const count = bytes.readUInt16BE(found.end);
  if (found.end + 2 + 2 * count !== bytes.length) return undefined;
  const wanted = Array.from({ length: count }, (_, i) => bytes.readUInt16BE(found.end + 2 + 2 * i));
  return { name: found.text, wanted };
}

/** The name and the queries of an option of metadata; undefined when the data is malformed. */
export function decodeQueries(bytes: Buffer): { name: string; queries: string[] } | undefined {
  const found = takeString(bytes, 0);
  if (!found || found.end + 4 > bytes.length) return undefined;
  const count = bytes.readUInt32BE(found.end);
  const queries: string[] = [];
  let at = found.end + 4;
  for (let i = 0; i < count; i++) {
    const query = takeString(bytes, at);
    if (!query) return undefined;
    queries.push(query.text);
    at = query.end;
  }
  return at === bytes.length ? { name: found.text, queries } : undefined;
}

function takeString(bytes: Buffer, at: number): { text: string; end: number } | undefined {
  if (at + 4 > bytes.length) return undefined;
  const length = bytes.readUInt32BE(at);
  const end = at + 4 + length;
  if (length > MAX_STRING_BYTES || end > bytes.length) return undefined;
  return { text: bytes.toString("utf8", at + 4, end), end };
}
