// The script of a batch: what a guest's stream holds besides page contents, and where these go. It
// is a list of steps, each a varint of `count × 8 + step`. Most records continue where the last one
// ended, so both sides keep a cursor: the byte offset that follows the last record. It goes on
// over batches, as do the names of blocks.
//
//   0 VERBATIM  count bytes follow: they are passed as they are
//   1 PAGES     count page records, one behind another
//   2 ZEROS     count zero records, one behind another
//   3 PAGE      move the cursor by zigzag(count) pages, then one page record
//   4 ZERO      move the cursor by zigzag(count) pages, then one zero record
//   5 XBZRLE    the header of one XBZRLE record of count bytes, which come verbatim
//   6 MOVE      move the cursor by zigzag(count) pages
//   7 BLOCK     the next record names block number count, offset 0 at first; the first mention of
//               each block is followed by u8 length, name
//
// Two steps with a count of 0 are marks, which only sessions of version 2 write (docs/session.md):
//
//   1 PAGES × 0  a part of RAM ends here: records that were put off may be written before
//   2 ZEROS × 0  the last part of RAM ends here: all that was put off has to be written before
import { ByteWriter } from "../core/bytes.ts";
import { PagefoldError } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { RAM_HEADER_BYTES } from "./stream.ts";

/** A longer script ends its batch: by then it has at most the steps of one record more. */
const SCRIPT_LIMIT_BYTES = 65_536;

/** What records take in a stream, without the name of a block. */
export const PAGE_RECORD_BYTES = RAM_HEADER_BYTES + PAGE_BYTES;
export const ZERO_RECORD_BYTES = RAM_HEADER_BYTES + 1;
export const XBZRLE_HEAD_BYTES = RAM_HEADER_BYTES + 3;

export const Step = {
  VERBATIM: 0,
  PAGES: 1,
  ZEROS: 2,
  PAGE: 3,
  ZERO: 4,
  XBZRLE: 5,
  MOVE: 6,
  BLOCK: 7,
} as const;

/** Writes steps, joining what can be joined. What is pending is written by `flush`. */
export class ScriptWriter {
  /** Cursor, in pages. */
  private next = 0;
  private run: number = Step.VERBATIM;
  private runLength = 0;
  private readonly blocksNamed = new Set<number>();
  private opaque = new Uint8Array(4096);
  private opaqueLength = 0;
  private script = new ByteWriter(0);
  private streamBytes = 0;
  private streamLimit = 0;
  private settles = false;

  /**
   * Goes on in another buffer, for steps that stand for up to `streamLimit` bytes of the stream.
   * Nothing may be pending.
   */
  into(script: ByteWriter, streamLimit: number): void {
    this.script = script;
    this.streamLimit = streamLimit;
  }

  /** Bytes that may be passed before the batch is full; it is when there are none. */
  get room(): number {
    return Math.min(
      SCRIPT_LIMIT_BYTES - this.script.length - this.opaqueLength,
      this.streamLimit - this.streamBytes,
    );
  }

  /** Bytes of the stream that the steps since the last call stand for. */
  takeStreamBytes(): number {
    const { streamBytes } = this;
    this.streamBytes = 0;
    return streamBytes;
  }

  /** Whether a step since the last call needs all that was put off before. */
  takeSettles(): boolean {
    const { settles } = this;
    this.settles = false;
    return settles;
  }

  verbatim(bytes: Uint8Array, from: number, to: number): void {
    if (from === to) return;
    this.streamBytes += to - from;
    if (this.runLength > 0) this.flush();
    const length = this.opaqueLength + to - from;
    if (length > this.opaque.length) {
      const larger = new Uint8Array(Math.max(length, 2 * this.opaque.length));
      larger.set(this.opaque.subarray(0, this.opaqueLength));
      this.opaque = larger;
    }
    this.opaque.set(bytes.subarray(from, to), this.opaqueLength);
    this.opaqueLength = length;
  }

  /** A page record (PAGES) or zero record (ZEROS) of the last block, at page `page` of it. */
  record(step: typeof Step.PAGES | typeof Step.ZEROS, page: number): void {
    this.streamBytes += step === Step.PAGES ? PAGE_RECORD_BYTES : ZERO_RECORD_BYTES;
    if (page === this.next) {
      if (this.runLength > 0 && this.run === step) this.runLength++;
      else {
        this.flush();
        this.run = step;
        this.runLength = 1;
      }
    } else {
      this.flush();
      this.step(step === Step.PAGES ? Step.PAGE : Step.ZERO, zigzag(page - this.next));
    }
    this.next = page + 1;
  }

  /** The header of an XBZRLE record; its payload has to follow verbatim. */
  xbzrle(page: number, payload: number): void {
    this.streamBytes += XBZRLE_HEAD_BYTES;
    this.flush();
    if (page !== this.next) this.step(Step.MOVE, zigzag(page - this.next));
    this.step(Step.XBZRLE, payload);
    this.next = page + 1;
    this.settles = true;
  }

  /** The record that ends a part of RAM follows. */
  mark(isLast: boolean): void {
    this.flush();
    this.step(isLast ? Step.ZEROS : Step.PAGES, 0);
    if (isLast) this.settles = true;
  }

  /** The next record names its block. */
  block(number: number, name: Uint8Array): void {
    this.streamBytes += 1 + name.length;
    this.flush();
    this.step(Step.BLOCK, number);
    if (!this.blocksNamed.has(number)) {
      this.blocksNamed.add(number);
      this.script.u8(name.length);
      this.script.raw(name);
    }
    this.next = 0;
  }

  flush(): void {
    if (this.runLength > 0) {
      this.step(this.run, this.runLength);
      this.runLength = 0;
    }
    if (this.opaqueLength > 0) {
      this.step(Step.VERBATIM, this.opaqueLength);
      this.script.raw(this.opaque.subarray(0, this.opaqueLength));
      this.opaqueLength = 0;
    }
  }

  private step(step: number, count: number): void {
    this.script.varint(count * 8 + step);
  }
}

/** Reads steps; total, and without an object for each. */
export class ScriptReader {
  position = 0;
  /** What `next` has read. */
  step: number = Step.VERBATIM;
  count = 0;
  readonly bytes: Uint8Array;
  private readonly what: string;

  constructor(bytes: Uint8Array, what: string) {
    this.bytes = bytes;
    this.what = what;
  }

  /** Reads the next step; false at the end. */
  next(): boolean {
    const { bytes } = this;
    if (this.position >= bytes.length) return false;
    let value = 0;
    let scale = 1;
    for (;;) {
      if (this.position >= bytes.length) this.fail("a step is cut");
      const byte = bytes[this.position++];
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      scale *= 0x80;
      if (scale > 2 ** 42) this.fail("a step is longer than 7 bytes");
    }
    this.step = value % 8;
    this.count = (value - this.step) / 8;
    return true;
  }

  /** The count as a distance in pages. */
  get distance(): number {
    const { count } = this;
    return count % 2 === 0 ? count / 2 : -(count + 1) / 2;
  }

  /** Goes past `length` bytes and says where they begin. */
  skip(length: number): number {
    const left = this.bytes.length - this.position;
    if (length > left) this.fail(`${length} bytes are announced, ${left} are there`);
    this.position += length;
    return this.position - length;
  }

  u8(): number {
    return this.bytes[this.skip(1)];
  }

  fail(reason: string): never {
    throw new PagefoldError("DAMAGED", `${this.what}: script: byte ${this.position}: ${reason}`);
  }
}

function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1;
}
