// The stream of a guest that is no QEMU but pages and a state: in the form of QEMU's (stream.ts),
// so that a gang folds and hands it over like any other. It is written in pieces, each complete in
// itself, and read however it is cut. What pages mean, and when they are sent, is not known here.
//
//   "QEVM" be32 3
//   07  be32 14, "pagefold pages"                    a QEMU refuses the machine by its name
//   08  be16 1, be16 0                               opens the return path
//   01  be32 1, 3 "ram", be32 0, be32 4
//       be64 bytes | MEM_SIZE, 5 "pages", be64 bytes, be64 EOS
//   7e  be32 1
//   02  be32 1, records of pages and zeros, be64 EOS, 7e be32 1       any number of these
//   03  be32 1, be64 EOS, 7e be32 1                  all pages are there: the rest is withheld
//   04  be32 2, 5 "state", be32 0, be32 1, be32 length, state, 7e be32 2
//   00
//   06  be32 2, "{}"
import { ByteWriter } from "../core/bytes.ts";
import { copyBytes } from "../core/copy.ts";
import { PAGE_BYTES } from "../core/page.ts";
import {
  Command,
  Part,
  RAM_HEADER_BYTES,
  RAM_VERSION,
  Ram,
  STREAM_MAGIC,
  STREAM_VERSION,
} from "./stream.ts";

const MACHINE = "pagefold pages";
const BLOCK = "pages";
const STATE = "state";
const RAM_ID = 1;
const STATE_ID = 2;

/** A state is held in memory at both ends; devices of real guests take a few megabytes at most. */
export const MAX_STATE_BYTES = 16 << 20;
/** Pages of one part: as many as a gang puts into a batch. */
const PART_PAGES = 256;
/** Record headers, and what begins, names and ends a part. */
const PART_BYTES = PART_PAGES * (RAM_HEADER_BYTES + PAGE_BYTES) + 64;
const PAGE_WORDS = PAGE_BYTES / 4;

const text = new TextEncoder();

/** Big-endian, as everything in such a stream. */
class StreamBytes extends ByteWriter {
  be(byteCount: number, value: number): this {
    for (let place = byteCount - 1; place >= 0; place--) {
      this.u8(Math.floor(value / 2 ** (8 * place)) & 0xff);
    }
    return this;
  }

  text(value: string): this {
    this.raw(text.encode(value));
    return this;
  }

  name(value: string): this {
    return this.be(1, value.length).text(value);
  }

  part(type: number, id: number): this {
    return this.be(1, type).be(4, id);
  }
}

/** What such a stream begins with. */
export function encodePagesHead(frameCount: number): Uint8Array {
  const byteLength = frameCount * PAGE_BYTES;
  const head = new StreamBytes();
  head.be(4, STREAM_MAGIC).be(4, STREAM_VERSION);
  head.part(Part.CONFIGURATION, MACHINE.length).text(MACHINE);
  head.be(1, Part.COMMAND).be(2, Command.OPEN_RETURN_PATH).be(2, 0);
  head.part(Part.START, RAM_ID).name("ram").be(4, 0).be(4, RAM_VERSION);
  head
    .be(8, byteLength + Ram.MEM_SIZE)
    .name(BLOCK)
    .be(8, byteLength)
    .be(8, Ram.EOS);
  return head.part(Part.FOOTER, RAM_ID).take();
}

/** Begins each part of pages, or the one that ends them. */
export function encodePartHead(isLast: boolean): Uint8Array {
  return new StreamBytes().part(isLast ? Part.END : Part.PART, RAM_ID).take();
}

/** Names the block in the first record of a part. */
export function encodeBlockName(): Uint8Array {
  return new StreamBytes().name(BLOCK).take();
}

/** Ends each part behind its last record. */
export function encodePartEnd(): Uint8Array {
  return new StreamBytes().be(8, Ram.EOS).part(Part.FOOTER, RAM_ID).take();
}

/** Begins the section that holds the state. */
export function encodeStateHead(byteLength: number): Uint8Array {
  const head = new StreamBytes().part(Part.FULL, STATE_ID).name(STATE);
  return head.be(4, 0).be(4, 1).be(4, byteLength).take();
}

/** What follows the state: the end of the stream. */
export function encodePagesEnd(): Uint8Array {
  const end = new StreamBytes().part(Part.FOOTER, STATE_ID).be(1, Part.EOF);
  return end.part(Part.DESCRIPTION, 2).text("{}").take();
}

/** All that follows the last page. To be given to a folder in one piece: then its end is one. */
export function encodePagesTail(state: Uint8Array): Uint8Array {
  const tail = new StreamBytes(state.length + 256);
  tail.raw(encodePartHead(true));
  tail.raw(encodePartEnd());
  tail.raw(encodeStateHead(state.length));
  tail.raw(state);
  tail.raw(encodePagesEnd());
  return tail.take();
}

/** Makes one part after another, in the same memory. */
export class PagePart {
  /** Pages that have been added. */
  pageCount = 0;
  private readonly pages = new Uint8Array(PART_PAGES * PAGE_BYTES);
  private readonly words = new Uint32Array(this.pages.buffer);
  private readonly bytes = new Uint8Array(PART_BYTES);
  private readonly view = new DataView(this.bytes.buffer);
  private byteLength = 0;

  /** Where the pages go that are added next, as many as there is room for. */
  room(): Uint8Array {
    return this.pages.subarray(this.pageCount * PAGE_BYTES);
  }

  /** Adds the `count` pages that stand there, as frame `frame` and those behind it. */
  add(frame: number, count: number): void {
    if (this.byteLength === 0) this.put(encodePartHead(false));
    for (let i = 0; i < count; i++) {
      // The name stands in the first record of a part, so that none depends on another.
      const isFirst = this.pageCount === 0;
      const page = this.pageCount++;
      const isZero = this.isZero(page);
      const flags = (isZero ? Ram.ZERO : Ram.PAGE) | (isFirst ? 0 : Ram.CONTINUE);
      this.putBe64((frame + i) * PAGE_BYTES + flags);
      if (isFirst) this.put(encodeBlockName());
      if (isZero) this.bytes[this.byteLength++] = 0;
      else {
        copyBytes(this.pages, page * PAGE_BYTES, this.bytes, this.byteLength, PAGE_BYTES);
        this.byteLength += PAGE_BYTES;
      }
    }
  }

  /** The part of what was added since the last one; valid until more is. */
  take(): Uint8Array {
    this.put(encodePartEnd());
    const part = this.bytes.subarray(0, this.byteLength);
    this.byteLength = 0;
    this.pageCount = 0;
    return part;
  }

  private isZero(page: number): boolean {
    const { words } = this;
    const end = (page + 1) * PAGE_WORDS;
    for (let at = page * PAGE_WORDS; at < end; at++) if (words[at] !== 0) return false;
    return true;
  }

  private put(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.byteLength);
    this.byteLength += bytes.length;
  }

  private putBe64(value: number): void {
    this.view.setUint32(this.byteLength, Math.floor(value / 2 ** 32));
    this.view.setUint32(this.byteLength + 4, value % 2 ** 32);
    this.byteLength += 8;
  }
}
