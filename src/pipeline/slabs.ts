// A fixed number of slabs, used again and again. Leasing one waits until one is free: this is
// what bounds the memory in flight and holds back the reader.
import type { Arena, Region } from "../core/arena.ts";
import { SLAB_BYTES } from "../core/slab.ts";

export class SlabPool {
  /** Told when a slab has become free for whoever tries next. */
  onFree: (() => void) | undefined;
  private readonly arena: Arena;
  private readonly region: Region;
  private readonly free: number[] = [];
  private readonly waiting: { resolve: (slabPtr: number) => void; reject: (e: unknown) => void }[] =
    [];
  private failure: { reason: unknown } | undefined;

  constructor(arena: Arena, count: number) {
    this.arena = arena;
    this.region = arena.reserve(count * SLAB_BYTES, "slabs");
    // Popped from the end: the slab that was used last is the one that is still in the cache.
    for (let i = count - 1; i >= 0; i--) this.free.push(this.region.ptr + i * SLAB_BYTES);
  }

  /** Bytes that `count` slabs take. */
  static bytesFor(count: number): number {
    return count * SLAB_BYTES;
  }

  /** Address of a slab; resolves when one is free. */
  async lease(): Promise<number> {
    if (this.failure) throw this.failure.reason;
    const slabPtr = this.free.pop();
    if (slabPtr !== undefined) return slabPtr;
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  /** A slab that is free now. */
  tryLease(): number | undefined {
    return this.failure ? undefined : this.free.pop();
  }

  release(slabPtr: number): void {
    const next = this.waiting.shift();
    if (next) next.resolve(slabPtr);
    else {
      this.free.push(slabPtr);
      this.onFree?.();
    }
  }

  /** Makes every present and future lease reject: nothing more is to be begun. */
  fail(reason: unknown): void {
    this.failure ??= { reason };
    for (const { reject } of this.waiting.splice(0)) reject(reason);
  }

  close(): void {
    this.arena.release(this.region);
  }
}
