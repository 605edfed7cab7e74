// Where everything in an archive is: images, their leaves, the places of clusters and what clusters
// hold. Read lazily from the DIRECTORY on; every batch is tested against the pointer that names it.
import { PagefoldError } from "../core/errors.ts";
import { MAX_FRAMES } from "../core/limits.ts";
import { pagesFor } from "../core/page.ts";
import type { ClusterSeals } from "../core/seal.ts";
import { FINGERPRINT_BYTES } from "../kernels/abi.ts";
import { BatchType } from "../wire/batch.ts";
import { decodeEndHead, decodeImageHead, type EndHead, type ImageHead } from "../wire/imagehead.ts";
import {
  type ClusterPlace,
  type DirectoryHead,
  decodeContents,
  decodeDirectory,
  decodeLeaf,
  decodePlaces,
  type LeafHead,
  type PlacesHead,
} from "../wire/indexhead.ts";
import { RecordKind, type Run } from "../wire/records.ts";
import { type ArchiveState, STREAM_HEAD_BYTES } from "../wire/superblock.ts";
import type { IndexBatches } from "./indexbatches.ts";
import { checkCovered, coveredBy, pointerAt } from "./indexpointers.ts";
import { RecentlyUsed } from "./recentlyused.ts";

/** Inflated bytes of leaves, and of places, that are kept decoded. */
const CACHED_HEAD_BYTES = 4 << 20;

export interface IndexedImage {
  readonly head: ImageHead;
  /** Undefined only when the END was lost and the index had to be rebuilt. */
  readonly end: EndHead | undefined;
  /** Of its content, which is that of the file unless the image is woven. */
  readonly byteLength: number;
  /** Of the file, where the image is woven. */
  readonly fileBytes: number | undefined;
  readonly frameCount: number;
}

/** Frames of an image; when `lost` says why, they cannot be had and there are no runs. */
export type IndexLeaf = LeafHead & { readonly lost?: string };

/** What reading needs of an index. Everything throws DAMAGED where the index is broken. */
export interface ArchiveIndex {
  /** By image number. */
  readonly images: readonly IndexedImage[];
  readonly clusterCount: number;
  /** What opens the clusters, if they are sealed. */
  readonly seals: ClusterSeals | undefined;
  /** The leaf that covers `frame`, which is a frame of the image. */
  leafAt(image: number, frame: number, signal?: AbortSignal): Promise<IndexLeaf>;
  placeOf(cluster: number, signal?: AbortSignal): Promise<ClusterPlace>;
  /** Places of consecutive clusters from `cluster` on, as many as are told together. */
  placesFrom(cluster: number, signal?: AbortSignal): Promise<readonly ClusterPlace[]>;
}

/** All leaves of an image in frame order. The first frame may lie before the end of the last. */
export async function* leavesOf(
  index: ArchiveIndex,
  image: number,
  signal?: AbortSignal,
): AsyncGenerator<IndexLeaf> {
  const { frameCount } = index.images[image];
  for (let frame = 0; frame < frameCount; ) {
    const leaf = await index.leafAt(image, frame, signal);
    yield leaf;
    frame = leaf.firstFrame + leaf.frameCount;
  }
}

/** Frames of an image, from its heads. */
export function framesOf(byteLength: number, segmentBytes: readonly number[]): number {
  if (segmentBytes.length === 0) return pagesFor(byteLength);
  return segmentBytes.reduce((frames, length) => frames + pagesFor(length), 0);
}

export interface ClusterContents {
  readonly firstCluster: number;
  readonly places: ClusterPlace[];
  /** 16 bytes for each item of the clusters, in order. */
  readonly fingerprints: Uint8Array;
}

/** The index that an archive carries. */
export class DirectoryIndex implements ArchiveIndex {
  readonly state: ArchiveState;
  readonly directory: DirectoryHead;
  readonly images: readonly IndexedImage[];
  readonly seals: ClusterSeals | undefined;
  private readonly batches: IndexBatches;
  private readonly leaves = new RecentlyUsed<number, LeafHead>(CACHED_HEAD_BYTES);
  private readonly places = new RecentlyUsed<number, PlacesHead>(CACHED_HEAD_BYTES);

  private constructor(state: ArchiveState, directory: DirectoryHead, batches: IndexBatches) {
    this.state = state;
    this.directory = directory;
    this.batches = batches;
    this.images = directory.images.map(describeImage);
    const { sessions = [] } = directory;
    this.seals = batches.seal?.clusterSeals(sessions);
    const names = new Set(this.images.map(({ head }) => head.name));
    if (names.size !== this.images.length) damaged("directory", "two images have one name");
    checkCovered(directory.places, directory.clusterCount, "places of clusters");
    const contentsEnd = coveredBy(directory.contents);
    if (contentsEnd > this.clusterCount) damaged("directory", `contents to ${contentsEnd}`);
  }

  static async load(
    state: ArchiveState,
    batches: IndexBatches,
    signal?: AbortSignal,
  ): Promise<DirectoryIndex> {
    const pointer = { byteOffset: state.directoryOffset, byteLength: state.directoryLength };
    const { head, what, sequence } = await batches.load(BatchType.DIRECTORY, pointer, signal);
    const directory = decodeDirectory(head, what, batches.seal !== undefined);
    batches.seal?.admit(directory.sessions ?? []);
    // Itself and the footer are counted.
    if (directory.batchCount !== sequence + 2) damaged(what, `${directory.batchCount} batches`);
    return new DirectoryIndex(state, directory, batches);
  }

