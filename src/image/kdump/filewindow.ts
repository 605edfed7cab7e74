// A window on a file that is read in any order, and mostly forwards: what is asked for is read with
// as much behind it as the window holds. It is small at first, since most files are.
import type { ReadAt } from "../layout.ts";

const FIRST_BYTES = 1 << 13;

export class FileWindow {
  private readonly readAt: ReadAt;
  private readonly maxBytes: number;
  private bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  private start = 0;
  private length = 0;

  constructor(read: ReadAt, windowBytes: number) {
    this.readAt = read;
    this.maxBytes = windowBytes;
  }

  /** Bytes from `offset` on, fewer only at the end of the file; a view until the next call. */
  async at(offset: number, byteLength: number): Promise<Uint8Array<ArrayBuffer>> {
    const end = this.start + this.length;
    if (offset < this.start || offset + byteLength > end) {
      const kept = offset >= this.start && offset < end ? end - offset : 0;
      this.makeRoom(byteLength, kept);
      this.start = offset;
      this.length = kept;
      this.length += await this.readAt(offset + kept, this.bytes.subarray(kept));
    }
    const at = offset - this.start;
    return this.bytes.subarray(at, Math.min(at + byteLength, this.length));
  }

  /** Moves the last `kept` bytes to the start of a window that is large enough. */
  private makeRoom(byteLength: number, kept: number): void {
    const last = this.bytes.subarray(this.length - kept, this.length);
    const wanted = Math.max(byteLength, Math.min(4 * this.bytes.length, this.maxBytes));
    if (wanted > this.bytes.length) {
      const larger = new Uint8Array(Math.max(wanted, Math.min(FIRST_BYTES, this.maxBytes)));
      larger.set(last);
      this.bytes = larger;
    } else this.bytes.copyWithin(0, this.length - kept, this.length);
  }
}
