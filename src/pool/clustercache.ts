// Clusters that a worker reads back: fetched by number through the shared places, decoded, and
// kept for a while, because duplicates come in runs.
import { readSync } from "node:fs";
import { PagefoldError, reasonOf } from "../core/errors.ts";
import { MAX_CLUSTER_BYTES } from "../core/limits.ts";
import { IN_MEMORY, PLACE_BYTES } from "../core/slab.ts";
import { type DecodedCluster, type DecodeMemory, decodeCluster } from "./decodecluster.ts";
import type { Scratch } from "./scratch.ts";
import type { PlacesRegion } from "./task.ts";

export class ClusterCache {
  private readonly memory: DecodeMemory;
  private readonly scratch: Scratch;
  /** Decoded clusters by number, least recently used first. */
  private readonly held = new Map<number, DecodedCluster>();
  /** Addresses that no held cluster has. */
  private readonly free: number[];
  private session = -1;

  constructor(memory: DecodeMemory, scratch: Scratch) {
    this.memory = memory;
    this.scratch = scratch;
    const { cached, cachedCount } = scratch;
    this.free = Array.from({ length: cachedCount }, (_, i) => cached + i * MAX_CLUSTER_BYTES);
  }

  /**
   * The content of a cluster, valid until `cachedCount` others were asked for; undefined if it has
   * no place. Throws DAMAGED.
   */
  get(cluster: number, places: PlacesRegion): DecodedCluster | undefined {
    if (this.session !== places.session) {
      this.session = places.session;
      for (const { ptr } of this.held.values()) this.free.push(ptr);
      this.held.clear();
    }
    if (cluster >= places.count) return undefined;
    let decoded = this.held.get(cluster);
    if (decoded) this.held.delete(cluster);
    else decoded = this.load(cluster, places);
    if (decoded) this.held.set(cluster, decoded);
    return decoded;
  }

  private load(cluster: number, places: PlacesRegion): DecodedCluster | undefined {
    const { view } = this.memory;
    const at = places.ptr + cluster * PLACE_BYTES;
    const byteLength = view.getUint32(at + 8, true);
    if (byteLength === 0) return undefined;
    const byteOffset = view.getFloat64(at, true);
    const fd = view.getUint32(at + 12, true);
    const source = fd === IN_MEMORY ? byteOffset : this.fetch(cluster, fd, byteOffset, byteLength);
    const { results } = this.scratch;
    const target = this.place();
    try {
      return decodeCluster(this.memory, cluster, source, byteLength, target, results);
    } catch (error) {
      this.free.push(target);
      throw error;
    }
  }

  /** Reads header and payload into scratch memory. */
  private fetch(cluster: number, fd: number, byteOffset: number, byteLength: number): number {
    const { payload } = this.scratch;
    let got: number;
    try {
      got = readSync(fd, this.memory.bytes, payload, byteLength, byteOffset);
    } catch (error) {
      const reason = `${reasonOf(error)} at offset ${byteOffset}`;
      throw new PagefoldError("DAMAGED", `cluster ${cluster}: ${reason}`, { cause: error });
    }
    if (got !== byteLength) {
      const reason = `${got} of ${byteLength} bytes at offset ${byteOffset}`;
      throw new PagefoldError("DAMAGED", `cluster ${cluster}: ${reason}`);
    }
    return payload;
  }

  /** Room for one more; the least recently used cluster gives way. */
  private place(): number {
    const ptr = this.free.pop();
    if (ptr !== undefined) return ptr;
    const [oldest, decoded] = this.held.entries().next().value as [number, DecodedCluster];
    this.held.delete(oldest);
    return decoded.ptr;
  }
}
