// What verifying knows of clusters: the fingerprint of every item, or why it cannot be had. With
// these an image is checked without decoding anything twice.
import { PagefoldError } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { FINGERPRINT_BYTES } from "../kernels/abi.ts";
import type { ClusterVerdict } from "../pool/task.ts";
import type { ClusterPlace } from "../wire/indexhead.ts";
import type { ClusterReader, ReadOptions } from "./content.ts";

/** A cluster that was decoded; `faults` names the items that could not be. */
interface Checked {
  readonly fingerprints: Uint8Array;
  readonly faults: ReadonlyMap<number, string>;
}

export class CheckedClusters {
  private readonly reader: ClusterReader;
  private readonly options: ReadOptions;
  /** By cluster; a string says why the cluster is lost. */
  private readonly known = new Map<number, Checked | string>();

  constructor(reader: ClusterReader, options: ReadOptions) {
    this.reader = reader;
    this.options = options;
  }

  /** Decodes a cluster from its bytes. Returns its faults; what it needs may be read as well. */
  async check(cluster: number, place: ClusterPlace, bytes: Uint8Array): Promise<string[]> {
    return this.learn(cluster, async () => this.reader.decode(cluster, place, bytes).itemCount);
  }

  /** Takes what a worker has found. Returns its faults. */
  put(cluster: number, verdict: ClusterVerdict): string[] {
    if (typeof verdict === "string") {
      this.known.set(cluster, verdict);
      return [verdict];
    }
    const faults = new Map(verdict.faults);
    this.known.set(cluster, { fingerprints: verdict.fingerprints, faults });
    return [...new Set(faults.values())];
  }

  /** The fingerprints of items that can all be had and are known already. */
  fingerprints(cluster: number, item: number, count: number): Uint8Array | undefined {
    const checked = this.known.get(cluster);
    if (checked === undefined || typeof checked === "string") return undefined;
    const end = (item + count) * FINGERPRINT_BYTES;
    if (checked.faults.size > 0 || end > checked.fingerprints.length) return undefined;
    return checked.fingerprints.subarray(item * FINGERPRINT_BYTES, end);
  }

  /** The fingerprint of an item, or why there is none. */
  async fingerprint(cluster: number, item: number): Promise<Uint8Array | string> {
    if (!this.known.has(cluster)) {
      const { reader, options } = this;
      await this.learn(cluster, async () => {
        return (await reader.content(cluster, options.signal)).itemCount;
      });
    }
    const checked = this.known.get(cluster) as Checked | string;
    if (typeof checked === "string") return checked;
    const start = item * FINGERPRINT_BYTES;
    if (start >= checked.fingerprints.length) return `cluster ${cluster}: has no item ${item}`;
    return (
      checked.faults.get(item) ?? checked.fingerprints.subarray(start, start + FINGERPRINT_BYTES)
    );
  }

  /**
   * Compares fingerprints that the archive keeps for the clusters from `firstCluster` on. Returns
   * the first cluster that is known and differs.
   */
  firstDifference(firstCluster: number, count: number, kept: Uint8Array): number | undefined {
    let at = 0;
    for (let cluster = firstCluster; cluster < firstCluster + count; cluster++) {
      const checked = this.known.get(cluster);
      // Items of a lost cluster cannot be counted, so what follows cannot be found either.
      if (checked === undefined || typeof checked === "string") return undefined;
      const { fingerprints, faults } = checked;
      const same = Buffer.compare(fingerprints, kept.subarray(at, at + fingerprints.length)) === 0;
      if (faults.size === 0 && !same) return cluster;
      at += fingerprints.length;
    }
    return at === kept.length ? undefined : firstCluster + count - 1;
  }

  private async learn(cluster: number, load: () => Promise<number>): Promise<string[]> {
    const faults = new Map<number, string>();
    try {
      const itemCount = await load();
      const pages = new Uint8Array(itemCount * PAGE_BYTES);
      try {
        await this.reader.readItems(cluster, 0, itemCount, pages, this.options);
      } catch (error) {
        damageIn(error);
        await this.readOneByOne(cluster, itemCount, pages, faults);
      }
      const fingerprints = this.reader.fingerprintsOf(pages);
      this.known.set(cluster, { fingerprints, faults });
    } catch (error) {
      const reason = damageIn(error);
      this.known.set(cluster, reason);
      return [reason];
    }
    return [...new Set(faults.values())];
  }

  private async readOneByOne(
    cluster: number,
    itemCount: number,
    pages: Uint8Array,
    faults: Map<number, string>,
  ): Promise<void> {
    for (let item = 0; item < itemCount; item++) {
      const page = pages.subarray(item * PAGE_BYTES, (item + 1) * PAGE_BYTES);
      try {
        await this.reader.readItems(cluster, item, 1, page, this.options);
      } catch (error) {
        faults.set(item, damageIn(error));
      }
    }
  }
}

/** What is damaged; throws on what is thrown for any other reason. */
export function damageIn(error: unknown): string {
  if (error instanceof PagefoldError && error.code === "DAMAGED") return error.message;
  throw error;
}
