// Buffers for the streams that a target puts together, used again and again: new ones of a megabyte
// each would keep the garbage collector of the runtime busy.

/** Smaller ones are not worth to be kept, and would waste what they take of a larger one. */
const LEAST_BYTES = 256 << 10;
const BUFFER_BYTES = 3 << 20;
const MAX_KEPT = 16;

export class OutputRoom {
  private readonly free: ArrayBuffer[] = [];

  /** A buffer whose content is whatever was there. */
  take(byteLength: number): Uint8Array {
    if (byteLength < LEAST_BYTES || byteLength > BUFFER_BYTES) {
      return Buffer.allocUnsafeSlow(byteLength);
    }
    const buffer = this.free.pop() ?? new ArrayBuffer(BUFFER_BYTES);
    return new Uint8Array(buffer, 0, byteLength);
  }

  /** Nobody looks at it any more. */
  give({ buffer }: Uint8Array): void {
    if (buffer.byteLength !== BUFFER_BYTES || this.free.length >= MAX_KEPT) return;
    this.free.push(buffer as ArrayBuffer);
  }
}
