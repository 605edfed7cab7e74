// Takes a saved migration stream of QEMU apart (woven.ts): the pages of memory, and everything else
// as it stands. It understands no device, for their lengths are nowhere; it finds the memory, which
// is what there is to share. Lenient: what is odd is kept as it stands, up to the next part of the
// section "ram".
import { PAGE_BYTES } from "../../core/page.ts";
import { PieceReader } from "../../core/piecereader.ts";
import { Part as Section } from "../../qemu/stream.ts";
import { type ByteObserver, observed } from "../opened.ts";
import type { Part } from "../woven.ts";
import { placeBlocks } from "./machinememory.ts";
import {
  isMigration,
  RAM_START_BYTES,
  ramStartIn,
  readBlocks,
  readConfiguration,
  SECTION_BYTES,
} from "./migrationhead.ts";
import { isRecord, RamRecords } from "./migrationram.ts";
import { type Step, StreamWindow } from "./streamwindow.ts";

export interface MigrationOptions {
  readonly signal?: AbortSignal | undefined;
  readonly observer?: ByteObserver | undefined;
  /** Bytes in front of the stream that are none of it. */
  readonly prefixBytes?: number;
}

/** Some 250 pages with their headers. */
const WINDOW_BYTES = 1 << 20;
/** Configuration and list of blocks of real guests have some hundred bytes. */
const HEAD_BYTES = 64 << 10;
/** What is looked for is shorter, with what proves it. */
const SOUGHT_BYTES = SECTION_BYTES + 8 + 256;

/** The parts of a stream that comes in pieces of any size. Only reading fails, never the stream. */
export async function* migrationParts(
  bytes: AsyncIterable<Uint8Array>,
  options: MigrationOptions = {},
): AsyncGenerator<Part> {
  const { signal, observer, prefixBytes = 0 } = options;
  const reader = new PieceReader(observed(bytes, observer), signal);
  try {
    const window = new StreamWindow(WINDOW_BYTES);
    for (const step of walk(window, prefixBytes)) {
      if (step === "more") await window.fill(reader);
      else yield step;
    }
  } finally {
    await reader.close();
  }
}

function* walk(window: StreamWindow, prefixBytes: number): Generator<Step> {
  yield* window.pass(prefixBytes);
  const machine = yield* passHead(window);
  if (machine !== undefined && (yield* find(window, ramStart))) {
    yield* followRam(window, machine);
  }
  yield* window.pass(Infinity);
  yield* window.give();
}

/** Passes the configuration; the machine type, or undefined if the memory cannot be found. */
function* passHead(window: StreamWindow): Generator<Step, string | undefined> {
  yield* window.need(HEAD_BYTES);
  const head = window.bytes.subarray(window.at, window.end);
  if (!isMigration(head)) return;
  const { machine, pageBits = 12, byteLength } = readConfiguration(head);
  window.at += byteLength;
  return 2 ** pageBits === PAGE_BYTES ? machine : undefined;
}

/** All parts of the section "ram", of which the first begins here. */
function* followRam(window: StreamWindow, machine: string): Generator<Step> {
  yield* window.need(HEAD_BYTES);
  const id = Buffer.from(window.bytes.slice(window.at + 1, window.at + SECTION_BYTES));
  window.at += RAM_START_BYTES;
  const listed = readBlocks(window.bytes.subarray(0, window.end), window.at);
  if (listed) window.at = listed.end;
  const records = new RamRecords(window, placeBlocks(machine, listed?.blocks ?? []));
  while (yield* find(window, (w) => ramPart(w, id))) {
    const isEnd = window.bytes[window.at] === Section.END;
    window.at += SECTION_BYTES;
    const isWhole = yield* records.follow();
    // Only devices follow the last one.
    if (isEnd && isWhole) return;
  }
}

/** Passes everything up to what `search` finds; false if that does not come. */
function* find(
  window: StreamWindow,
  search: (window: StreamWindow) => number,
): Generator<Step, boolean> {
  for (;;) {
    yield* window.need(SOUGHT_BYTES);
    const found = search(window);
    if (found >= 0) {
      window.at = found;
      return true;
    }
    if (window.isLast) return false;
    // What stands at the end of the window may be its beginning.
    window.at = Math.max(window.at, window.end - SOUGHT_BYTES + 1);
  }
}

function ramStart({ bytes, at, end }: StreamWindow): number {
  return ramStartIn(bytes.subarray(0, end), at);
}

/** Where a part of the section `id` begins, or -1. */
function ramPart(window: StreamWindow, id: Buffer): number {
  const bytes = Buffer.from(window.bytes.buffer, 0, window.end);
  for (let from = window.at + 1; ; ) {
    const at = bytes.indexOf(id, from);
    if (at < 0) return -1;
    const type = bytes[at - 1];
    const isPart = type === Section.PART || type === Section.END;
    if (isPart && isRecord(window, at + id.length)) return at - 1;
    from = at + 1;
  }
}
