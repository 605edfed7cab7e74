// Writes ranges of memory to files. Ranges that follow one another in memory and in their file are
// written at once: small writes are what restoring spends most of its time on.
import { writeSync } from "node:fs";

export class GatheredWriter {
  /** Who gave the first range that waits to be written, for messages. */
  owner = -1;
  private readonly bytes: Uint8Array;
  private fd = -1;
  private ptr = 0;
  private byteLength = 0;
  private byteOffset = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** The range must stay as it is until `flush`. */
  write(owner: number, fd: number, ptr: number, byteLength: number, byteOffset: number): void {
    const done = this.byteLength;
    if (fd === this.fd && ptr === this.ptr + done && byteOffset === this.byteOffset + done) {
      this.byteLength += byteLength;
      return;
    }
    this.flush();
    this.owner = owner;
    this.fd = fd;
    this.ptr = ptr;
    this.byteLength = byteLength;
    this.byteOffset = byteOffset;
  }

  flush(): void {
    const { fd, ptr, byteLength, byteOffset } = this;
    for (let done = 0; done < byteLength; ) {
      done += writeSync(fd, this.bytes, ptr + done, byteLength - done, byteOffset + done);
    }
    this.byteLength = 0;
    this.fd = -1;
  }
}
