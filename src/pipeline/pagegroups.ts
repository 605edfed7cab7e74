// Groups of pages that hosts of a rack hold for each other, between slabs and their own bytes.
import type { Arena, Region } from "../core/arena.ts";
import { copyBytes } from "../core/copy.ts";
import { digestAt } from "../core/digests.ts";
import { PagefoldError } from "../core/errors.ts";
import { MAX_CLUSTER_ENTRY_BYTES } from "../core/limits.ts";
import { DIGEST_BYTES, PAGE_BYTES } from "../core/page.ts";
import { type PageGroup, type PageVisitor, pagesOf } from "../core/pagegroup.ts";
import { BATCH_PAGES, SLAB_CLUSTERS_BYTES, slabPart } from "../core/slab.ts";
import { CLUSTER_ENTRY_BYTES } from "../kernels/abi.ts";
import { readEncoded } from "./encoded.ts";
import type { EngineResources } from "./resources.ts";
import { SlabPool } from "./slabs.ts";
import { slabHashes } from "./surveyed.ts";

/** The groups that a worker has packed of `count` pages: those that have their digests. */
export function packedGroups(
  arena: Arena,
  slabPtr: number,
  count: number,
  groupCount: number,
): PageGroup[] {
  const digests = arena.at(slabPart(slabPtr, "digests"), count * DIGEST_BYTES);
  const codes = slabPart(slabPtr, "codes");
  let page = 0;
  return readEncoded(arena, slabPtr, groupCount).map(({ byteOffset, byteLength, itemCount }) => {
    const group = {
      digests: new Uint8Array(itemCount * DIGEST_BYTES),
      cluster: new Uint8Array(byteLength),
    };
    for (let item = 0; item < itemCount; page++) {
      if (arena.bytes[codes + page] === 0) continue;
      group.digests.set(digestAt(digests, page), item++ * DIGEST_BYTES);
    }
    const from = slabPart(slabPtr, "clusters") + byteOffset;
    copyBytes(arena.bytes, from, group.cluster, 0, byteLength);
    return group;
  });
}

/** Unpacks groups, a slab of them at a time. */
export class GroupUnpacker {
  private readonly resources: EngineResources;
  private readonly keyPtr: number;
  private readonly slabs: SlabPool;
  private readonly running = new Set<Promise<unknown>>();

  /** `key` is that of the digests. LIMIT when there is no room. */
  constructor(resources: EngineResources, key: Region) {
    this.resources = resources;
    this.keyPtr = key.ptr;
    this.slabs = new SlabPool(resources.arena, 1);
  }

  /** Visits their pages in order. Rejects when it is closed meanwhile. */
  async unpack(groups: readonly PageGroup[], visit: PageVisitor): Promise<void> {
    const unpacked = this.unpackAll(groups, visit);
    this.running.add(unpacked);
    try {
      await unpacked;
    } finally {
      this.running.delete(unpacked);
    }
  }

  async close(): Promise<void> {
    this.slabs.fail(new PagefoldError("CONNECTION", "the session is over"));
    await Promise.allSettled(this.running);
    this.slabs.close();
  }

  private async unpackAll(groups: readonly PageGroup[], visit: PageVisitor): Promise<void> {
    for (const part of partsOf(groups)) {
      if (part.length === 1 && isTooLarge(part[0])) {
        const { digests } = part[0];
        for (let i = 0; i < pagesOf(part[0]); i++) visit(digests, i, undefined);
        continue;
      }
      const slabPtr = await this.slabs.lease();
      try {
        await this.run(slabPtr, part);
        this.visitAll(slabPtr, part, visit);
      } finally {
        this.slabs.release(slabPtr);
      }
    }
  }

  private async run(slabPtr: number, groups: readonly PageGroup[]): Promise<void> {
    const { arena, pool } = this.resources;
    const { bytes, words } = arena;
    let offset = 0;
    let digestPtr = slabPart(slabPtr, "digests");
    for (const [i, { digests, cluster }] of groups.entries()) {
      const entry = (slabPart(slabPtr, "encoded") + i * CLUSTER_ENTRY_BYTES) / 4;
      words[entry] = offset;
      words[entry + 1] = cluster.length;
      words[entry + 2] = pagesOf(groups[i]);
      copyBytes(cluster, 0, bytes, slabPart(slabPtr, "clusters") + offset, cluster.length);
      copyBytes(digests, 0, bytes, digestPtr, digests.length);
      offset += cluster.length;
      digestPtr += digests.length;
    }
    const { keyPtr } = this;
    const groupCount = groups.length;
    const { fault } = await pool.run<"unpackGroups">({
      kind: "unpackGroups",
      slabPtr,
      groupCount,
      keyPtr,
    });
    if (fault) throw new PagefoldError("DAMAGED", `rack store: ${fault.reason}`);
  }

  private visitAll(slabPtr: number, groups: readonly PageGroup[], visit: PageVisitor): void {
    const { arena } = this.resources;
    const { words, from, stride } = slabHashes(arena, slabPtr);
    const codes = slabPart(slabPtr, "codes");
    let page = 0;
    for (const group of groups) {
      for (let i = 0; i < pagesOf(group); i++, page++) {
        if (arena.bytes[codes + page] === 0) {
          visit(group.digests, i, undefined);
          continue;
        }
        const bytes = arena.at(slabPart(slabPtr, "pages") + page * PAGE_BYTES, PAGE_BYTES);
        visit(group.digests, i, { bytes, words, hashAt: from + page * stride });
      }
    }
  }
}

/** As many as a slab has room for; one that is too large for any is alone. */
function* partsOf(groups: readonly PageGroup[]): Generator<PageGroup[]> {
  let part: PageGroup[] = [];
  let [pages, bytes] = [0, 0];
  for (const group of groups) {
    const isFull =
      pages + pagesOf(group) > BATCH_PAGES || bytes + group.cluster.length > SLAB_CLUSTERS_BYTES;
    if (part.length > 0 && isFull) {
      yield part;
      part = [];
      [pages, bytes] = [0, 0];
    }
    part.push(group);
    pages += pagesOf(group);
    bytes += group.cluster.length;
  }
  if (part.length > 0) yield part;
}

function isTooLarge(group: PageGroup): boolean {
  return pagesOf(group) > BATCH_PAGES || group.cluster.length > MAX_CLUSTER_ENTRY_BYTES;
}
