// Pages of a source that were sent by name, until the target has them: they may have to be sent
// after all. A fixed part of linear memory.
import type { Arena, Region } from "../core/arena.ts";
import { copyBytes } from "../core/copy.ts";
import { PAGE_BYTES } from "../core/page.ts";

export class HeldPages {
  private readonly arena: Arena;
  private readonly region: Region;
  /** Places that are free, and where each name's page lies. */
  private readonly free: number[] = [];
  private readonly places = new Map<number, number>();

  constructor(arena: Arena, capacity: number) {
    this.arena = arena;
    this.region = arena.reserve(capacity * PAGE_BYTES, "pages sent by name");
    for (let place = capacity - 1; place >= 0; place--) this.free.push(place);
  }

  /** Keeps the page at `pagePtr` for a name. There must be room. */
  put(name: number, pagePtr: number): void {
    const place = this.free.pop();
    if (place === undefined) throw new Error("more pages are held than there is room for");
    this.places.set(name, place);
    const { bytes } = this.arena;
    copyBytes(bytes, pagePtr, bytes, this.region.ptr + place * PAGE_BYTES, PAGE_BYTES);
  }

  /** Copies the page of a name; false if it is not held any more. */
  copy(name: number, pagePtr: number): boolean {
    const place = this.places.get(name);
    if (place === undefined) return false;
    const { bytes } = this.arena;
    copyBytes(bytes, this.region.ptr + place * PAGE_BYTES, bytes, pagePtr, PAGE_BYTES);
    return true;
  }

  drop(name: number): void {
    const place = this.places.get(name);
    if (place === undefined) return;
    this.places.delete(name);
    this.free.push(place);
  }

  close(): void {
    this.arena.release(this.region);
  }
}
