// Restores the batches of a session: their clusters go into the slots in the order in which they
// come, their pages are restored by workers, several batches at a time.
import type { Arena } from "../core/arena.ts";
import { PagefoldError } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import type { PageGroup } from "../core/pagegroup.ts";
import { slabPart } from "../core/slab.ts";
import type { PackGroupsTask, UnfoldTask } from "../pool/task.ts";
import { SPAN_BYTES, Span } from "../pool/unfoldtask.ts";
import type { PageHashes } from "../qemu/streamproof.ts";
import { type ClusterEntry, type PagesHead, RecordKind, type Run } from "../wire/records.ts";
import { packedGroups } from "./pagegroups.ts";
import { type EngineResources, slabCount } from "./resources.ts";
import { SlabPool } from "./slabs.ts";
import { SlotRing } from "./slotring.ts";
import { slabHashes } from "./surveyed.ts";

/** The pages of a batch, in linear memory until `release`. */
export interface UnfoldedPages {
  readonly slabPtr: number;
  readonly pages: Uint8Array;
  readonly pageCount: number;
  /** Where they were surveyed; those of absent pages mean nothing. */
  readonly hashes: PageHashes;
  /** The same in memory of its own. */
  copy(): UnfoldedPages;
  release(): void;
}

export class BatchUnfolder {
  private readonly resources: EngineResources;
  private readonly slabs: SlabPool;
  private readonly slots: SlotRing;
  private readonly hasNames: boolean;
  private readonly running = new Set<Promise<unknown>>();

  /**
   * Keeps `slotBytes` of clusters, as was agreed with the source. LIMIT when there is no room.
   * Where pages may come by name (SKIP), they are left out and all others are surveyed.
   */
  constructor(resources: EngineResources, slotBytes: number, hasNames = false) {
    this.resources = resources;
    this.hasNames = hasNames;
    const { arena, pool } = resources;
    const { slabs, slots } = arena.allOrNothing(() => ({
      slabs: new SlabPool(arena, slabCount(pool.threads)),
      slots: new SlotRing(arena, slotBytes),
    }));
    this.slabs = slabs;
    this.slots = slots;
  }

  /** The most slots that `arena` has room for beside the slabs. */
  static slotBytesWithin({ arena, pool }: EngineResources): number {
    return SlotRing.slotBytesWithin(
      arena.largestFreeBytes - SlabPool.bytesFor(slabCount(pool.threads)),
    );
  }

  /**
   * Takes a batch; one call at a time. Resolves when its clusters are in their slots (`body` may be
   * used again); its pages come later.
   */
  async take(head: PagesHead, body: Uint8Array): Promise<{ unfolded: Promise<UnfoldedPages> }> {
    const { clusterCount } = this.slots;
    if (head.firstCluster !== clusterCount) {
      const reason = `cluster ${head.firstCluster} where ${clusterCount} was expected`;
      throw new PagefoldError("DAMAGED", `session: ${reason}`);
    }
    await this.slots.put(body, head.clusters);
    const slabPtr = await this.slabs.lease();
    const spanCount = writeSpans(this.resources.arena, slabPtr, head, this.hasNames);
    const { places } = this.slots;
    const task = { slabPtr, spanCount, places, isSurveyed: this.hasNames };
    return { unfolded: this.track(this.unfold({ kind: "unfold", ...task }, head.frameCount)) };
  }

  /**
   * Packs pages of slots into groups for other hosts: those that have their digests. One call of
   * this or `take` at a time; resolves when it has begun.
   */
  async pack(
    slots: readonly (readonly [cluster: number, item: number])[],
    digests: Uint8Array,
    keyPtr: number,
  ): Promise<{ packed: Promise<PageGroup[]> }> {
    const slabPtr = await this.slabs.lease();
    const { words, bytes } = this.resources.arena;
    slots.forEach(([cluster, item], i) => {
      writeSpan(words, slabPtr, i, Span.SLOT, 1, cluster, item);
    });
    bytes.set(digests, slabPart(slabPtr, "digests"));
    const { places } = this.slots;
    const task = { slabPtr, count: slots.length, places, keyPtr };
    return { packed: this.track(this.packGroups({ kind: "packGroups", ...task })) };
  }

  /** Clusters below `firstKept` will not be named by later batches. */
  drop(firstKept: number): void {
    this.slots.drop(firstKept, () => Promise.allSettled(this.running));
  }

  /** Waits for what is under way and gives everything back. */
  async close(): Promise<void> {
    this.slabs.fail(new Error("the session was closed"));
    await Promise.allSettled(this.running);
    this.slots.close();
    this.slabs.close();
  }

