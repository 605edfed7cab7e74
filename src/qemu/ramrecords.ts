// The records of a part of the section "ram": page contents are copied into the target of a batch,
// what else there is becomes steps of its script. Records may be cut anywhere: of a cut one, its
// header or its page waits here for the rest, so that no batch holds half a record.

import { copyBytes } from "../core/copy.ts";
import { PAGE_BYTES } from "../core/page.ts";
import type { NumberedBlock, RamBlocks } from "./blocks.ts";
import type { StreamPlace } from "./place.ts";
import { type ScriptWriter, Step } from "./script.ts";
import type { SentFrames } from "./sentframes.ts";
import {
  MAX_BLOCK_NAME_BYTES,
  RAM_FLAGS,
  RAM_HEADER_BYTES,
  Ram,
  XBZRLE_ENCODING,
} from "./stream.ts";

/** Where the pages of a batch go. */
export interface PageTarget {
  readonly pages: Uint8Array;
  pageCount: number;
  readonly frames: Uint32Array;
}

const NAMED_KINDS = Ram.ZERO | Ram.PAGE | Ram.XBZRLE;
const NEXT_PAGE = Ram.PAGE | Ram.CONTINUE;
const NEXT_ZERO = Ram.ZERO | Ram.CONTINUE;
const LONGEST_HEAD = RAM_HEADER_BYTES + 1 + MAX_BLOCK_NAME_BYTES + 3;

export class RamRecords {
  /** Whether the record that ends a part was taken; the next part begins with the next call. */
  isEnded = false;
  /** The mark of `ScriptWriter` that is wanted before that record, if any. */
  endMark: "last" | "part" | undefined;
  private block: NumberedBlock | undefined;
  /** The beginning of a cut record. */
  private readonly head = new Uint8Array(LONGEST_HEAD);
  private readonly headView = new DataView(this.head.buffer);
  private headLength = 0;
  /** The page whose content comes next, or -1; its beginning if it was cut. */
  private page = -1;
  private readonly pageBytes = new Uint8Array(PAGE_BYTES);
  private pageFilled = 0;
  private isNamed = false;
  private payloadLeft = 0;
  private readonly place: StreamPlace;
  private readonly blocks: RamBlocks;
  private readonly sent: SentFrames;
  private readonly script: ScriptWriter;

  constructor(place: StreamPlace, blocks: RamBlocks, sent: SentFrames, script: ScriptWriter) {
    this.place = place;
    this.blocks = blocks;
    this.sent = sent;
    this.script = script;
  }

  /** Takes bytes until they end, the batch is full, or the part ends; returns how far it came. */
  take(bytes: Uint8Array, from: number, target: PageTarget): number {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = from;
    this.isEnded = false;
    while (!this.isEnded && this.script.room > 0) {
      const before = at;
      if (this.payloadLeft > 0) at = this.takePayload(bytes, at);
      else if (this.page >= 0) at = this.takePage(bytes, at, target);
      else {
        if (this.headLength === 0) at = this.takeWhole(bytes, view, at, target);
        if (!this.isEnded && this.page < 0 && this.payloadLeft === 0) at = this.takeCut(bytes, at);
      }
      if (at === before) break;
    }
    return at;
  }

  /** The hot loop: records that lie in one piece and belong to the last block. */
  private takeWhole(bytes: Uint8Array, view: DataView, from: number, target: PageTarget): number {
    const { block, sent, script } = this;
    if (block === undefined) return from;
    const { firstFrame, frameCount } = block;
    const { pages, frames } = target;
    const capacity = Math.floor(pages.length / PAGE_BYTES);
    let at = from;
    while (at + RAM_HEADER_BYTES < bytes.length && script.room > 0) {
      const low = view.getUint32(at + 4);
      const flags = low & RAM_FLAGS;
      const page = view.getUint32(at) * 0x10_0000 + (low >>> 12);
      const body = at + RAM_HEADER_BYTES;
      if (flags === NEXT_PAGE) {
        const { pageCount } = target;
        if (body + PAGE_BYTES > bytes.length || pageCount === capacity) break;
        if (page >= frameCount) this.failOutside(block, page, at);
        copyBytes(bytes, body, pages, pageCount * PAGE_BYTES, PAGE_BYTES);
        frames[pageCount] = firstFrame + page;
        target.pageCount = pageCount + 1;
        sent.send(firstFrame + page);
        script.record(Step.PAGES, page);
        at = body + PAGE_BYTES;
      } else if (flags === NEXT_ZERO) {
        if (page >= frameCount) this.failOutside(block, page, at);
        if (bytes[body] !== 0) this.failFilled(bytes[body], at);
        sent.forget(firstFrame + page);
        script.record(Step.ZEROS, page);
        at = body + 1;
      } else break;
    }
    return at;
  }

