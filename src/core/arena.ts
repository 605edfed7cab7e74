// All linear memory of an engine, handed out in regions. It is taken once; sessions reserve what
// they need and give it back. Views of it never leave the engine.
import { PagefoldError } from "./errors.ts";

/** The first 64 KiB belong to the kernel module. */
const MODULE_BYTES = 65536;
const GRAIN_BYTES = 4096;

/** A reserved range of linear memory. */
export interface Region {
  readonly ptr: number;
  readonly byteLength: number;
}

export class Arena {
  /** Views over the whole memory. It never grows, so they stay valid. */
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly words: Uint32Array;
  private sessions = 0;
  private readonly free: { ptr: number; byteLength: number }[];

  constructor(memory: { readonly buffer: ArrayBufferLike }) {
    this.bytes = new Uint8Array(memory.buffer);
    this.view = new DataView(memory.buffer);
    this.words = new Uint32Array(memory.buffer);
    this.free = [{ ptr: MODULE_BYTES, byteLength: memory.buffer.byteLength - MODULE_BYTES }];
  }

  /** A number of its own for whoever uses the same memory for something new. */
  nextSession(): number {
    return ++this.sessions;
  }

  /** Bytes that the largest reservation could have now. */
  get largestFreeBytes(): number {
    return this.free.reduce((most, range) => Math.max(most, range.byteLength), 0);
  }

  /** Takes the first range that is large enough. Its content is whatever was there before. */
  reserve(byteLength: number, purpose: string): Region {
    const size = Math.ceil(byteLength / GRAIN_BYTES) * GRAIN_BYTES;
    const index = this.free.findIndex((range) => range.byteLength >= size);
    if (index < 0) {
      const largest = this.largestFreeBytes;
      throw new PagefoldError(
        "LIMIT",
        `memory: ${size} bytes for ${purpose}, ${largest} are left: give the engine more`,
      );
    }
    const range = this.free[index];
    const region = { ptr: range.ptr, byteLength: size };
    range.ptr += size;
    range.byteLength -= size;
    if (range.byteLength === 0) this.free.splice(index, 1);
    return region;
  }

  /** Runs `take`; if it fails, what it has reserved by then is free again. */
  allOrNothing<T>(take: () => T): T {
    const free = this.free.map((range) => ({ ...range }));
    try {
      return take();
    } catch (error) {
      this.free.splice(0, this.free.length, ...free);
      throw error;
    }
  }

  release(region: Region): void {
    this.free.push({ ptr: region.ptr, byteLength: region.byteLength });
    this.free.sort((a, b) => a.ptr - b.ptr);
    for (let i = this.free.length - 1; i > 0; i--) {
      const before = this.free[i - 1];
      if (before.ptr + before.byteLength !== this.free[i].ptr) continue;
      before.byteLength += this.free[i].byteLength;
      this.free.splice(i, 1);
    }
  }

  /** A view of a range, valid as long as its region is reserved. */
  at(ptr: number, byteLength: number): Uint8Array {
    return this.bytes.subarray(ptr, ptr + byteLength);
  }
}
