// Replays the script of a batch with its pages into exactly the bytes that StreamFolder took. The
// script comes from a peer: nothing is written outside of `into`, whatever it says.

import { copyBytes } from "../core/copy.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { MAX_BLOCKS } from "./blocks.ts";
import {
  PAGE_RECORD_BYTES,
  ScriptReader,
  Step,
  XBZRLE_HEAD_BYTES,
  ZERO_RECORD_BYTES,
} from "./script.ts";
import { RAM_HEADER_BYTES, Ram, XBZRLE_ENCODING } from "./stream.ts";

/** Offsets of records are exact below. */
const MAX_PAGE = 2 ** 40;
/** The length of an XBZRLE record has 16 bits. */
const MAX_XBZRLE = 0xffff;

export class StreamUnfolder {
  private readonly guest: string;
  private readonly blockNames = new Map<number, Uint8Array>();
  /** Cursor, in pages. */
  private next = 0;
  /** The block that the next record has to name. */
  private name: Uint8Array | undefined;

  // Of the batch that is unfolded:
  private into: Uint8Array = new Uint8Array(0);
  private view: DataView = new DataView(new ArrayBuffer(0));
  private at = 0;
  private pages: Uint8Array = new Uint8Array(0);
  private pagesUsed = 0;
  private pageCount = 0;

  /** `guest` is its name, for messages. */
  constructor(guest: string) {
    this.guest = guest;
  }

  /**
   * Writes the bytes of a batch into `into`, which may be longer, and returns how many they are.
   * Batches come in the order in which they were folded; all of their pages have to be used.
   */
  unfold(script: Uint8Array, pages: Uint8Array, pageCount: number, into: Uint8Array): number {
    this.into = into;
    this.view = new DataView(into.buffer, into.byteOffset, into.byteLength);
    this.at = 0;
    this.pages = pages;
    this.pagesUsed = 0;
    this.pageCount = Math.min(pageCount, Math.floor(pages.length / PAGE_BYTES));
    const steps = new ScriptReader(script, this.guest);
    while (steps.next()) this.play(steps);
    if (this.pagesUsed !== pageCount) {
      steps.fail(`${this.pagesUsed} pages are used, ${pageCount} were sent`);
    }
    return this.at;
  }

  private play(steps: ScriptReader): void {
    const { step, count } = steps;
    if (step === Step.PAGES) this.writePages(steps, count);
    else if (step === Step.ZEROS) this.writeZeros(steps, count);
    else if (step === Step.PAGE) {
      this.next += steps.distance;
      this.writePages(steps, 1);
    } else if (step === Step.ZERO) {
      this.next += steps.distance;
      this.writeZeros(steps, 1);
    } else if (step === Step.MOVE) this.next += steps.distance;
    else if (step === Step.XBZRLE) this.writeXbzrle(steps, count);
    else if (step === Step.BLOCK) this.nameBlock(steps, count);
    else {
      this.need(steps, count);
      const from = steps.skip(count);
      if (count > 0) copyBytes(steps.bytes, from, this.into, this.at, count);
      this.at += count;
    }
  }

  private writePages(steps: ScriptReader, count: number): void {
    const left = this.pageCount - this.pagesUsed;
    if (count > left) steps.fail(`${count} pages are wanted, ${left} are left`);
    this.begin(steps, count, PAGE_RECORD_BYTES);
    const { into, pages } = this;
    let from = this.pagesUsed * PAGE_BYTES;
    for (let i = 0; i < count; i++, from += PAGE_BYTES) {
      this.writeHead(Ram.PAGE);
      copyBytes(pages, from, into, this.at, PAGE_BYTES);
      this.at += PAGE_BYTES;
    }
    this.pagesUsed += count;
  }

  private writeZeros(steps: ScriptReader, count: number): void {
    this.begin(steps, count, ZERO_RECORD_BYTES);
    const { into } = this;
    for (let i = 0; i < count; i++) {
      this.writeHead(Ram.ZERO);
      into[this.at++] = 0;
    }
  }

  private writeXbzrle(steps: ScriptReader, payload: number): void {
    if (payload > MAX_XBZRLE) steps.fail(`an XBZRLE record of ${payload} bytes`);
    this.begin(steps, 1, XBZRLE_HEAD_BYTES);
    this.writeHead(Ram.XBZRLE);
    this.into[this.at] = XBZRLE_ENCODING;
    this.view.setUint16(this.at + 1, payload);
    this.at += 3;
  }

  private nameBlock(steps: ScriptReader, number: number): void {
    if (number >= MAX_BLOCKS) steps.fail(`block ${number}, ${MAX_BLOCKS} are possible`);
    let name = this.blockNames.get(number);
    if (name === undefined) {
      const length = steps.u8();
      const from = steps.skip(length);
      name = steps.bytes.slice(from, from + length);
      this.blockNames.set(number, name);
    }
    this.name = name;
    this.next = 0;
  }

  /** Checks that `count` records of a size fit here, and pages of their number exist. */
  private begin(steps: ScriptReader, count: number, recordBytes: number): void {
    const nameBytes = this.name === undefined ? 0 : 1 + this.name.length;
    this.need(steps, count * recordBytes + nameBytes);
    if (this.next < 0 || this.next + count > MAX_PAGE) {
      steps.fail(`${count} records at page ${this.next}`);
    }
  }

  private need(steps: ScriptReader, count: number): void {
    const left = this.into.length - this.at;
    if (count > left) steps.fail(`it makes ${count} bytes more, there is room for ${left}`);
  }

  /** The header of the record at the cursor, which goes on. */
  private writeHead(kind: number): void {
    const { view, at, next, name } = this;
    const flags = name === undefined ? kind | Ram.CONTINUE : kind;
    view.setUint32(at, next / 0x10_0000);
    view.setUint32(at + 4, ((next & 0xf_ffff) << 12) | flags);
    this.next = next + 1;
    this.at = at + RAM_HEADER_BYTES;
    if (name === undefined) return;
    this.into[this.at] = name.length;
    this.into.set(name, this.at + 1);
    this.at += 1 + name.length;
    this.name = undefined;
  }
}