  /** Collects the header of a record that is cut or of a rarer kind, and begins the record. */
  private takeCut(bytes: Uint8Array, from: number): number {
    const { head } = this;
    let at = from;
    for (let needed = this.headBytes(); this.headLength < needed; needed = this.headBytes()) {
      const count = Math.min(needed - this.headLength, bytes.length - at);
      if (count === 0) return at;
      head.set(bytes.subarray(at, at + count), this.headLength);
      this.headLength += count;
      at += count;
    }
    this.begin(at);
    this.headLength = 0;
    return at;
  }

  /** How long the header is, as far as what is there of it tells. */
  private headBytes(): number {
    if (this.headLength < RAM_HEADER_BYTES) return RAM_HEADER_BYTES;
    const flags = this.headView.getUint32(4) & RAM_FLAGS;
    let length = RAM_HEADER_BYTES;
    if ((flags & NAMED_KINDS) === 0) return length;
    if ((flags & Ram.CONTINUE) === 0) {
      if (this.headLength === length) return length + 1;
      length += 1 + this.head[length];
    }
    if (flags & Ram.ZERO) return length + 1;
    return flags & Ram.XBZRLE ? length + 3 : length;
  }

  /** Begins the record whose header is complete. */
  private begin(at: number): void {
    const { head, headLength, headView } = this;
    const low = headView.getUint32(4);
    const flags = low & RAM_FLAGS;
    if (flags === Ram.EOS) {
      if (this.endMark) this.script.mark(this.endMark === "last");
      this.script.verbatim(head, 0, headLength);
      this.isEnded = true;
      return;
    }
    const kind = flags & ~Ram.CONTINUE;
    if (kind !== Ram.PAGE && kind !== Ram.ZERO && kind !== Ram.XBZRLE) this.refuse(flags, at);
    this.isNamed = (flags & Ram.CONTINUE) === 0;
    if (this.isNamed) {
      const nameStart = RAM_HEADER_BYTES + 1;
      this.block = this.blocks.find(head, nameStart, nameStart + head[RAM_HEADER_BYTES]);
    }
    const block = this.block ?? this.place.fail("a record continues no block", at);
    const page = headView.getUint32(0) * 0x10_0000 + (low >>> 12);
    if (page >= block.frameCount) this.failOutside(block, page, at);
    if (kind === Ram.PAGE) {
      this.page = page;
      this.pageFilled = 0;
      return;
    }
    this.nameBlock(block);
    this.sent.forget(block.firstFrame + page);
    if (kind === Ram.ZERO) {
      if (head[headLength - 1] !== 0) this.failFilled(head[headLength - 1], at);
      this.script.record(Step.ZEROS, page);
      return;
    }
    if (head[headLength - 3] !== XBZRLE_ENCODING) {
      this.place.fail(`an XBZRLE record with encoding ${head[headLength - 3]}`, at);
    }
    this.payloadLeft = headView.getUint16(headLength - 2);
    this.script.xbzrle(page, this.payloadLeft);
  }

  /** Content of the page whose header was taken: at once if it is in one piece. */
  private takePage(bytes: Uint8Array, from: number, target: PageTarget): number {
    const { pageCount, pages, frames } = target;
    if ((pageCount + 1) * PAGE_BYTES > pages.length) return from;
    const count = Math.min(PAGE_BYTES - this.pageFilled, bytes.length - from);
    if (count === 0) return from;
    if (count < PAGE_BYTES) {
      this.pageBytes.set(bytes.subarray(from, from + count), this.pageFilled);
      this.pageFilled += count;
      if (this.pageFilled < PAGE_BYTES) return from + count;
      pages.set(this.pageBytes, pageCount * PAGE_BYTES);
    } else {
      copyBytes(bytes, from, pages, pageCount * PAGE_BYTES, PAGE_BYTES);
    }
    const block = this.block as NumberedBlock;
    this.nameBlock(block);
    frames[pageCount] = block.firstFrame + this.page;
    target.pageCount = pageCount + 1;
    this.sent.send(block.firstFrame + this.page);
    this.script.record(Step.PAGES, this.page);
    this.page = -1;
    return from + count;
  }

  private takePayload(bytes: Uint8Array, from: number): number {
    const to = Math.min(from + this.payloadLeft, bytes.length);
    this.script.verbatim(bytes, from, to);
    this.payloadLeft -= to - from;
    return to;
  }

  private nameBlock(block: NumberedBlock): void {
    if (this.isNamed) this.script.block(block.number, block.nameBytes);
  }

  private refuse(flags: number, at: number): never {
    if (flags & Ram.COMPRESS_PAGE) this.place.refuseCapability("compress");
    if (flags & Ram.MULTIFD_FLUSH) this.place.refuseCapability("multifd");
    if (flags & Ram.HOOK) this.place.refuse("it migrates by RDMA: migrate to a unix socket");
    return this.place.fail(`a record of RAM with flags 0x${flags.toString(16)}`, at);
  }

  private failOutside(block: NumberedBlock, page: number, at: number): never {
    const { name, frameCount } = block;
    return this.place.fail(`page ${page} of block ${name}, which has ${frameCount}`, at);
  }

  private failFilled(byte: number, at: number): never {
    return this.place.fail(`a zero record is filled with ${byte}`, at);
  }
}
