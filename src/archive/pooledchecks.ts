// Has workers check the clusters of an archive, batch by batch as they are walked over, and tells
// what they found to those who check images.
import type { Region } from "../core/arena.ts";
import { PagefoldError } from "../core/errors.ts";
import { PLACE_BYTES } from "../core/slab.ts";
import type { EngineResources } from "../pipeline/resources.ts";
import type { ClusterVerdict, PlacesRegion } from "../pool/task.ts";
import type { ClusterPlace } from "../wire/indexhead.ts";
import type { CheckedClusters } from "./checkedclusters.ts";
import type { ArchiveIndex } from "./index.ts";

/** Tasks that wait for each thread. */
const TASKS_AHEAD = 3;

/** Workers, and the file that they read. */
export interface CheckingPool {
  readonly resources: EngineResources;
  readonly fd: number;
}

export class PooledChecks {
  private readonly pool: CheckingPool;
  private readonly clusters: CheckedClusters;
  private readonly region: Region;
  private readonly places: PlacesRegion;
  private readonly running = new Set<Promise<unknown>>();

  /** A batch beyond the clusters that the index knows is not taken. */
  constructor(
    pool: CheckingPool,
    { clusterCount, seals }: Pick<ArchiveIndex, "clusterCount" | "seals">,
    clusters: CheckedClusters,
  ) {
    const { arena } = pool.resources;
    this.pool = pool;
    this.clusters = clusters;
    this.region = arena.reserve(Math.max(clusterCount, 1) * PLACE_BYTES, "places of clusters");
    const { ptr, byteLength } = this.region;
    arena.bytes.fill(0, ptr, ptr + byteLength);
    this.places = { session: arena.nextSession(), ptr, count: clusterCount, seals };
  }

  /** True if workers can check clusters up to this one. */
  takes(endCluster: number): boolean {
    return endCluster <= this.places.count;
  }

  /** Begins to check the clusters of a batch; `faults` are all that is wrong with them. */
  async begin(
    first: number,
    batch: readonly ClusterPlace[],
  ): Promise<{ faults: Promise<string[]> }> {
    const { resources, fd } = this.pool;
    const { view } = resources.arena;
    for (const [i, { byteOffset, byteLength }] of batch.entries()) {
      const at = this.places.ptr + (first + i) * PLACE_BYTES;
      view.setFloat64(at, byteOffset, true);
      view.setUint32(at + 8, byteLength, true);
      view.setUint32(at + 12, fd, true);
    }
    while (this.running.size >= TASKS_AHEAD * Math.max(resources.pool.threads, 1)) {
      await Promise.race(this.running);
    }
    const faults = this.check(first, batch);
    // Whoever waits for the faults hears of a failure.
    const done: Promise<unknown> = faults
      .catch(() => undefined)
      .finally(() => this.running.delete(done));
    this.running.add(done);
    return { faults };
  }

  /** Resolves when all that was begun is known. */
  async settle(): Promise<void> {
    await Promise.all(this.running);
  }

  async close(): Promise<void> {
    await this.settle();
    this.pool.resources.arena.release(this.region);
  }

  private async check(first: number, batch: readonly ClusterPlace[]): Promise<string[]> {
    const { places } = this;
    const end = first + batch.length;
    const { pool } = this.pool.resources;
    const { verdicts, fault } = await pool.run({ kind: "check", places, first, end });
    if (fault) throw new PagefoldError("INPUT", `clusters ${first} to ${end - 1}: ${fault.reason}`);
    return verdicts.flatMap((verdict, i) => {
      return this.clusters.put(first + i, agreed(verdict, first + i, batch[i]));
    });
  }
}

/** A cluster is not what it says if the head of its batch says something else. */
function agreed(verdict: ClusterVerdict, cluster: number, place: ClusterPlace): ClusterVerdict {
  if (typeof verdict === "string") return verdict;
  const { itemCount, isDeltas } = verdict;
  if (itemCount === place.itemCount && isDeltas === place.isDeltas) return verdict;
  return `cluster ${cluster}: ${itemCount} items, the index says ${place.itemCount}`;
}
