// What is in the heads of a session's frames (docs/session.md §3). Integers are varints.
import { ByteReader, ByteWriter } from "../core/bytes.ts";
import {
  MAX_CLUSTERS,
  MAX_GUESTS,
  MAX_NAME_BYTES,
  MAX_SESSION_HEAD_BYTES,
  MAX_SESSION_PAGES,
  MAX_SESSION_STREAM_BYTES,
} from "../core/limits.ts";
import { type PagesHead, readPagesHead, writePagesHead } from "./records.ts";
import { frameName, type SessionFrame } from "./sessionframe.ts";

export const SESSION_VERSION = 1;
const MAX_REASON_BYTES = 1024;
const FLAG_WITHHELD = 1;
const FLAG_PAGES = 2;

/** What each side says first. */
export interface Hello {
  /** Who may share content; both sides must say the same. */
  readonly scope: string;
  /** Bytes of clusters: that the source would like kept, that the target will keep. */
  readonly slotBytes: number;
  /** Bytes of a guest's stream that may be under way (target), 0 (source). */
  readonly creditBytes: number;
  /** Guests by number: that the source will send, and in the answer that the target expects. */
  readonly guests: readonly string[];
}

export function encodeHello(hello: Hello): Uint8Array {
  const writer = new ByteWriter();
  writer.varint(SESSION_VERSION);
  writer.string(hello.scope);
  writer.varint(hello.slotBytes);
  writer.varint(hello.creditBytes);
  writer.varint(hello.guests.length);
  for (const name of hello.guests) writer.string(name);
  return writer.take();
}

export function decodeHello(frame: SessionFrame): Hello {
  const reader = open(frame);
  const version = reader.varint();
  if (version !== SESSION_VERSION) {
    reader.fail(`version ${version} of the session, this is version ${SESSION_VERSION}`);
  }
  const scope = reader.string(MAX_NAME_BYTES);
  const slotBytes = reader.varint();
  const creditBytes = reader.varint();
  const guests: string[] = [];
  for (let count = reader.varint(MAX_GUESTS); count > 0; count--) {
    guests.push(reader.string(MAX_NAME_BYTES));
  }
  reader.end();
  return { scope, slotBytes, creditBytes, guests };
}

/** Part of a guest's stream: a script, and the pages that it takes from clusters. */
export interface SessionBatch {
  /** Bytes of the stream that it stands for. */
  readonly streamBytes: number;
  /** True if they must not reach the guest before COMMIT. */
  readonly isWithheld: boolean;
  /** Clusters below this number will not be named again. */
  readonly firstKept: number;
  readonly script: Uint8Array;
  /** Undefined for a batch without pages. `image` is the guest, frames count from 0. */
  readonly pages: PagesHead | undefined;
}

export function encodeSessionBatch(batch: SessionBatch): Uint8Array {
  const writer = new ByteWriter(1024);
  const flags = (batch.isWithheld ? FLAG_WITHHELD : 0) | (batch.pages ? FLAG_PAGES : 0);
  writer.varint(flags);
  writer.varint(batch.streamBytes);
  writer.varint(batch.firstKept);
  writer.string(batch.script);
  if (batch.pages) writePagesHead(writer, batch.pages);
  return writer.take();
}

export function decodeSessionBatch(frame: SessionFrame): SessionBatch {
  const reader = open(frame);
  const flags = reader.varint(FLAG_WITHHELD | FLAG_PAGES);
  const streamBytes = reader.varint(MAX_SESSION_STREAM_BYTES);
  const firstKept = reader.varint(MAX_CLUSTERS);
  const script = reader.counted(MAX_SESSION_HEAD_BYTES);
  const isWithheld = (flags & FLAG_WITHHELD) !== 0;
  if ((flags & FLAG_PAGES) === 0) {
    if (frame.body.length > 0) reader.fail("a body without pages");
    reader.end();
    return { streamBytes, isWithheld, firstKept, script, pages: undefined };
  }
  const pages = readPagesHead(reader, frame.body.length);
  if (pages.frameCount > MAX_SESSION_PAGES) reader.fail(`${pages.frameCount} pages`);
  if (pages.image !== frame.guest || pages.firstFrame !== 0) reader.fail("pages of another guest");
  return { streamBytes, isWithheld, firstKept, script, pages };
}

/** Where a stream stands: PREPARE, PREPARED, CREDIT (whose hash is 0). */
export interface StreamMark {
  readonly streamBytes: number;
  /** XXH64 of all of them. */
  readonly hash: bigint;
}

export function encodeMark(mark: StreamMark): Uint8Array {
  const writer = new ByteWriter(16);
  writer.varint(mark.streamBytes);
  writer.u64(mark.hash);
  return writer.take();
}

export function decodeMark(frame: SessionFrame): StreamMark {
  const reader = open(frame);
  const streamBytes = reader.varint();
  const hash = reader.u64();
  reader.end();
  return { streamBytes, hash };
}

/** Why a guest was aborted, or a session ends. */
export function encodeReason(reason: string): Uint8Array {
  const bytes = new TextEncoder().encode(reason).subarray(0, MAX_REASON_BYTES);
  const writer = new ByteWriter(bytes.length + 8);
  writer.string(bytes);
  return writer.take();
}

/** For messages: what a peer says is cut to one line that cannot move a cursor. */
export function decodeReason(frame: SessionFrame): string {
  const reader = open(frame);
  const bytes = reader.counted(MAX_REASON_BYTES);
  reader.end();
  const text = new TextDecoder().decode(bytes);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ");
}

function open(frame: SessionFrame): ByteReader {
  return new ByteReader(frame.head, `session: ${frameName(frame)}`);
}
