// Tells workers where the clusters of an archive's file are: one record for each, in linear memory.
import { PagefoldError } from "../core/errors.ts";
import { PLACE_BYTES } from "../core/slab.ts";
import type { ClusterPlace } from "../wire/indexhead.ts";
import type { ArchiveIndex } from "./index.ts";

/** Writes the places of all clusters of `index`, PLACE_BYTES each, from `ptr` on. */
export async function writePlaces(
  view: DataView,
  ptr: number,
  index: ArchiveIndex,
  fd: number,
  visit?: (cluster: number, place: ClusterPlace) => void,
  signal?: AbortSignal,
): Promise<void> {
  for (let cluster = 0; cluster < index.clusterCount; ) {
    for (const place of await placesFrom(index, cluster, signal)) {
      const at = ptr + cluster * PLACE_BYTES;
      view.setFloat64(at, place.byteOffset, true);
      view.setUint32(at + 8, place.byteLength, true);
      view.setUint32(at + 12, fd, true);
      visit?.(cluster, place);
      cluster++;
    }
  }
}

/** A cluster whose place is lost has length 0: its pages cannot be had. */
async function placesFrom(
  index: ArchiveIndex,
  cluster: number,
  signal: AbortSignal | undefined,
): Promise<readonly ClusterPlace[]> {
  try {
    return await index.placesFrom(cluster, signal);
  } catch (error) {
    if (!(error instanceof PagefoldError && error.code === "DAMAGED")) throw error;
    return [{ byteOffset: 0, byteLength: 0, itemCount: 0, isDeltas: false }];
  }
}
