// Writes a stream as QEMU does: records of RAM, which name their block unless it is that of the
// record before, and bytes as they are. Who writes has asked whether there is room.
import { copyBytes } from "../core/copy.ts";
import { PAGE_BYTES } from "../core/page.ts";
import type { PlacedBlock } from "./placedblocks.ts";
import { RAM_HEADER_BYTES, Ram, XBZRLE_ENCODING } from "./stream.ts";

export class RecordWriter {
  /** Bytes written. */
  at = 0;
  private bytes: Uint8Array = new Uint8Array(0);
  private view: DataView = new DataView(new ArrayBuffer(0));
  /** Of the last record; null if the next one names its block in any case. */
  private last: PlacedBlock | undefined | null;

  /** Goes on at the beginning of another buffer. */
  into(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = 0;
  }

  get room(): number {
    return this.bytes.length - this.at;
  }

  /** Takes what was written so far. */
  takeWritten(): Uint8Array {
    const { at } = this;
    this.at = 0;
    return this.bytes.subarray(0, at);
  }

  /** The last record is one of this block, or one that the next record does not continue. */
  endWith(block: PlacedBlock | null): void {
    this.last = block;
  }

  /** Bytes of the name that the next record needs. */
  nameBytes(block: PlacedBlock | undefined): number {
    return block === this.last ? 0 : 1 + (block as PlacedBlock).name.length;
  }

  verbatim(bytes: Uint8Array, from: number, count: number): void {
    if (count > 0) copyBytes(bytes, from, this.bytes, this.at, count);
    this.at += count;
  }

  /** Page records from `page` on: the content of the first stands in `pages` at `from`. */
  pages(
    block: PlacedBlock | undefined,
    page: number,
    count: number,
    pages: Uint8Array,
    from: number,
  ): void {
    const { bytes } = this;
    for (let i = 0; i < count; i++) {
      this.head(block, page + i, Ram.PAGE);
      copyBytes(pages, from + i * PAGE_BYTES, bytes, this.at, PAGE_BYTES);
      this.at += PAGE_BYTES;
    }
  }

  /** Zero records from `page` on. */
  zeros(block: PlacedBlock | undefined, page: number, count: number): void {
    const { bytes } = this;
    for (let i = 0; i < count; i++) {
      this.head(block, page + i, Ram.ZERO);
      bytes[this.at++] = 0;
    }
  }

  /** The head of an XBZRLE record. */
  xbzrle(block: PlacedBlock | undefined, page: number, payload: number): void {
    this.head(block, page, Ram.XBZRLE);
    this.bytes[this.at] = XBZRLE_ENCODING;
    this.view.setUint16(this.at + 1, payload);
    this.at += 3;
  }

  private head(block: PlacedBlock | undefined, page: number, kind: number): void {
    const { view, at } = this;
    const isContinued = block === this.last;
    view.setUint32(at, page / 0x10_0000);
    view.setUint32(at + 4, ((page & 0xf_ffff) << 12) | (isContinued ? kind | Ram.CONTINUE : kind));
    this.at = at + RAM_HEADER_BYTES;
    if (isContinued) return;
    this.last = block;
    const { name } = block as PlacedBlock;
    this.bytes[this.at] = name.length;
    this.bytes.set(name, this.at + 1);
    this.at += 1 + name.length;
  }
}
