// What is in the heads of a session's frames (docs/session.md §3). Integers are varints.
import { ByteWriter } from "../core/bytes.ts";
import {
  MAX_CLUSTERS,
  MAX_GUESTS,
  MAX_NAME_BYTES,
  MAX_SESSION_HEAD_BYTES,
  MAX_SESSION_PAGES,
  MAX_SESSION_STREAM_BYTES,
} from "../core/limits.ts";
import { DIGEST_BYTES } from "../core/page.ts";
import { readDigests, readNumbers, writeNumbers } from "./rackheads.ts";
import { type PagesHead, RecordKind, readPagesHead, writePagesHead } from "./records.ts";
import { openHead, type SessionFrame } from "./sessionframe.ts";

export const SESSION_VERSION = 1;
/** Of sessions in which pages may be sent by name. */
export const RACK_SESSION_VERSION = 2;
const MAX_REASON_BYTES = 1024;
const FLAG_WITHHELD = 1;
const FLAG_PAGES = 2;
const FLAG_NAMES = 4;
const FLAG_SETTLES = 8;
const FLAG_ANSWER = 16;
const ALL_FLAGS = 31;
/** A key, or the name of a rack. */
const MAX_RACK_BYTES = 256;

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
  /**
   * Undefined where no page is sent by name. From the source the key of the scope, empty if it has
   * none; from the target the name of its rack, empty if it has none.
   */
  readonly rack?: Uint8Array | undefined;
}

export function encodeHello(hello: Hello): Uint8Array {
  const writer = new ByteWriter();
  writer.varint(hello.rack ? RACK_SESSION_VERSION : SESSION_VERSION);
  writer.string(hello.scope);
  writer.varint(hello.slotBytes);
  writer.varint(hello.creditBytes);
  writer.varint(hello.guests.length);
  for (const name of hello.guests) writer.string(name);
  if (hello.rack) writer.string(hello.rack);
  return writer.take();
}

export function decodeHello(frame: SessionFrame): Hello {
  const reader = openHead(frame);
  const version = reader.varint();
  if (version !== SESSION_VERSION && version !== RACK_SESSION_VERSION) {
    reader.fail(`version ${version} of the session, this is version ${RACK_SESSION_VERSION}`);
  }
  const scope = reader.string(MAX_NAME_BYTES);
  const slotBytes = reader.varint();
  const creditBytes = reader.varint();
  const guests: string[] = [];
  for (let count = reader.varint(MAX_GUESTS); count > 0; count--) {
    guests.push(reader.string(MAX_NAME_BYTES));
  }
  const rack = version === SESSION_VERSION ? undefined : reader.counted(MAX_RACK_BYTES).slice();
  reader.end();
  return { scope, slotBytes, creditBytes, guests, rack };
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
  /** Digests of the pages that are sent by name, which are SKIP in the runs; one after another. */
  readonly names?: Uint8Array | undefined;
  /** Whether all that was put off must be there before the script is played. */
  readonly settles?: boolean | undefined;
  /** Names whose content the pages are. The script is empty. */
  readonly answers?: readonly number[] | undefined;
}

export function encodeSessionBatch(batch: SessionBatch): Uint8Array {
  const writer = new ByteWriter(1024);
  const { names, answers, pages } = batch;
  let flags = batch.isWithheld ? FLAG_WITHHELD : 0;
  if (pages) flags |= FLAG_PAGES;
  if (names) flags |= FLAG_NAMES;
  if (batch.settles) flags |= FLAG_SETTLES;
  if (answers) flags |= FLAG_ANSWER;
  writer.varint(flags);
  writer.varint(batch.streamBytes);
  writer.varint(batch.firstKept);
  writer.string(batch.script);
  if (names) writer.string(names);
  if (answers) writeNumbers(writer, answers);
  if (pages) writePagesHead(writer, pages);
  return writer.take();
}

export function decodeSessionBatch(frame: SessionFrame): SessionBatch {
  const reader = openHead(frame);
  const flags = reader.varint(ALL_FLAGS);
  const streamBytes = reader.varint(MAX_SESSION_STREAM_BYTES);
  const firstKept = reader.varint(MAX_CLUSTERS);
  const script = reader.counted(MAX_SESSION_HEAD_BYTES);
  const isWithheld = (flags & FLAG_WITHHELD) !== 0;
  const settles = (flags & FLAG_SETTLES) !== 0;
  const part = { streamBytes, isWithheld, firstKept, script, settles };
  if ((flags & FLAG_PAGES) === 0) {
    if (frame.body.length > 0) reader.fail("a body without pages");
    if ((flags & (FLAG_NAMES | FLAG_ANSWER)) !== 0) reader.fail("names without pages");
    reader.end();
    return { ...part, pages: undefined };
  }
  const names = (flags & FLAG_NAMES) === 0 ? undefined : readDigests(reader, MAX_SESSION_PAGES);
  const answers = (flags & FLAG_ANSWER) === 0 ? undefined : readNumbers(reader);
  const pages = readPagesHead(reader, frame.body.length);
  if (pages.frameCount > MAX_SESSION_PAGES) reader.fail(`${pages.frameCount} pages`);
  if (pages.image !== frame.guest || pages.firstFrame !== 0) reader.fail("pages of another guest");
  const named = pages.runs.reduce(
    (n, run) => n + (run.kind === RecordKind.SKIP ? run.length : 0),
    0,
  );
  if (named * DIGEST_BYTES !== (names?.length ?? 0)) reader.fail(`${named} pages have no digest`);
  if (answers && streamBytes + script.length > 0) reader.fail("an answer that is part of a stream");
  if (answers && (answers.length !== pages.frameCount || named > 0)) {
    reader.fail(`${pages.frameCount} pages answer ${answers.length} names`);
  }
  return { ...part, pages, names, answers };
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
  const reader = openHead(frame);
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
  const reader = openHead(frame);
  const bytes = reader.counted(MAX_REASON_BYTES);
  reader.end();
  const text = new TextDecoder().decode(bytes);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ");
}
