// The clusters that the other side of a session may still name, compressed, in linear memory. The
// source decides which: they come in order and are dropped in order, and it keeps within the bytes
// that were agreed. The target decides nothing.
import type { Arena, Region } from "../core/arena.ts";
import { copyBytes } from "../core/copy.ts";
import { PagefoldError } from "../core/errors.ts";
import { IN_MEMORY, PLACE_BYTES, SLAB_CLUSTERS_BYTES } from "../core/slab.ts";
import type { PlacesRegion } from "../pool/task.ts";
import type { ClusterEntry } from "../wire/records.ts";

/** Room beyond what was agreed: for batches that are being restored, and the ring's end. */
export const SLOT_RING_SPARE_BYTES = 8 * SLAB_CLUSTERS_BYTES;
/** Bytes for one place. Clusters are smaller only where pages come one by one. */
const BYTES_PER_PLACE = 512;

/** The clusters of one batch. */
interface Segment {
  readonly start: number;
  readonly byteLength: number;
  readonly firstCluster: number;
  readonly endCluster: number;
  /** Set when it was dropped: resolves when nobody reads it any more. */
  unread: Promise<unknown> | undefined;
}

export class SlotRing {
  /** Clusters so far: the number of the next one. */
  clusterCount = 0;
  private readonly arena: Arena;
  private readonly region: Region;
  private readonly placesPtr: number;
  private readonly placeCapacity: number;
  private readonly ringBytes: number;
  private readonly session: number;
  /** Oldest first. */
  private readonly segments: Segment[] = [];
  private firstKept = 0;
  private end = 0;

  constructor(arena: Arena, slotBytes: number) {
    this.arena = arena;
    this.session = arena.nextSession();
    this.ringBytes = slotBytes + SLOT_RING_SPARE_BYTES;
    this.placeCapacity = Math.ceil(this.ringBytes / BYTES_PER_PLACE);
    this.region = arena.reserve(this.ringBytes + this.placeCapacity * PLACE_BYTES, "slots");
    this.placesPtr = this.region.ptr + this.ringBytes;
  }

  /** Bytes that a ring takes in all. */
  static bytesFor(slotBytes: number): number {
    const ringBytes = slotBytes + SLOT_RING_SPARE_BYTES;
    return ringBytes + Math.ceil(ringBytes / BYTES_PER_PLACE) * PLACE_BYTES;
  }

  /** What the most slots are that fit into `byteLength`. */
  static slotBytesWithin(byteLength: number): number {
    const ringBytes = byteLength / (1 + PLACE_BYTES / BYTES_PER_PLACE);
    return Math.max(0, Math.floor(ringBytes - SLOT_RING_SPARE_BYTES) - PLACE_BYTES);
  }

  /**
   * Keeps the clusters that lie one after another in `body` under the next numbers. Throws
   * CONNECTION when there would be more than was agreed.
   */
  async put(body: Uint8Array, clusters: readonly ClusterEntry[]): Promise<void> {
    // A segment of no bytes is never in the way: it would hide those behind it.
    if (clusters.length === 0) return;
    const start = await this.room(body.length, clusters.length);
    if (body.length > 0) {
      copyBytes(body, 0, this.arena.bytes, this.region.ptr + start, body.length);
    }
    let at = this.region.ptr + start;
    const firstCluster = this.clusterCount;
    for (const { byteLength } of clusters) {
      this.setPlace(this.clusterCount++, at, byteLength);
      at += byteLength;
    }
    const { length: byteLength } = body;
    const endCluster = this.clusterCount;
    this.segments.push({ start, byteLength, firstCluster, endCluster, unread: undefined });
  }

  /** Where all clusters are that there are now and may be named. */
  get places(): PlacesRegion {
    const { session, placesPtr: ptr, clusterCount: count, firstKept: first } = this;
    return { session, ptr, first, count, cycle: this.placeCapacity };
  }

  /** Clusters below `firstKept` will not be named any more; `readers` may still read them. */
  drop(firstKept: number, readers: () => Promise<unknown>): void {
    if (firstKept <= this.firstKept) return;
    this.firstKept = firstKept;
    let unread: Promise<unknown> | undefined;
    for (const segment of this.segments) {
      if (segment.endCluster > firstKept) break;
      unread ??= readers();
      segment.unread ??= unread;
    }
  }

  close(): void {
    this.arena.release(this.region);
  }

  /** Offset of `byteLength` free bytes; the oldest segments give way if they were dropped. */
  private async room(byteLength: number, clusterCount: number): Promise<number> {
    const isOver = this.end + byteLength > this.ringBytes;
    const start = isOver ? 0 : this.end;
    for (let [oldest] = this.segments; oldest; [oldest] = this.segments) {
      const heldCount = this.clusterCount - oldest.firstCluster + clusterCount;
      const isInTheWay = this.isInTheWay(oldest, start, byteLength, isOver);
      if (!isInTheWay && heldCount <= this.placeCapacity) break;
      if (!oldest.unread) {
        const reason = `the source keeps more than ${this.ringBytes} bytes of clusters`;
        throw new PagefoldError("CONNECTION", reason);
      }
      await oldest.unread;
      this.segments.shift();
    }
    this.end = start + byteLength;
    return start;
  }

  private isInTheWay(segment: Segment, start: number, byteLength: number, isOver: boolean) {
    // What lies behind the end when the ring begins anew is the oldest, and has to go first.
    if (isOver && segment.start >= this.end) return true;
    return segment.start < start + byteLength && start < segment.start + segment.byteLength;
  }

  private setPlace(cluster: number, ptr: number, byteLength: number): void {
    const at = this.placesPtr + (cluster % this.placeCapacity) * PLACE_BYTES;
    const { view } = this.arena;
    view.setFloat64(at, ptr, true);
    view.setUint32(at + 12, IN_MEMORY, true);
    view.setUint32(at + 8, byteLength, true);
  }
}
