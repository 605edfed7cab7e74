// Which stored content can be had again when its source cannot be read twice. What is not in a file
// that can be read back stays in a ring of memory; the oldest clusters give way. Whether a batch
// may use something depends on batch numbers and stored bytes alone, never on who was faster.
import type { Arena, Region } from "../core/arena.ts";
import { copyBytes } from "../core/copy.ts";
import { BATCH_PAGES, IN_MEMORY, SLAB_CLUSTERS_BYTES } from "../core/slab.ts";
import type { Scope } from "../dedup/scope.ts";
import type { EncodedCluster } from "./encoded.ts";

/**
 * Batch n is matched when batch n − HISTORY_LAG has been emitted; what came later may be late.
 * These are 16 MiB of pages: more would cost the ring, less would keep workers waiting.
 */
export const HISTORY_LAG = 4096 / BATCH_PAGES;
/** The most that HISTORY_LAG batches can store, and what is once left over at the ring's end. */
const MARGIN_BYTES = (HISTORY_LAG + 1) * SLAB_CLUSTERS_BYTES;
/** A ring that is smaller would hold nothing for sure. */
export const MIN_RING_BYTES = 2.5 * MARGIN_BYTES;

export interface HistoryParts {
  readonly arena: Arena;
  readonly scope: Scope;
  /** Descriptor from which all clusters can be read back, if there is one. */
  readonly clusterFd: number | undefined;
  /** Bytes of the ring where there is none; 0: nothing is kept. */
  readonly ringBytes: number;
}

/** Content of an earlier page that a batch would like to have. */
export interface WantedPage {
  /** Ordinal of the batch that stored it, and the page there. */
  readonly owner: number;
  readonly page: number;
  /** Known to be stored as a delta. */
  readonly isDelta: boolean;
}

export class History {
  private readonly parts: HistoryParts;
  private readonly ring: Region | undefined;
  /** By ordinal: bytes stored before the batch, and before the oldest one that its deltas name. */
  private readonly starts: number[] = [];
  private readonly oldest: number[] = [];
  /** By ordinal: number of the batch's first cluster, and the first batch that the ring holds. */
  private readonly firstClusters: number[] = [];
  private firstHeld = 0;
  /** Pages by ordinal that may be deltas against the base: those are never read back. */
  private readonly based = new Map<number, Uint8Array>();
  /** By ordinal modulo HISTORY_LAG: when it is emitted, and the bytes stored then. */
  private readonly emitted: (Promise<unknown> | undefined)[] = new Array(HISTORY_LAG);
  private readonly ends = new Float64Array(HISTORY_LAG);
  private readonly clusterCounts = new Float64Array(HISTORY_LAG);
  private end = 0;

  constructor(parts: HistoryParts) {
    this.parts = parts;
    const { arena, clusterFd, ringBytes } = parts;
    if (clusterFd === undefined && ringBytes >= MIN_RING_BYTES) {
      this.ring = arena.reserve(ringBytes, "stored clusters");
    }
  }

  /** Resolves when the batch that `ordinal` has to wait for has been emitted. */
  ready(ordinal: number): Promise<unknown> | undefined {
    return this.ring && this.emitted[ordinal % HISTORY_LAG];
  }

  follow(ordinal: number, emitted: Promise<unknown>): void {
    this.emitted[ordinal % HISTORY_LAG] = emitted;
  }

  /** True if batch `ordinal` may compare with the page: it will be there, however long it takes. */
  isReadable(wanted: WantedPage, ordinal: number): boolean {
    const { owner, page, isDelta } = wanted;
    if (owner === ordinal) return true;
    const based = this.based.get(owner);
    if (based && (based[page >> 3] & (1 << (page & 7))) !== 0) return false;
    return this.isHeld(owner, isDelta ? this.oldest : this.starts, ordinal, MARGIN_BYTES);
  }

  /**
   * True if a delta of batch `ordinal` may name content of batch `owner`. That has to stay for
   * twice as long: batches that find the delta equal read it back with its references.
   */
  isReference(owner: number, ordinal: number): boolean {
    return this.isHeld(owner, this.starts, ordinal, 2 * MARGIN_BYTES);
  }

  /** Notes that a page of batch `ordinal` may become a delta that names content of `owner`. */
  refer(ordinal: number, owner: number): void {
    const start = this.starts[owner] ?? 0;
    this.oldest[ordinal] = Math.min(this.oldest[ordinal] ?? start, start);
  }

  /** Notes that a page of batch `ordinal` may become a delta against the base. */
  referToBase(ordinal: number, page: number): void {
    const pages = this.based.get(ordinal) ?? new Uint8Array(BATCH_PAGES / 8);
    pages[page >> 3] |= 1 << (page & 7);
    this.based.set(ordinal, pages);
  }

  /** Keeps the clusters of an emitted batch, which lie one after another from `clustersPtr` on. */
  keep(
    ordinal: number,
    clusters: readonly EncodedCluster[],
    firstCluster: number,
    clustersPtr: number,
  ): void {
    this.firstClusters[ordinal] = firstCluster;
    if (!this.ring) {
      this.firstHeld = ordinal;
      return;
    }
    const { arena, scope } = this.parts;
    const { ptr, byteLength: ringBytes } = this.ring;
    const bytes = clusters.reduce((sum, cluster) => sum + cluster.byteLength, 0);
    const left = ringBytes - (this.end % ringBytes);
    if (left < bytes) this.end += left;
    const at = ptr + (this.end % ringBytes);
    if (bytes > 0) copyBytes(arena.bytes, clustersPtr, arena.bytes, at, bytes);
    clusters.forEach(({ byteOffset, byteLength }, i) => {
      scope.setPlace(firstCluster + i, at + byteOffset, byteLength, IN_MEMORY);
    });
    this.starts[ordinal] = this.end;
    this.oldest[ordinal] = Math.min(this.oldest[ordinal] ?? this.end, this.end);
    this.end += bytes;
    this.ends[ordinal % HISTORY_LAG] = this.end;
    this.clusterCounts[ordinal % HISTORY_LAG] = firstCluster + clusters.length;
    while (this.starts[this.firstHeld] + ringBytes < this.end) this.firstHeld++;
  }

  /** First cluster that a batch to come may still name. */
  get firstKept(): number {
    return this.firstClusters[this.firstHeld] ?? 0;
  }

  close(): void {
    if (this.ring) this.parts.arena.release(this.ring);
  }

  /** Whether bytes from `starts[owner]` on stay until `marginBytes` more than known are stored. */
  private isHeld(
    owner: number,
    starts: readonly number[],
    ordinal: number,
    marginBytes: number,
  ): boolean {
    if (this.parts.clusterFd !== undefined) return true;
    if (!this.ring) return false;
    // Workers find clusters by number in a list that ends somewhere.
    const clusterCount = this.clusterCounts[ordinal % HISTORY_LAG] + HISTORY_LAG * BATCH_PAGES;
    if (clusterCount > this.parts.scope.placeCapacity) return false;
    if (owner > ordinal - HISTORY_LAG) return true;
    const known = this.ends[ordinal % HISTORY_LAG];
    return starts[owner] + this.ring.byteLength >= known + marginBytes;
  }
}
