// Reading and writing the small integers of the format: LEB128 varints, zigzag, fixed u32 and u64.
// The reader is total: it throws `PagefoldError` DAMAGED and never reads past its bytes.
import { PagefoldError } from "./errors.ts";

const SAFE_LIMIT = Number.MAX_SAFE_INTEGER;
const textEncoder = new TextEncoder();
const textDecoder = new TextDecoder("utf-8", { fatal: true });

/** Grows as needed; `take()` gives the bytes written. */
export class ByteWriter {
  length = 0;
  private bytes: Uint8Array<ArrayBuffer>;
  private view: DataView;

  constructor(capacity = 256) {
    this.bytes = new Uint8Array(capacity);
    this.view = new DataView(this.bytes.buffer);
  }

  u8(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  u32(value: number): void {
    this.reserve(4);
    this.view.setUint32(this.length, value, true);
    this.length += 4;
  }

  u64(value: bigint): void {
    this.reserve(8);
    this.view.setBigUint64(this.length, value, true);
    this.length += 8;
  }

  /** Unsigned LEB128, shortest form. `value` is a safe non-negative integer. */
  varint(value: number): void {
    this.reserve(8);
    let rest = value;
    while (rest >= 0x80) {
      this.bytes[this.length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.bytes[this.length++] = rest;
  }

  zigzag(value: number): void {
    this.varint(value >= 0 ? value * 2 : -value * 2 - 1);
  }

  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** A varint count of bytes, then the bytes. */
  string(value: string | Uint8Array): void {
    const bytes = typeof value === "string" ? textEncoder.encode(value) : value;
    this.varint(bytes.length);
    this.raw(bytes);
  }

  /** The bytes written so far (a view; do not write on). */
  take(): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(0, this.length);
  }

  private reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
    this.view = new DataView(larger.buffer);
  }
}

/** Reads what `ByteWriter` writes. `what` names the bytes in messages ("PAGES batch 12"). */
export class ByteReader {
  position = 0;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly what: string;

  constructor(bytes: Uint8Array, what: string) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.what = what;
  }

  get remaining(): number {
    return this.bytes.length - this.position;
  }

  u8(): number {
    this.need(1);
    return this.bytes[this.position++];
  }

  u32(): number {
    this.need(4);
    const value = this.view.getUint32(this.position, true);
    this.position += 4;
    return value;
  }

  u64(): bigint {
    this.need(8);
    const value = this.view.getBigUint64(this.position, true);
    this.position += 8;
    return value;
  }

  varint(limit = SAFE_LIMIT): number {
    let value = 0;
    let scale = 1;
    for (let count = 1; count <= 8; count++) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (byte === 0 && count > 1) this.fail("a varint is not in its shortest form");
        if (value > limit) this.fail(`${value} is over the limit of ${limit}`);
        return value;
      }
      scale *= 0x80;
    }
    return this.fail("a varint is longer than 8 bytes");
  }

  zigzag(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** A view of the next `count` bytes. */
  raw(count: number): Uint8Array {
    this.need(count);
    this.position += count;
    return this.bytes.subarray(this.position - count, this.position);
  }

  /** A view of a counted run of bytes. */
  counted(limit: number): Uint8Array {
    return this.raw(this.varint(limit));
  }

  string(limit: number): string {
    const bytes = this.counted(limit);
    try {
      return textDecoder.decode(bytes);
    } catch {
      return this.fail("a string is not UTF-8");
    }
  }

  /** Throws unless everything was read. */
  end(): void {
    if (this.remaining !== 0) this.fail(`${this.remaining} bytes are left over`);
  }

  fail(reason: string): never {
    throw new PagefoldError("DAMAGED", `${this.what}: at byte ${this.position}: ${reason}`);
  }

  private need(count: number): void {
    if (count > this.remaining) {
      this.fail(`${count} bytes are needed, ${this.remaining} are there`);
    }
  }
}