  get clusterCount(): number {
    return this.directory.clusterCount;
  }

  async leafAt(image: number, frame: number, signal?: AbortSignal): Promise<LeafHead> {
    const pointer = pointerAt(this.directory.images[image].leaves, frame);
    const held = this.leaves.get(pointer.byteOffset);
    if (held) return held;
    const { head, what } = await this.batches.load(BatchType.LEAF, pointer, signal);
    const leaf = decodeLeaf(head, what);
    if (
      leaf.image !== image ||
      leaf.firstFrame !== pointer.first ||
      leaf.frameCount !== pointer.count
    ) {
      damaged(what, "holds other frames than the directory says");
    }
    const isBased = this.images[image].head.base !== undefined;
    for (const run of leaf.runs) checkLeafRun(run, what, this.clusterCount, isBased);
    this.leaves.set(pointer.byteOffset, leaf, head.length);
    return leaf;
  }

  /** The frames of the leaf that covers `frame`, known even when the leaf is damaged. */
  leafRange(image: number, frame: number): { first: number; count: number } {
    return pointerAt(this.directory.images[image].leaves, frame);
  }

  async placeOf(cluster: number, signal?: AbortSignal): Promise<ClusterPlace> {
    const { firstCluster, places } = await this.placesAt(cluster, signal);
    return places[cluster - firstCluster];
  }

  async placesFrom(cluster: number, signal?: AbortSignal): Promise<readonly ClusterPlace[]> {
    const { firstCluster, places } = await this.placesAt(cluster, signal);
    return places.slice(cluster - firstCluster);
  }

  /** What all clusters hold, for those who add to the archive. */
  async *contents(signal?: AbortSignal): AsyncGenerator<ClusterContents> {
    for (const pointer of this.directory.contents) {
      const { head, what } = await this.batches.load(BatchType.CONTENTS, pointer, signal);
      const { firstCluster, clusterCount, fingerprints } = decodeContents(head, what);
      if (firstCluster !== pointer.first || clusterCount !== pointer.count) {
        damaged(what, "holds other clusters than the directory says");
      }
      const places: ClusterPlace[] = [];
      let itemCount = 0;
      for (let i = 0; i < clusterCount; i++) {
        const place = await this.placeOf(firstCluster + i, signal);
        places.push(place);
        itemCount += place.itemCount;
      }
      if (fingerprints.length !== itemCount * FINGERPRINT_BYTES) {
        damaged(what, `${fingerprints.length} bytes for ${itemCount} items`);
      }
      yield { firstCluster, places, fingerprints };
    }
  }

  private async placesAt(cluster: number, signal?: AbortSignal): Promise<PlacesHead> {
    if (cluster >= this.clusterCount) {
      damaged(`cluster ${cluster}`, `there are ${this.clusterCount} clusters`);
    }
    const pointer = pointerAt(this.directory.places, cluster);
    const held = this.places.get(pointer.byteOffset);
    if (held) return held;
    const { head, what } = await this.batches.load(BatchType.PLACES, pointer, signal);
    const places = decodePlaces(head, what);
    if (places.firstCluster !== pointer.first || places.places.length !== pointer.count) {
      damaged(what, "holds other clusters than the directory says");
    }
    const last = places.places[places.places.length - 1];
    const end = last.byteOffset + last.byteLength;
    if (places.places[0].byteOffset < STREAM_HEAD_BYTES || end > this.state.committedLength) {
      damaged(what, `clusters end at offset ${end} of ${this.state.committedLength}`);
    }
    this.places.set(pointer.byteOffset, places, head.length);
    return places;
  }
}

function describeImage(entry: DirectoryHead["images"][number], number: number): IndexedImage {
  const head = decodeImageHead(entry.imageHead, `directory, image ${number}`);
  const end = decodeEndHead(entry.endHead, `directory, end of image ${number}`);
  if (head.image !== number || end.image !== number) {
    damaged("directory", `image ${head.image} stands at ${number}`);
  }
  if (head.byteLength !== undefined && head.byteLength !== end.byteLength) {
    damaged(head.name, `begins with ${head.byteLength} and ends with ${end.byteLength} bytes`);
  }
  const frameCount = framesOf(end.byteLength, head.segmentBytes);
  if (frameCount > MAX_FRAMES) damaged(head.name, `${frameCount} frames, limit ${MAX_FRAMES}`);
  checkCovered(entry.leaves, frameCount, `frames of ${head.name}`);
  return { head, end, byteLength: end.byteLength, fileBytes: end.fileBytes, frameCount };
}

/** A leaf knows zeros, words, slots that exist and, if there is a base, its frames. */
function checkLeafRun(run: Run, what: string, clusterCount: number, isBased: boolean): void {
  switch (run.kind) {
    case RecordKind.ZERO:
    case RecordKind.UNIFORM:
      break;
    case RecordKind.DUPLICATE:
      if (run.cluster >= clusterCount) damaged(what, `cluster ${run.cluster} of ${clusterCount}`);
      break;
    case RecordKind.BASE:
      if (!isBased) damaged(what, "a frame of a base, and the image has none");
      break;
    default:
      damaged(what, `record kind ${run.kind}`);
  }
}

function damaged(what: string, reason: string): never {
  throw new PagefoldError("DAMAGED", `${what}: ${reason}`);
}
