// Takes exact numbers of bytes out of a stream that comes in pieces of any size. It holds one piece
// and what was asked for, nothing more.

export class PieceReader {
  /** Bytes taken so far. */
  position = 0;
  private readonly iterator: AsyncIterator<Uint8Array>;
  private readonly signal: AbortSignal | undefined;
  private piece = new Uint8Array(0);
  private isDone = false;

  constructor(bytes: AsyncIterable<Uint8Array>, signal: AbortSignal | undefined) {
    this.iterator = bytes[Symbol.asyncIterator]();
    this.signal = signal;
  }

  /** The next `count` bytes, fewer only at the end. Valid until the next call. */
  async take(count: number): Promise<Uint8Array> {
    // For no bytes nobody may have to wait.
    if (this.piece.length === 0 && count > 0) await this.fetch();
    if (this.piece.length >= count || this.isDone) return this.cut(count);
    const bytes = new Uint8Array(count);
    return bytes.subarray(0, await this.takeInto(bytes));
  }

  /** Fills `target` with the next bytes; returns how many there were. */
  async takeInto(target: Uint8Array): Promise<number> {
    let filled = 0;
    while (filled < target.length && !this.isDone) {
      if (this.piece.length === 0) await this.fetch();
      const part = this.cut(target.length - filled);
      target.set(part, filled);
      filled += part.length;
    }
    return filled;
  }

  /** Goes on by `count` bytes; returns how many there were. */
  async skip(count: number): Promise<number> {
    let skipped = 0;
    while (skipped < count) {
      if (this.piece.length === 0) await this.fetch();
      if (this.piece.length === 0) break;
      skipped += this.cut(count - skipped).length;
    }
    return skipped;
  }

  /** Tells the sender that no more is wanted. */
  async close(): Promise<void> {
    if (this.isDone) return;
    this.isDone = true;
    const returned = this.iterator.return?.();
    // A sender that hangs must not keep an aborted reader.
    if (this.signal?.aborted) void returned?.catch(() => undefined);
    else await returned;
  }

  private cut(count: number): Uint8Array {
    const part = this.piece.subarray(0, count);
    this.piece = this.piece.subarray(part.length);
    this.position += part.length;
    return part;
  }

  private async fetch(): Promise<void> {
    while (this.piece.length === 0 && !this.isDone) {
      this.signal?.throwIfAborted();
      const { done, value } = await this.next();
      if (done) this.isDone = true;
      else this.piece = value as Uint8Array<ArrayBuffer>;
    }
  }

  private next(): Promise<IteratorResult<Uint8Array>> {
    const { iterator, signal } = this;
    if (!signal) return iterator.next();
    return new Promise((resolve, reject) => {
      const onAbort = (): void => reject(signal.reason);
      signal.addEventListener("abort", onAbort);
      iterator
        .next()
        .then(resolve, reject)
        .finally(() => signal.removeEventListener("abort", onAbort));
    });
  }
}