  private track<T>(work: Promise<T>): Promise<T> {
    this.running.add(work);
    const forget = (): void => void this.running.delete(work);
    work.then(forget, forget);
    return work;
  }

  private async packGroups(task: PackGroupsTask): Promise<PageGroup[]> {
    const { arena, pool } = this.resources;
    const { slabPtr, count } = task;
    try {
      const { clusterCount, fault } = await pool.run<"packGroups">(task);
      if (fault) throw new PagefoldError("DAMAGED", `session: ${fault.reason}`);
      return packedGroups(arena, slabPtr, count, clusterCount);
    } finally {
      this.slabs.release(slabPtr);
    }
  }

  private async unfold(task: UnfoldTask, pageCount: number): Promise<UnfoldedPages> {
    const { arena, pool } = this.resources;
    const { slabPtr } = task;
    try {
      const { fault } = await pool.run<"unfold">(task);
      if (fault) throw new PagefoldError("DAMAGED", `session: ${fault.reason}`);
    } catch (error) {
      this.slabs.release(slabPtr);
      throw error;
    }
    const pages = arena.at(slabPart(slabPtr, "pages"), pageCount * PAGE_BYTES);
    const release = (): void => this.slabs.release(slabPtr);
    const hashes = slabHashes(arena, slabPtr);
    const copy = (): UnfoldedPages => {
      const { from, stride } = hashes;
      const words = hashes.words.slice(from, from + pageCount * stride);
      const own = { pages: pages.slice(), hashes: { words, from: 0, stride } };
      return { slabPtr, pageCount, ...own, copy, release: () => undefined };
    };
    return { slabPtr, pages, pageCount, hashes, copy, release };
  }
}

/** Says for the worker what the pages are made of; returns the spans. Counts were checked. */
function writeSpans({ words }: Arena, slabPtr: number, head: PagesHead, hasNames: boolean): number {
  let count = 0;
  const span = (kind: number, pages: number, a: number, b: number): void =>
    writeSpan(words, slabPtr, count++, kind, pages, a, b);
  const plain = new ItemWalk(head, false);
  const deltas = new ItemWalk(head, true);
  const slot = (pages: number, cluster: number, item: number): void =>
    span(Span.SLOT, pages, cluster, item);
  for (const run of head.runs) {
    switch (run.kind) {
      case RecordKind.ZERO:
        span(Span.WORD, run.length, 0, 0);
        break;
      case RecordKind.UNIFORM:
        span(Span.WORD, run.length, Number(run.word & 0xffff_ffffn), Number(run.word >> 32n));
        break;
      case RecordKind.STORED:
        plain.take(run.length, slot);
        break;
      case RecordKind.DELTA:
        deltas.take(run.length, slot);
        break;
      case RecordKind.DUPLICATE:
        slot(run.length, run.cluster, run.item);
        break;
      case RecordKind.SKIP:
        if (!hasNames) refuse(run);
        span(Span.WORD, run.length, 0, 0);
        break;
      default:
        refuse(run);
    }
  }
  return count;
}

function writeSpan(
  words: Uint32Array,
  slabPtr: number,
  index: number,
  ...span: readonly [kind: number, pages: number, a: number, b: number]
): void {
  words.set(span, (slabPart(slabPtr, "runs") + index * SPAN_BYTES) / 4);
}

/** Goes through the items of a batch's clusters of one kind. */
class ItemWalk {
  private readonly head: PagesHead;
  private readonly isDeltas: boolean;
  private index = -1;
  private item = 0;
  private left = 0;

  constructor(head: PagesHead, isDeltas: boolean) {
    this.head = head;
    this.isDeltas = isDeltas;
  }

  /** Names the next `length` items, cluster by cluster. There are as many. */
  take(length: number, name: (items: number, cluster: number, item: number) => void): void {
    for (let rest = length; rest > 0; ) {
      while (this.left === 0) this.next();
      const items = Math.min(rest, this.left);
      name(items, this.head.firstCluster + this.index, this.item);
      this.item += items;
      this.left -= items;
      rest -= items;
    }
  }

  private next(): void {
    const cluster: ClusterEntry = this.head.clusters[++this.index];
    this.item = 0;
    this.left = cluster.isDeltas === this.isDeltas ? cluster.itemCount : 0;
  }
}

function refuse(run: Run): never {
  throw new PagefoldError("DAMAGED", `session: a record of kind ${run.kind} has no place in it`);
}
