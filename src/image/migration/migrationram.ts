// The records of a part of the section "ram" in a saved migration stream. Runs of pages are moved
// together in the window, over the headers between them, and given as one part. Records that stand
// for memory in another way (XBZRLE, compressed) are kept as they stand.
import { PAGE_BYTES } from "../../core/page.ts";
import { RAM_FLAGS, RAM_HEADER_BYTES, Ram, XBZRLE_ENCODING } from "../../qemu/stream.ts";
import { addressOf, type PlacedBlock } from "./machinememory.ts";
import { nameAt } from "./migrationhead.ts";
import type { Step, StreamWindow } from "./streamwindow.ts";

const NEXT_PAGE = Ram.PAGE | Ram.CONTINUE;
const NEXT_ZERO = Ram.ZERO | Ram.CONTINUE;
const PAGE_RECORD_BYTES = RAM_HEADER_BYTES + PAGE_BYTES;
const ZERO_RECORD_BYTES = RAM_HEADER_BYTES + 1;
/** Offsets stay below 2^53. */
const HIGH_LIMIT = 2 ** 21;
const KINDS: readonly number[] = [Ram.ZERO, Ram.PAGE, Ram.XBZRLE, Ram.COMPRESS_PAGE];
/** What records are called that hold memory and are not taken apart. */
const HIDDEN: Readonly<Record<number, string>> = {
  [Ram.ZERO]: "pages filled with one byte",
  [Ram.XBZRLE]: "XBZRLE-encoded pages",
  [Ram.COMPRESS_PAGE]: "compressed pages",
};
/** An encoded page is not longer than a page, a compressed one hardly. */
const MAX_COMPRESSED_BYTES = 2 * PAGE_BYTES;
/** Header, name, length, content. */
const LONGEST_RECORD = RAM_HEADER_BYTES + 256 + 4 + MAX_COMPRESSED_BYTES;

/** Whether a record of RAM may stand at `at`; what is not there says no. */
export function isRecord({ bytes, view, end }: StreamWindow, at: number): boolean {
  if (at + RAM_HEADER_BYTES >= end || view.getUint32(at) >= HIGH_LIMIT) return false;
  const low = view.getUint32(at + 4);
  const flags = low & RAM_FLAGS;
  if (flags === Ram.EOS || flags === Ram.MULTIFD_FLUSH) return low === flags;
  if (!KINDS.includes(flags & ~Ram.CONTINUE)) return false;
  return (flags & Ram.CONTINUE) !== 0 || nameAt(bytes, at + RAM_HEADER_BYTES) !== undefined;
}

export class RamRecords {
  private readonly window: StreamWindow;
  private readonly placed: ReadonlyMap<string, PlacedBlock>;
  /** The block of records that name none. */
  private block: PlacedBlock | undefined;

  /** `placed` is empty if the stream does not tell its blocks. */
  constructor(window: StreamWindow, placed: ReadonlyMap<string, PlacedBlock>) {
    this.window = window;
    this.placed = placed;
  }

  /** Follows records to what ends the part; false if that is lost before. */
  *follow(): Generator<Step, boolean> {
    const { window } = this;
    for (;;) {
      yield* this.runs();
      if (window.left < LONGEST_RECORD && !window.isLast) {
        yield* window.need(LONGEST_RECORD);
        continue;
      }
      if (!isRecord(window, window.at)) return false;
      const flags = window.view.getUint32(window.at + 4) & RAM_FLAGS;
      if (flags === Ram.EOS || flags === Ram.MULTIFD_FLUSH) {
        window.at += RAM_HEADER_BYTES;
        if (flags === Ram.EOS) return true;
      } else if (!(yield* this.single(flags))) return false;
    }
  }

  /** The hot loop: pages and zero pages of the same block, as far as they are in the window. */
  private *runs(): Generator<Step> {
    const { window, block } = this;
    if (block === undefined) return;
    const { view } = window;
    while (window.at + ZERO_RECORD_BYTES <= window.end) {
      const { at } = window;
      const high = view.getUint32(at);
      const low = view.getUint32(at + 4);
      const flags = low & RAM_FLAGS;
      const first = high * 2 ** 32 + low;
      const offset = first - flags;
      if (offset >= block.byteLength || high >= HIGH_LIMIT) return;
      const place = { address: addressOf(block, offset), block: block.block };
      const limit = offset < block.splitOffset ? block.splitOffset : block.byteLength;
      const most = (Math.min(limit, block.byteLength) - offset) / PAGE_BYTES;
      if (flags === NEXT_PAGE && this.hasPage()) {
        yield* window.give();
        const pages = this.pageRun(most);
        yield { kind: "pages", pages, form: { as: "counted", first }, ...place };
      } else if (flags === NEXT_ZERO && window.bytes[at + RAM_HEADER_BYTES] === 0) {
        yield* window.give();
        const pageCount = this.zeroRun(most);
        yield { kind: "zeros", pageCount, form: { as: "counted", first }, ...place };
      } else return;
    }
  }

