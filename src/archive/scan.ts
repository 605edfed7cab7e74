// Rebuilds an index from the batches alone: images, the runs of their frames in the order of the
// rounds, and the places of clusters. Frames whose batch is lost are holes that say so.
import type { RandomAccess } from "../api.ts";
import { ByteReader } from "../core/bytes.ts";
import { PagefoldError } from "../core/errors.ts";
import { MAX_FRAMES, MAX_IMAGES } from "../core/limits.ts";
import { PAGE_BYTES, pagesFor } from "../core/page.ts";
import type { ClusterSeals } from "../core/seal.ts";
import { BatchType } from "../wire/batch.ts";
import type { Checksum } from "../wire/checksum.ts";
import { decodeEndHead, decodeImageHead, type EndHead, type ImageHead } from "../wire/imagehead.ts";
import type { ClusterPlace } from "../wire/indexhead.ts";
import { readPagesHead } from "../wire/records.ts";
import type { ArchiveSeal } from "../wire/seal.ts";
import { ReadAhead } from "./bytesource.ts";
import { FrameRuns } from "./frameruns.ts";
import { type ArchiveIndex, framesOf, type IndexedImage, type IndexLeaf } from "./index.ts";
import { SealSessions } from "./sealsessions.ts";
import { type WalkedBatch, walkBatches } from "./walk.ts";

/** Bytes read at a time: heads are small and bodies are skipped. */
const WINDOW_BYTES = 64 * 1024;

/** What can be scanned. */
export interface ScanSource {
  readonly access: RandomAccess;
  /** Where the last batch ends. */
  readonly end: number;
  readonly checksum: Checksum;
  readonly seal: ArchiveSeal | undefined;
  readonly signal: AbortSignal | undefined;
}

interface ScannedImage {
  head: ImageHead | undefined;
  end: EndHead | undefined;
  readonly runs: FrameRuns;
}

/** An index in memory, of what could be read. */
export class ScannedIndex implements ArchiveIndex {
  readonly images: readonly IndexedImage[];
  readonly clusterCount: number;
  readonly seals: ClusterSeals | undefined;
  private readonly runs: readonly FrameRuns[];
  private readonly places: ReadonlyMap<number, ClusterPlace>;

  constructor(
    images: readonly ScannedImage[],
    places: ReadonlyMap<number, ClusterPlace>,
    seals: ClusterSeals | undefined,
  ) {
    this.seals = seals;
    this.images = images.map(describeImage);
    this.runs = images.map(({ runs }) => runs);
    this.places = places;
    let clusterCount = 0;
    for (const cluster of places.keys()) clusterCount = Math.max(clusterCount, cluster + 1);
    this.clusterCount = clusterCount;
  }

  async leafAt(image: number, frame: number): Promise<IndexLeaf> {
    const frameCount = this.images[image]?.frameCount ?? MAX_FRAMES;
    const runs = this.runs[image] ?? new FrameRuns();
    return { image, ...runs.leafAt(frame, frameCount) };
  }

  async placeOf(cluster: number): Promise<ClusterPlace> {
    const place = this.places.get(cluster);
    if (place) return place;
    throw new PagefoldError("DAMAGED", `cluster ${cluster}: the batch that lists it is lost`);
  }

  async placesFrom(cluster: number): Promise<readonly ClusterPlace[]> {
    return [await this.placeOf(cluster)];
  }
}

/** Walks all batches. `onFault` is told of what cannot be read. Throws only when reading fails. */
export async function scanArchive(
  source: ScanSource,
  onFault: (fault: string) => void,
): Promise<ScannedIndex> {
  const { access, end, checksum, seal, signal } = source;
  const bytes = new ReadAhead(access, end, WINDOW_BYTES, signal);
  const images: ScannedImage[] = [];
  const places = new Map<number, ClusterPlace>();
  const sessions = new SealSessions(seal);
  for await (const batch of walkBatches({ bytes, end, checksum, seal, onFault })) {
    try {
      takeBatch(batch, images, places, sessions);
    } catch (error) {
      if (!(error instanceof PagefoldError && error.code === "DAMAGED")) throw error;
      onFault(error.message);
    }
  }
  return new ScannedIndex(images, places, sessions.seals);
}

function takeBatch(
  batch: WalkedBatch,
  images: ScannedImage[],
  places: Map<number, ClusterPlace>,
  sessions: SealSessions,
): void {
  const { header, head, what } = batch;
  if (header.type === BatchType.IMAGE) {
    const imageHead = decodeImageHead(head, what);
    imageNumbered(imageHead.image, images, what).head = imageHead;
  } else if (header.type === BatchType.END) {
    const endHead = decodeEndHead(head, what);
    imageNumbered(endHead.image, images, what).end = endHead;
  } else if (header.type === BatchType.PAGES) {
    const pages = readPagesHead(new ByteReader(head, what), header.bodyBytes);
    sessions.clustersFrom(pages.firstCluster, header);
    let byteOffset = batch.bodyOffset;
    pages.clusters.forEach((entry, i) => {
      places.set(pages.firstCluster + i, { byteOffset, ...entry });
      byteOffset += entry.byteLength;
    });
    imageNumbered(pages.image, images, what).runs.put(pages);
  }
}

/** The image of this number, begun if its IMAGE batch was lost. */
function imageNumbered(number: number, images: ScannedImage[], what: string): ScannedImage {
  // Numbers rise by one; a few may be missing with the batches that were lost.
  if (number > images.length + 1024 || number >= MAX_IMAGES) {
    throw new PagefoldError("DAMAGED", `${what}: image ${number} after ${images.length} images`);
  }
  while (images.length <= number) {
    images.push({ head: undefined, end: undefined, runs: new FrameRuns() });
  }
  return images[number];
}

function describeImage({ head, end, runs }: ScannedImage, number: number): IndexedImage {
  const seenBytes = runs.frameCount * PAGE_BYTES;
  const byteLength = end?.byteLength ?? head?.byteLength ?? seenBytes;
  const frames = head ? framesOf(byteLength, head.segmentBytes) : pagesFor(byteLength);
  const frameCount = Math.min(frames, MAX_FRAMES);
  const { fileBytes } = end ?? {};
  return { head: head ?? headOfLost(number), end, byteLength, fileBytes, frameCount };
}

/** What stands for an image whose IMAGE batch is lost, and with it its name. */
function headOfLost(image: number): ImageHead {
  return {
    image,
    name: `lost-name-${image}`,
    format: "raw",
    byteLength: undefined,
    mtimeNs: 0n,
    segmentBytes: [],
    notes: [],
  };
}
