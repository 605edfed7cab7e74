// A window on a file that is read in any order, and mostly forwards: what is asked for is read with
// as much behind it as the window holds.
import type { ReadAt } from "./layout.ts";

export class FileWindow {
  private readonly readAt: ReadAt;
  private bytes: Uint8Array<ArrayBuffer>;
  private start = 0;
  private length = 0;

  constructor(read: ReadAt, windowBytes: number) {
    this.readAt = read;
    this.bytes = new Uint8Array(windowBytes);
  }

  /** Bytes from `offset` on, fewer only at the end of the file; a view until the next call. */
  async at(offset: number, byteLength: number): Promise<Uint8Array<ArrayBuffer>> {
    const end = this.start + this.length;
    if (offset < this.start || offset + byteLength > end) {
      if (byteLength > this.bytes.length) this.grow(byteLength);
      const kept = offset >= this.start && offset < end ? end - offset : 0;
      this.bytes.copyWithin(0, this.length - kept, this.length);
      this.start = offset;
      this.length = kept;
      this.length += await this.readAt(offset + kept, this.bytes.subarray(kept));
    }
    const at = offset - this.start;
    return this.bytes.subarray(at, Math.min(at + byteLength, this.length));
  }

  private grow(byteLength: number): void {
    const larger = new Uint8Array(byteLength);
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }
}
