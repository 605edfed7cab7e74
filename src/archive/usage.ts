// How scattered the images of an archive are, and what dropping one would free. Reads the whole
// index and, because deltas need their reference pages, every cluster of deltas.
import type { ImageUsage } from "../api.ts";
import { PagefoldError } from "../core/errors.ts";
import { RecordKind } from "../wire/records.ts";
import type { ClusterReader } from "./content.ts";
import { type ArchiveIndex, leavesOf } from "./index.ts";

const MIB = 1 << 20;
/** Items that are counted one by one; an archive of 1 TiB of distinct pages has as many. */
const MAX_ITEMS = 2 ** 28;
const UNUSED = 0;
const SHARED = -1;

/** Who uses each item of each cluster: nobody, one image (number + 1), or several. */
class Owners {
  private readonly firstItems: Uint32Array;
  private readonly owners: Int32Array;

  /** `firstItems[c]` counts the items before cluster c; one more entry counts them all. */
  constructor(firstItems: Uint32Array) {
    this.firstItems = firstItems;
    this.owners = new Int32Array(firstItems[firstItems.length - 1]);
  }

  use(cluster: number, item: number, count: number, owner: number): void {
    const start = this.firstItems[cluster] + item;
    if (start + count > this.firstItems[cluster + 1]) {
      const reason = `item ${item + count - 1} is used, which is not there`;
      throw new PagefoldError("DAMAGED", `cluster ${cluster}: ${reason}`);
    }
    for (let at = start; at < start + count; at++) {
      const before = this.owners[at];
      this.owners[at] = before === UNUSED || before === owner ? owner : SHARED;
    }
  }

  of(cluster: number): Int32Array {
    return this.owners.subarray(this.firstItems[cluster], this.firstItems[cluster + 1]);
  }
}

/** What each image of `index` uses. Throws DAMAGED when the index or a cluster of deltas is. */
export async function measureUsage(
  index: ArchiveIndex,
  clusters: ClusterReader,
  signal?: AbortSignal,
): Promise<ImageUsage[]> {
  const owners = new Owners(await countItems(index, signal));
  const needed = index.images.map(() => new Set<number>());
  for (let image = 0; image < index.images.length; image++) {
    for await (const leaf of leavesOf(index, image, signal)) {
      for (const run of leaf.runs) {
        if (run.kind !== RecordKind.DUPLICATE) continue;
        owners.use(run.cluster, run.item, run.length, image + 1);
        needed[image].add(run.cluster);
      }
    }
  }
  await addReferences(index, clusters, owners, needed, signal);
  const exclusive = new Float64Array(index.images.length);
  for (let cluster = 0; cluster < index.clusterCount; cluster++) {
    const { byteLength, itemCount } = await index.placeOf(cluster, signal);
    for (const owner of owners.of(cluster)) {
      if (owner > 0) exclusive[owner - 1] += byteLength / itemCount;
    }
  }
  return index.images.map(({ head, byteLength }, image) => ({
    name: head.name,
    clustersPerMiB: byteLength === 0 ? 0 : (needed[image].size * MIB) / byteLength,
    exclusiveBytes: Math.round(exclusive[image]),
  }));
}

async function countItems(index: ArchiveIndex, signal?: AbortSignal): Promise<Uint32Array> {
  const { clusterCount } = index;
  if (clusterCount > MAX_ITEMS) {
    throw new PagefoldError("LIMIT", `usage: ${clusterCount} clusters, limit ${MAX_ITEMS}`);
  }
  const firstItems = new Uint32Array(clusterCount + 1);
  for (let cluster = 0; cluster < clusterCount; cluster++) {
    const { itemCount } = await index.placeOf(cluster, signal);
    firstItems[cluster + 1] = firstItems[cluster] + itemCount;
    if (firstItems[cluster + 1] > MAX_ITEMS) {
      throw new PagefoldError("LIMIT", `usage: more than ${MAX_ITEMS} stored pages`);
    }
  }
  return firstItems;
}

/** Whoever uses a delta uses its reference pages. */
async function addReferences(
  index: ArchiveIndex,
  clusters: ClusterReader,
  owners: Owners,
  needed: readonly Set<number>[],
  signal?: AbortSignal,
): Promise<void> {
  const referred = new Map<number, Set<number>>();
  for (let cluster = 0; cluster < index.clusterCount; cluster++) {
    const { isDeltas } = await index.placeOf(cluster, signal);
    if (!isDeltas) continue;
    const items = await clusters.references(cluster, signal);
    const owned = owners.of(cluster);
    for (const [item, references] of items.entries()) {
      for (const reference of references) {
        if ("baseFrame" in reference || owned[item] === UNUSED) continue;
        if (reference.cluster >= cluster) {
          throw new PagefoldError("DAMAGED", `cluster ${cluster} item ${item}: refers forwards`);
        }
        owners.use(reference.cluster, reference.item, 1, owned[item]);
        const others = referred.get(cluster) ?? new Set<number>();
        referred.set(cluster, others.add(reference.cluster));
      }
    }
  }
  for (const set of needed) {
    for (const cluster of [...set]) {
      for (const other of referred.get(cluster) ?? []) set.add(other);
    }
  }
}
