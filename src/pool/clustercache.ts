// Clusters that a worker reads back: fetched by number through the shared places, decoded, and
// kept for a while, because duplicates come in runs.
import { readSync } from "node:fs";
import { PagefoldError, reasonOf } from "../core/errors.ts";
import { MAX_CLUSTER_BYTES } from "../core/limits.ts";
import { ClusterKeys } from "../core/seal.ts";
import { IN_MEMORY, PLACE_BYTES } from "../core/slab.ts";
import { type DecodedCluster, type DecodeMemory, decodeCluster } from "./decodecluster.ts";
import type { Scratch } from "./scratch.ts";
import { openCluster } from "./sealedcluster.ts";
import type { PlacesRegion } from "./task.ts";

/** Header and payload of a cluster in linear memory. */
export interface FetchedCluster {
  readonly ptr: number;
  readonly byteLength: number;
  /** True if it was sealed: then its own checksum is not there. */
  readonly wasSealed: boolean;
}

/** Bytes of a slot as long as no larger cluster was asked for. */
const LEAST_SLOT_BYTES = 1 << 15;

export class ClusterCache {
  private readonly memory: DecodeMemory;
  private readonly scratch: Scratch;
  /** Decoded clusters by number, least recently used first. */
  private readonly held = new Map<number, DecodedCluster>();
  /** Slots are all of one size: that of the largest cluster of the session so far. */
  private slotBytes = LEAST_SLOT_BYTES;
  /** Addresses of slots that no held cluster has. */
  private free: number[] = [];
  private session = -1;
  private keys: { readonly session: number; readonly of: ClusterKeys } | undefined;

  constructor(memory: DecodeMemory, scratch: Scratch) {
    this.memory = memory;
    this.scratch = scratch;
  }

  /**
   * The content of a cluster, valid until the next one is asked for; undefined if it has no place.
   * Throws DAMAGED.
   */
  get(cluster: number, places: PlacesRegion): DecodedCluster | undefined {
    if (this.session !== places.session) {
      this.session = places.session;
      this.divide(LEAST_SLOT_BYTES);
    }
    // Whether it is still held would depend on who had it last.
    if (places.first !== undefined && cluster < places.first) return undefined;
    let decoded = this.held.get(cluster);
    if (decoded) this.held.delete(cluster);
    else decoded = this.load(cluster, places);
    if (decoded) this.held.set(cluster, decoded);
    return decoded;
  }

  /**
   * Reads header and payload of a cluster, valid until the next one is fetched; undefined if it has
   * no place. `isTested`: the checksum of a sealed one is to agree, although it opens. Throws
   * DAMAGED.
   */
  fetch(cluster: number, places: PlacesRegion, isTested = false): FetchedCluster | undefined {
    if (cluster >= places.count) return undefined;
    const { view, bytes } = this.memory;
    const index = places.cycle === undefined ? cluster : cluster % places.cycle;
    const at = places.ptr + index * PLACE_BYTES;
    const byteLength = view.getUint32(at + 8, true);
    if (byteLength === 0) return undefined;
    const byteOffset = view.getFloat64(at, true);
    const fd = view.getUint32(at + 12, true);
    if (fd === IN_MEMORY) return { ptr: byteOffset, byteLength, wasSealed: false };
    const { payload } = this.scratch;
    let got: number;
    try {
      got = readSync(fd, bytes, payload, byteLength, byteOffset);
    } catch (error) {
      const reason = `${reasonOf(error)} at offset ${byteOffset}`;
      throw new PagefoldError("DAMAGED", `cluster ${cluster}: ${reason}`, { cause: error });
    }
    if (got !== byteLength) {
      const reason = `${got} of ${byteLength} bytes at offset ${byteOffset}`;
      throw new PagefoldError("DAMAGED", `cluster ${cluster}: ${reason}`);
    }
    const keys = this.keysOf(places);
    if (!keys) return { ptr: payload, byteLength, wasSealed: false };
    const { memory } = this;
    const { results } = this.scratch;
    const opened = openCluster(memory, keys, cluster, payload, byteLength, results, isTested);
    return { ptr: payload, byteLength: opened, wasSealed: true };
  }

  /** A session's seals never change. */
  private keysOf({ session, seals }: PlacesRegion): ClusterKeys | undefined {
    if (!seals) return undefined;
    if (this.keys?.session !== session) this.keys = { session, of: new ClusterKeys(seals) };
    return this.keys.of;
  }

  private load(cluster: number, places: PlacesRegion): DecodedCluster | undefined {
    const found = this.fetch(cluster, places);
    if (!found) return undefined;
    const { memory, scratch } = this;
    let slot: number | undefined;
    const place = (contentBytes: number): number => {
      slot = this.place(contentBytes);
      return slot;
    };
    try {
      const { ptr, byteLength, wasSealed } = found;
      const { decoder } = scratch;
      return decodeCluster(memory, cluster, ptr, byteLength, place, decoder, wasSealed);
    } catch (error) {
      if (slot !== undefined) this.free.push(slot);
      throw error;
    }
  }

  /** Room for one more; the least recently used cluster gives way. */
  private place(contentBytes: number): number {
    if (contentBytes > this.slotBytes) {
      let slotBytes = this.slotBytes;
      while (slotBytes < contentBytes) slotBytes *= 2;
      this.divide(slotBytes);
    }
    const ptr = this.free.pop();
    if (ptr !== undefined) return ptr;
    const [oldest, decoded] = this.held.entries().next().value as [number, DecodedCluster];
    this.held.delete(oldest);
    return decoded.ptr;
  }

  /** Forgets everything and makes slots of `slotBytes`. */
  private divide(slotBytes: number): void {
    const { cached, cachedCount } = this.scratch;
    this.held.clear();
    this.slotBytes = slotBytes;
    const count = Math.floor((cachedCount * MAX_CLUSTER_BYTES) / slotBytes);
    this.free = Array.from({ length: count }, (_, i) => cached + (count - 1 - i) * slotBytes);
  }
}
