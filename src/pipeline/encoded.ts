// The clusters of an encoded batch, as the kernels list them in its slab.
import type { Arena } from "../core/arena.ts";
import { TAG_BYTES } from "../core/seal.ts";
import { slabPart } from "../core/slab.ts";
import { CLUSTER_ENTRY_BYTES, CLUSTER_IS_DELTAS, CLUSTER_IS_RAW } from "../kernels/abi.ts";

/** A cluster that was encoded: its place in the slab's cluster part and what its entry says. */
export interface EncodedCluster {
  readonly byteOffset: number;
  readonly byteLength: number;
  readonly itemCount: number;
  readonly isDeltas: boolean;
  readonly isRaw: boolean;
}

/** Where they are once they were sealed. */
export function sealedPlaces(clusters: readonly EncodedCluster[]): EncodedCluster[] {
  return clusters.map((cluster, i) => {
    const byteOffset = cluster.byteOffset + i * TAG_BYTES;
    return { ...cluster, byteOffset, byteLength: cluster.byteLength + TAG_BYTES };
  });
}

export function readEncoded(arena: Arena, slabPtr: number, count: number): EncodedCluster[] {
  const { words } = arena;
  const clusters: EncodedCluster[] = [];
  for (let i = 0; i < count; i++) {
    const at = (slabPart(slabPtr, "encoded") + i * CLUSTER_ENTRY_BYTES) / 4;
    const flags = words[at + 3];
    clusters.push({
      byteOffset: words[at],
      byteLength: words[at + 1],
      itemCount: words[at + 2],
      isDeltas: (flags & CLUSTER_IS_DELTAS) !== 0,
      isRaw: (flags & CLUSTER_IS_RAW) !== 0,
    });
  }
  return clusters;
}
