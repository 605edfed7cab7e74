// The frame around every record of a session between two pagefolds (docs/session.md): a 32-byte
// header with a checksum of itself and of the head, the head, and a body of clusters, which carry
// checksums of their own. What is in a head is sessionheads.ts.
//
//    0  u32  magic "PFS1"          4  u8   type          5  u8  0        6  u16  guest
//    8  u32  sequence             12  u32  bytes of the head
//   16  u32  bytes of the body    20  u32  0
//   24  u64  XXH64 of bytes 0–23 and the head
import { ByteReader } from "../core/bytes.ts";
import { PagefoldError } from "../core/errors.ts";
import { MAX_SESSION_BODY_BYTES, MAX_SESSION_HEAD_BYTES } from "../core/limits.ts";
import type { PieceReader } from "../core/piecereader.ts";
import type { Checksum } from "./checksum.ts";

export const SESSION_HEADER_BYTES = 32;
const MAGIC = 0x31534650;
const CHECKSUM_OFFSET = 24;
const NO_BODY = new Uint8Array(0);

/** S: from source to target, T: from target to source. */
export const SessionType = {
  /** Both, first of all. */
  HELLO: 1,
  /** S: part of the stream of a guest. */
  BATCH: 2,
  /** T: bytes of a guest's return path. */
  RETURN: 3,
  /** T: how much of a guest's stream was taken from the session's hands. */
  CREDIT: 4,
  PING: 5,
  PONG: 6,
  /** S: the hash of all bytes so far; everything that decides was sent. */
  PREPARE: 7,
  /** T: the same hash was found. */
  PREPARED: 8,
  /** S: the target owns the guest now. */
  COMMIT: 9,
  /** S: the stream has ended. T: the return path has. */
  END: 10,
  /** A guest's migration has failed; the session goes on. */
  ABORT: 11,
  /** Nothing more will come. */
  BYE: 12,
  /** P (a primary that is replicated): which guest it is, first of all. */
  PRIMARY: 13,
  /** B (its backup): the last epoch that is durable there. */
  BACKUP: 14,
  /** P: part of an epoch. */
  EPOCH: 15,
  /** P: the epoch is complete, and the checksum of the memory that it makes. */
  SEAL: 16,
  /** B: the epoch is durable. */
  STORED: 17,
  /** S: these pages of the slots are wanted in the rack's store. */
  SHARE: 18,
  /** T: these are there. */
  SHARED: 19,
  /** T: the content of these names cannot be had here. */
  MISSING: 20,
  /** T: these names are not needed any more. */
  RESOLVED: 21,
} as const;
export type SessionType = (typeof SessionType)[keyof typeof SessionType];

const TYPE_NAMES = Object.keys(SessionType);

export interface SessionFrame {
  readonly type: SessionType;
  readonly guest: number;
  readonly sequence: number;
  readonly head: Uint8Array;
  readonly body: Uint8Array;
}

/** "BATCH 12 of guest 3", for messages. */
export function frameName(frame: Pick<SessionFrame, "type" | "guest" | "sequence">): string {
  return `${TYPE_NAMES[frame.type - 1]} ${frame.sequence} of guest ${frame.guest}`;
}

/** Reads the head of a frame. */
export function openHead(frame: SessionFrame): ByteReader {
  return new ByteReader(frame.head, `session: ${frameName(frame)}`);
}

/** Header and head of a frame, to be followed by `bodyBytes` of body. */
export function encodeSessionFrame(
  type: SessionType,
  guest: number,
  sequence: number,
  head: Uint8Array,
  bodyBytes: number,
  checksum: Checksum,
): Uint8Array<ArrayBuffer> {
  if (head.length > MAX_SESSION_HEAD_BYTES) throw new Error(`a head of ${head.length} bytes`);
  const bytes = new Uint8Array(SESSION_HEADER_BYTES + head.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint8(4, type);
  view.setUint16(6, guest, true);
  view.setUint32(8, sequence, true);
  view.setUint32(12, head.length, true);
  view.setUint32(16, bodyBytes, true);
  bytes.set(head, SESSION_HEADER_BYTES);
  const sum = checksum(bytes.subarray(0, CHECKSUM_OFFSET), head);
  view.setBigUint64(CHECKSUM_OFFSET, sum, true);
  return bytes;
}

/** Reads frames one after another and holds no more than one of them. */
export class SessionFrameReader {
  private readonly pieces: PieceReader;
  private readonly checksum: Checksum;
  private sequence = 0;
  private room: Uint8Array | undefined;

  constructor(pieces: PieceReader, checksum: Checksum) {
    this.pieces = pieces;
    this.checksum = checksum;
  }

  /** The next frame, valid until the next call; undefined at the end. Throws DAMAGED. */
  async next(): Promise<SessionFrame | undefined> {
    // Copies, whatever a piece is: the slice of a Buffer is a view.
    const header = new Uint8Array(await this.pieces.take(SESSION_HEADER_BYTES));
    if (header.length === 0) return undefined;
    if (header.length < SESSION_HEADER_BYTES) throw damage("it ends in a header");
    const view = new DataView(header.buffer);
    if (view.getUint32(0, true) !== MAGIC) throw damage("this is not a pagefold session");
    const type = view.getUint8(4);
    if (type < 1 || type > TYPE_NAMES.length) throw damage(`record type ${type} is not known`);
    const guest = view.getUint16(6, true);
    const sequence = view.getUint32(8, true);
    const name = frameName({ type: type as SessionType, guest, sequence });
    if (sequence !== this.sequence) throw damage(`${name}: number ${this.sequence} was expected`);
    this.sequence = (sequence + 1) >>> 0;
    const headBytes = view.getUint32(12, true);
    const bodyBytes = view.getUint32(16, true);
    if (headBytes > MAX_SESSION_HEAD_BYTES) throw damage(`${name}: a head of ${headBytes} bytes`);
    const hasBody = type === SessionType.BATCH || type === SessionType.EPOCH;
    const bodyLimit = hasBody ? MAX_SESSION_BODY_BYTES : 0;
    if (bodyBytes > bodyLimit) throw damage(`${name}: a body of ${bodyBytes} bytes`);
    if (view.getUint8(5) !== 0 || view.getUint32(20, true) !== 0) {
      throw damage(`${name}: reserved bytes are not zero`);
    }
    const head = new Uint8Array(await this.pieces.take(headBytes));
    if (head.length < headBytes) throw damage(`${name}: it ends in the head`);
    const sum = this.checksum(header.subarray(0, CHECKSUM_OFFSET), head);
    if (sum !== view.getBigUint64(CHECKSUM_OFFSET, true)) throw damage(`${name}: wrong checksum`);
    const body = await this.takeBody(bodyBytes);
    if (body.length < bodyBytes) throw damage(`${name}: it ends in the body`);
    return { type: type as SessionType, guest, sequence, head, body };
  }

  /** Bodies lie in one buffer that is used again: garbage of this size is dear. */
  private async takeBody(byteLength: number): Promise<Uint8Array> {
    if (byteLength === 0) return NO_BODY;
    this.room ??= new Uint8Array(MAX_SESSION_BODY_BYTES);
    const body = this.room.subarray(0, byteLength);
    return body.subarray(0, await this.pieces.takeInto(body));
  }
}

function damage(reason: string): PagefoldError {
  return new PagefoldError("DAMAGED", `session: ${reason}`);
}
