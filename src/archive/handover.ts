// Hands pieces from one who makes them to one who iterates: a piece counts as written when it was
// taken, so the maker is never more than his own buffers ahead.

export class Handover<T> {
  private readonly offered: { piece: T; taken: () => void; reject: (e: unknown) => void }[] = [];
  private waiting: { resolve: (piece: T | undefined) => void; reject: (e: unknown) => void }[] = [];
  private failure: { reason: unknown } | undefined;
  private ended = false;

  /** Resolves when the piece was taken. */
  put(piece: T): Promise<void> {
    if (this.failure) return Promise.reject(this.failure.reason);
    const next = this.waiting.shift();
    if (next) {
      next.resolve(piece);
      return Promise.resolve();
    }
    return new Promise((taken, reject) => this.offered.push({ piece, taken, reject }));
  }

  /** The next piece; undefined after `end`. */
  take(): Promise<T | undefined> {
    const first = this.offered.shift();
    if (first) {
      first.taken();
      return Promise.resolve(first.piece);
    }
    if (this.failure) return Promise.reject(this.failure.reason);
    if (this.ended) {
      this.ended = false;
      return Promise.resolve(undefined);
    }
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  /** Says that no more pieces come; after the taker was told, more may be put again. */
  end(): void {
    const next = this.waiting.shift();
    if (next) next.resolve(undefined);
    else this.ended = true;
  }

  /** Rejects everything that is offered or waited for, now and later. */
  fail(reason: unknown): void {
    this.failure ??= { reason };
    for (const { reject } of this.offered.splice(0)) reject(this.failure.reason);
    for (const { reject } of this.waiting.splice(0)) reject(this.failure.reason);
  }
}