  /** Whether a page is there behind a header. */
  private hasPage(): boolean {
    return this.window.left >= PAGE_RECORD_BYTES;
  }

  /** Passes the run that begins here, of up to `most` pages; they stand one after another then. */
  private pageRun(most: number): Uint8Array {
    const { window } = this;
    const { bytes, view, at } = window;
    const high = view.getUint32(at);
    const last = window.end - PAGE_RECORD_BYTES;
    const from = at + RAM_HEADER_BYTES;
    let to = from + PAGE_BYTES;
    let next = to;
    let low = view.getUint32(at + 4) + PAGE_BYTES;
    for (let left = most - 1; left > 0 && next <= last; left--) {
      if (view.getUint32(next + 4) !== low || view.getUint32(next) !== high) break;
      bytes.copyWithin(to, next + RAM_HEADER_BYTES, next + PAGE_RECORD_BYTES);
      to += PAGE_BYTES;
      next += PAGE_RECORD_BYTES;
      low += PAGE_BYTES;
    }
    window.at = next;
    window.start = next;
    return bytes.subarray(from, to);
  }

  private zeroRun(most: number): number {
    const { window } = this;
    const { bytes, view, at } = window;
    const high = view.getUint32(at);
    const last = window.end - ZERO_RECORD_BYTES;
    let count = 1;
    let next = at + ZERO_RECORD_BYTES;
    let low = view.getUint32(at + 4) + PAGE_BYTES;
    for (; count < most && next <= last; count++) {
      if (view.getUint32(next + 4) !== low || view.getUint32(next) !== high) break;
      if (bytes[next + RAM_HEADER_BYTES] !== 0) break;
      next += ZERO_RECORD_BYTES;
      low += PAGE_BYTES;
    }
    window.at = next;
    window.start = next;
    return count;
  }

  /** A record that names its block, or is none of the common ones; false if it is not whole. */
  private *single(flags: number): Generator<Step, boolean> {
    const { window } = this;
    const { bytes, view, end } = window;
    let at = window.at + RAM_HEADER_BYTES;
    const offset = view.getUint32(window.at) * 2 ** 32 + view.getUint32(window.at + 4) - flags;
    if ((flags & Ram.CONTINUE) === 0) {
      this.block = this.find(nameAt(bytes, at) ?? "");
      at += 1 + bytes[at];
    }
    const { block } = this;
    if (block === undefined || offset >= block.byteLength) return false;
    const place = { address: addressOf(block, offset), block: block.block };
    if (flags & Ram.PAGE) {
      if (at + PAGE_BYTES > end) return false;
      window.at = at;
      yield* window.give();
      window.at = at + PAGE_BYTES;
      yield { kind: "pages", pages: window.take(), form: { as: "plain" }, ...place };
    } else if (flags & Ram.ZERO && bytes[at] === 0) {
      if (at >= end) return false;
      window.at = at + 1;
      yield* window.give();
      yield { kind: "zeros", pageCount: 1, form: { as: "nothing" }, ...place };
    } else {
      const length = this.encodedBytes(flags, at);
      if (length === undefined || at + length > end) return false;
      yield* window.give();
      window.at = at + length;
      yield { kind: "literal", bytes: window.take(), hides: HIDDEN[flags & ~Ram.CONTINUE] };
    }
    return true;
  }

  /** Bytes of an encoded page with its length, if that is sound. */
  private encodedBytes(flags: number, at: number): number | undefined {
    const { view, bytes, end } = this.window;
    if (flags & Ram.ZERO) return 1;
    if (at + 4 > end) return;
    if (flags & Ram.COMPRESS_PAGE) {
      const length = view.getUint32(at);
      return length <= MAX_COMPRESSED_BYTES ? 4 + length : undefined;
    }
    const length = view.getUint16(at + 1);
    return bytes[at] === XBZRLE_ENCODING && length <= PAGE_BYTES ? 3 + length : undefined;
  }

  private find(name: string): PlacedBlock | undefined {
    if (this.placed.size > 0) return this.placed.get(name);
    const whole = { splitOffset: Infinity, highAddress: 0 };
    return { block: name, byteLength: Infinity, address: 0, ...whole };
  }
}
