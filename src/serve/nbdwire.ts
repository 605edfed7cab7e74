// Messages of the second phase of NBD, as its document (doc/proto.md of the nbd project) draws
// them. All numbers are big-endian. Encoding and decoding only; what is answered is decided
// elsewhere.
//
//   request      u32 magic  u16 flags  u16 type  u64 cookie  u64 offset  u32 length
//   simple reply u32 magic  u32 error  u64 cookie  data
//   chunk        u32 magic  u16 flags  u16 type  u64 cookie  u32 length  payload

const REQUEST_MAGIC = 0x25609513;
const SIMPLE_REPLY_MAGIC = 0x67446698;
const CHUNK_MAGIC = 0x668e33ef;

export const REQUEST_BYTES = 28;
/** What strings may have at most. */
export const MAX_STRING_BYTES = 4096;
/** What every client may ask for at once. */
export const MAX_PAYLOAD_BYTES = 1 << 25;

export const Command = {
  READ: 0,
  WRITE: 1,
  DISC: 2,
  FLUSH: 3,
  TRIM: 4,
  CACHE: 5,
  WRITE_ZEROES: 6,
  BLOCK_STATUS: 7,
} as const;
/** Of BLOCK_STATUS: one extent is enough. */
export const FLAG_REQ_ONE = 1 << 3;
export const Fault = { EPERM: 1, EIO: 5, EINVAL: 22 } as const;
export const ChunkType = { NONE: 0, OFFSET_DATA: 1, BLOCK_STATUS: 5, ERROR: 2 ** 15 + 1 } as const;
const CHUNK_DONE = 1;
/** NBD_STATE_HOLE and NBD_STATE_ZERO. */
const ZERO_STATE = 3;

export interface Request {
  readonly flags: number;
  readonly type: number;
  readonly cookie: bigint;
  /** May be beyond what a number can tell exactly: such an offset is outside of every image. */
  readonly offset: bigint;
  readonly byteLength: number;
}

/** Undefined when it is none. */
export function decodeRequest(bytes: Buffer): Request | undefined {
  if (bytes.readUInt32BE(0) !== REQUEST_MAGIC) return undefined;
  return {
    flags: bytes.readUInt16BE(4),
    type: bytes.readUInt16BE(6),
    cookie: bytes.readBigUInt64BE(8),
    offset: bytes.readBigUInt64BE(16),
    byteLength: bytes.readUInt32BE(24),
  };
}

export function simpleReply(cookie: bigint, error: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt32BE(SIMPLE_REPLY_MAGIC, 0);
  bytes.writeUInt32BE(error, 4);
  bytes.writeBigUInt64BE(cookie, 8);
  return bytes;
}

function chunk(cookie: bigint, type: number, isLast: boolean, bodyBytes: number, room: number) {
  const bytes = Buffer.alloc(20 + room);
  bytes.writeUInt32BE(CHUNK_MAGIC, 0);
  bytes.writeUInt16BE(isLast ? CHUNK_DONE : 0, 4);
  bytes.writeUInt16BE(type, 6);
  bytes.writeBigUInt64BE(cookie, 8);
  bytes.writeUInt32BE(bodyBytes, 16);
  return bytes;
}

export function doneChunk(cookie: bigint): Buffer {
  return chunk(cookie, ChunkType.NONE, true, 0, 0);
}

/** What stands before `dataBytes` of content from `offset` on. */
export function dataChunk(cookie: bigint, offset: number, dataBytes: number, isLast: boolean) {
  const bytes = chunk(cookie, ChunkType.OFFSET_DATA, isLast, 8 + dataBytes, 8);
  bytes.writeBigUInt64BE(BigInt(offset), 20);
  return bytes;
}

export function errorChunk(cookie: bigint, error: number, message: string): Buffer {
  const text = Buffer.from(message).subarray(0, MAX_STRING_BYTES);
  const bytes = chunk(cookie, ChunkType.ERROR, true, 6 + text.length, 6 + text.length);
  bytes.writeUInt32BE(error, 20);
  bytes.writeUInt16BE(text.length, 24);
  bytes.set(text, 26);
  return bytes;
}

export function statusChunk(
  cookie: bigint,
  context: number,
  extents: readonly { byteLength: number; isZero: boolean }[],
): Buffer {
  const room = 4 + 8 * extents.length;
  const bytes = chunk(cookie, ChunkType.BLOCK_STATUS, true, room, room);
  bytes.writeUInt32BE(context, 20);
  extents.forEach(({ byteLength, isZero }, i) => {
    bytes.writeUInt32BE(byteLength, 24 + 8 * i);
    bytes.writeUInt32BE(isZero ? ZERO_STATE : 0, 28 + 8 * i);
  });
  return bytes;
}
