// Buffers for the streams that a target puts together, used again and again: memory that is new to
// the process costs more than what is written into it.

/** Buffers are powers of two. Smaller ones are not worth keeping, larger ones are rare. */
const LEAST_BITS = 14;
const MOST_BITS = 22;
/** Bytes that are kept for later. */
const MAX_KEPT_BYTES = 64 << 20;

export class OutputRoom {
  /** By the bits of their length. */
  private readonly free: ArrayBuffer[][] = Array.from({ length: MOST_BITS + 1 }, () => []);
  private keptBytes = 0;

  /** A buffer whose content is whatever was there. */
  take(byteLength: number): Uint8Array {
    const bits = bitsFor(byteLength);
    if (bits < LEAST_BITS || bits > MOST_BITS) return Buffer.allocUnsafeSlow(byteLength);
    const kept = this.free[bits].pop();
    if (kept) this.keptBytes -= kept.byteLength;
    const buffer = kept ?? Buffer.allocUnsafeSlow(2 ** bits).buffer;
    return new Uint8Array(buffer, 0, byteLength);
  }

  /** Nobody looks at it any more. */
  give({ buffer }: Uint8Array): void {
    const { byteLength } = buffer;
    const bits = bitsFor(byteLength);
    if (bits < LEAST_BITS || bits > MOST_BITS || byteLength !== 2 ** bits) return;
    if (this.keptBytes + byteLength > MAX_KEPT_BYTES) return;
    this.keptBytes += byteLength;
    this.free[bits].push(buffer as ArrayBuffer);
  }
}

/** Bits of the smallest power of two that holds so many bytes. */
function bitsFor(byteLength: number): number {
  return byteLength < 2 ? 0 : 32 - Math.clz32(byteLength - 1);
}
