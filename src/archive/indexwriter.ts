// Collects the index while a stream is written: leaves of images, places and contents of clusters.
// What is complete is held back for the end, where one read finds it, as long as it is small.
import { BATCH_PAGES } from "../core/slab.ts";
import { FINGERPRINT_BYTES } from "../kernels/abi.ts";
import { BatchType } from "../wire/batch.ts";
import {
  type ClusterPlace,
  encodeContents,
  encodeLeaf,
  encodePlaces,
  type IndexPointer,
} from "../wire/indexhead.ts";
import { type PagesHead, pushRun, type Run } from "../wire/records.ts";
import { resolveRuns } from "../wire/slotruns.ts";
import { SlotMap } from "./slotmap.ts";

/** Runs and frames after which a leaf is complete. */
const LEAF_RUNS = 4096;
const LEAF_FRAMES = 1 << 20;
const PLACES_CLUSTERS = 32_768;
const CONTENTS_BYTES = 1 << 20;
/** Index bytes (before deflation) that are held back for the end of the stream. */
const HELD_BYTES = 16 << 20;

type IndexType = typeof BatchType.LEAF | typeof BatchType.PLACES | typeof BatchType.CONTENTS;

/** A finished index batch that has not been written yet. */
export interface HeldBatch {
  readonly type: IndexType;
  readonly head: Uint8Array;
  readonly pointer: IndexPointer;
}

interface OpenLeaf {
  firstFrame: number;
  frameCount: number;
  runs: Run[];
}

export class IndexWriter {
  /** Leaves by image number; pointers get their place when they are written. */
  readonly leaves = new Map<number, IndexPointer[]>();
  readonly places: IndexPointer[];
  readonly contents: IndexPointer[];
  private readonly openLeaves = new Map<number, OpenLeaf>();
  /** By image, when later rounds may change what the leaves of the first one would say. */
  private readonly slotMaps: Map<number, SlotMap> | undefined;
  private pendingPlaces: ClusterPlace[] = [];
  private pendingContents: Uint8Array[] = [];
  private pendingContentsBytes = 0;
  private contentsFirstCluster: number;
  private contentsClusters = 0;
  private held: HeldBatch[] = [];
  private heldBytes = 0;

  /** `places` and `contents` are what an archive that is appended to has already. */
  constructor(
    places: IndexPointer[],
    contents: IndexPointer[],
    clusterCount: number,
    hasRounds: boolean,
  ) {
    this.places = places;
    this.contents = contents;
    this.contentsFirstCluster = clusterCount;
    this.slotMaps = hasRounds ? new Map() : undefined;
  }

  /** Takes a PAGES batch whose clusters begin at `bodyOffset`; `isBased` says what its image is. */
  pages(head: PagesHead, bodyOffset: number, fingerprints: Uint8Array, isBased: boolean): void {
    if (this.slotMaps) slotMapOf(this.slotMaps, head.image).put(head);
    else this.leaf(head.image, head.firstFrame, head.frameCount, resolveRuns(head));
    let byteOffset = bodyOffset;
    for (const cluster of head.clusters) {
      this.pendingPlaces.push({ byteOffset, ...cluster });
      byteOffset += cluster.byteLength;
    }
    if (this.pendingPlaces.length >= PLACES_CLUSTERS) this.closePlaces();
    this.addContents(head, fingerprints, isBased);
    if (this.pendingContentsBytes >= CONTENTS_BYTES) this.closeContents();
  }

  /** Who appends has no base, and nothing from deltas against one: they are left out. */
  private addContents(head: PagesHead, fingerprints: Uint8Array, isBased: boolean): void {
    const listed = isBased ? head.clusters.filter(({ isDeltas }) => !isDeltas) : head.clusters;
    if (listed.length === 0) return;
    if (head.firstCluster !== this.contentsFirstCluster + this.contentsClusters) {
      this.closeContents();
      this.contentsFirstCluster = head.firstCluster;
    }
    const items = listed.reduce((sum, { itemCount }) => sum + itemCount, 0);
    // Clusters of pages come first.
    const own = fingerprints.subarray(0, items * FINGERPRINT_BYTES);
    this.pendingContents.push(own);
    this.pendingContentsBytes += own.length;
    this.contentsClusters += listed.length;
  }

  /** An image (or its round) is complete: its last leaf is. */
  endImage(image: number): void {
    this.closeLeaf(image);
  }

  /** Batches to write now: contents at once, the others when too much is held. */
  takeReady(): HeldBatch[] {
    if (this.heldBytes > HELD_BYTES) return this.takeAll();
    const ready = this.held.filter((batch) => batch.type === BatchType.CONTENTS);
    if (ready.length > 0) this.held = this.held.filter((b) => b.type !== BatchType.CONTENTS);
    for (const batch of ready) this.heldBytes -= batch.head.length;
    return ready;
  }

  /** Everything that is left, in the order in which it should lie before the directory. */
  finish(): HeldBatch[] {
    this.closeContents();
    this.closePlaces();
    if (this.slotMaps) this.mappedLeaves(this.slotMaps);
    const order = [BatchType.CONTENTS, BatchType.LEAF, BatchType.PLACES] as const;
    return this.takeAll().sort((a, b) => order.indexOf(a.type) - order.indexOf(b.type));
  }

  private takeAll(): HeldBatch[] {
    const all = this.held;
    this.held = [];
    this.heldBytes = 0;
    return all;
  }

  private leaf(image: number, firstFrame: number, frameCount: number, runs: Run[]): void {
    let leaf = this.openLeaves.get(image);
    if (!leaf) {
      leaf = { firstFrame, frameCount: 0, runs: [] };
      this.openLeaves.set(image, leaf);
    }
    for (const run of runs) pushRun(leaf.runs, run);
    leaf.frameCount += frameCount;
    if (leaf.runs.length >= LEAF_RUNS || leaf.frameCount >= LEAF_FRAMES) this.closeLeaf(image);
  }

  /** All leaves of the images whose rounds are over. */
  private mappedLeaves(slotMaps: ReadonlyMap<number, SlotMap>): void {
    for (const [image, slots] of slotMaps) {
      for (let frame = 0; frame < slots.frameCount; frame += BATCH_PAGES) {
        const count = Math.min(BATCH_PAGES, slots.frameCount - frame);
        this.leaf(image, frame, count, slots.runs(frame, count));
      }
      this.closeLeaf(image);
    }
  }

  private closeLeaf(image: number): void {
    const leaf = this.openLeaves.get(image);
    if (!leaf) return;
    this.openLeaves.delete(image);
    const pointer = {
      first: leaf.firstFrame,
      count: leaf.frameCount,
      byteOffset: 0,
      byteLength: 0,
    };
    const leaves = this.leaves.get(image);
    if (leaves) leaves.push(pointer);
    else this.leaves.set(image, [pointer]);
    this.hold(BatchType.LEAF, encodeLeaf({ image, ...leaf }), pointer);
  }

  private closePlaces(): void {
    const places = this.pendingPlaces;
    if (places.length === 0) return;
    const first = nextOf(this.places);
    const pointer = { first, count: places.length, byteOffset: 0, byteLength: 0 };
    this.places.push(pointer);
    this.hold(BatchType.PLACES, encodePlaces({ firstCluster: first, places }), pointer);
    this.pendingPlaces = [];
  }

  private closeContents(): void {
    const clusterCount = this.contentsClusters;
    if (clusterCount === 0) return;
    const firstCluster = this.contentsFirstCluster;
    const fingerprints = new Uint8Array(this.pendingContentsBytes);
    let at = 0;
    for (const part of this.pendingContents) {
      fingerprints.set(part, at);
      at += part.length;
    }
    const pointer = { first: firstCluster, count: clusterCount, byteOffset: 0, byteLength: 0 };
    this.contents.push(pointer);
    const head = encodeContents({ firstCluster, clusterCount, fingerprints });
    this.hold(BatchType.CONTENTS, head, pointer);
    this.contentsFirstCluster += clusterCount;
    this.contentsClusters = 0;
    this.pendingContents = [];
    this.pendingContentsBytes = 0;
  }

  private hold(type: IndexType, head: Uint8Array, pointer: IndexPointer): void {
    const own = new Uint8Array(head);
    this.held.push({ type, head: own, pointer });
    this.heldBytes += own.length;
  }
}

function nextOf(pointers: readonly IndexPointer[]): number {
  const last = pointers.at(-1);
  return last ? last.first + last.count : 0;
}

function slotMapOf(slotMaps: Map<number, SlotMap>, image: number): SlotMap {
  const held = slotMaps.get(image) ?? new SlotMap();
  slotMaps.set(image, held);
  return held;
}
