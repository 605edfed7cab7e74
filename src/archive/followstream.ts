// Follows a stream from its first batch to its last: keeps its clusters, restores every image into
// what the visitor gives for it, and checks each image at its END. It needs no index and no worker.
import { ByteReader } from "../core/bytes.ts";
import { PagefoldError } from "../core/errors.ts";
import { MAX_IMAGES } from "../core/limits.ts";
import { ImageChecksum } from "../pipeline/imagechecksum.ts";
import { type BatchHeader, BatchType } from "../wire/batch.ts";
import { loadChecksum } from "../wire/checksum.ts";
import { decodeEndHead, decodeImageHead, type ImageHead } from "../wire/imagehead.ts";
import { decodeContents, decodeDirectory, decodeLeaf, decodePlaces } from "../wire/indexhead.ts";
import { readPagesHead } from "../wire/records.ts";
import { ClusterStore } from "./clusterstore.ts";
import { ClusterReader } from "./content.ts";
import { type DecodeMemory, openDecodeMemory } from "./decodememory.ts";
import { FrameWriter } from "./framewriter.ts";
import { StreamedImage, type StreamTarget } from "./streamedimage.ts";
import { type StreamBatch, type StreamOptions, StreamReader } from "./streamreader.ts";

/** What to do with the images of a stream. */
export interface StreamVisitor {
  /** Where the pages of a new image go; undefined: it is not wanted. */
  begin(head: ImageHead): Promise<StreamTarget | undefined>;
  /** A round is complete and agrees, or parts of it are lost. */
  ended(image: StreamedImage, byteLength: number, fileBytes?: number): Promise<void>;
  advance?(image: StreamedImage, frameCount: number): void;
}

export interface FollowOptions extends Omit<StreamOptions, "checksum"> {
  /** Compressed clusters that may be kept in memory, and where those beyond it go. */
  readonly storeBytes: number;
  readonly storeDirectory: string;
  /** The kernels, for bundlers; default: shipped with the package. */
  readonly wasm?: Uint8Array | URL | undefined;
}

/** Reads `bytes` to their end; returns how many there were. With `onFault`, goes on at damage. */
export async function followStream(
  bytes: AsyncIterable<Uint8Array>,
  visitor: StreamVisitor,
  options: FollowOptions,
): Promise<number> {
  const checksum = await loadChecksum();
  const reader = await StreamReader.open(bytes, { ...options, checksum });
  const store = new ClusterStore(options.storeBytes, options.storeDirectory);
  try {
    const follower = new Follower(reader, store, visitor, options);
    for (let batch = await reader.next(); batch; batch = await reader.next()) {
      await follower.take(batch);
    }
    await follower.finish();
    return reader.position;
  } finally {
    await reader.close();
    await store.close();
  }
}

class Follower {
  private readonly reader: StreamReader;
  private readonly store: ClusterStore;
  private readonly visitor: StreamVisitor;
  private readonly options: FollowOptions;
  private readonly memory: DecodeMemory;
  private readonly writer: FrameWriter;
  private readonly names = new Set<string>();
  /** By image number; undefined stands for an image that is not wanted. */
  private readonly images = new Map<number, StreamedImage | undefined>();
  /** Images whose last round has ended since an image began. */
  private readonly ended = new Set<StreamedImage>();
  private nextImage = 0;

  constructor(
    reader: StreamReader,
    store: ClusterStore,
    visitor: StreamVisitor,
    options: FollowOptions,
  ) {
    this.reader = reader;
    this.store = store;
    this.visitor = visitor;
    this.options = options;
    this.memory = openDecodeMemory(options.wasm);
    this.writer = new FrameWriter(new ClusterReader(store, store, this.memory));
  }

  async take(batch: StreamBatch): Promise<void> {
    try {
      await this.takeBatch(batch);
    } catch (error) {
      const { onFault } = this.options;
      if (!onFault || !(error instanceof PagefoldError && error.code === "DAMAGED")) throw error;
      onFault(error.message);
    }
  }

  /** Nothing more comes: every round that was begun must be complete. */
  async finish(): Promise<void> {
    for (const image of this.images.values()) {
      if (!image?.isOpen) continue;
      const fault = `${image.head.name}: round ${image.rounds} has no end`;
      if (!this.options.onFault) throw new PagefoldError("DAMAGED", fault);
      this.options.onFault(fault);
      await this.visitor.ended(image, image.cutOff());
    }
  }

  private async takeBatch({ header, head, what }: StreamBatch): Promise<void> {
    switch (header.type) {
      case BatchType.IMAGE:
        return this.begin(decodeImageHead(head, what), what);
      case BatchType.PAGES:
        return this.pages(head, header, what);
      case BatchType.END:
        return this.end(head, what);
      // Of the index only its form is checked: everything it says was said before.
      case BatchType.LEAF:
        return void decodeLeaf(head, what);
      case BatchType.PLACES:
        return void decodePlaces(head, what);
      case BatchType.CONTENTS:
        return void decodeContents(head, what);
      case BatchType.DIRECTORY:
        return this.directory(head, what);
      case BatchType.FOOTER:
        return undefined;
    }
  }

  private async begin(head: ImageHead, what: string): Promise<void> {
    const { image, name } = head;
    const isNext = this.options.onFault ? image >= this.nextImage : image === this.nextImage;
    if (!isNext || image >= MAX_IMAGES) damaged(what, `image ${image}, not ${this.nextImage}`);
    if (this.names.has(name)) damaged(what, `a second image is called ${JSON.stringify(name)}`);
    this.names.add(name);
    this.nextImage = image + 1;
    // Most streams bring one image after another: those before will hardly have another round.
    for (const earlier of this.ended) await earlier.rest();
    this.ended.clear();
    const target = await this.visitor.begin(head);
    const keepsGoing = this.options.onFault !== undefined;
    this.images.set(image, target && new StreamedImage(head, target, this.store, keepsGoing));
  }

  private async pages(head: Uint8Array, header: BatchHeader, what: string): Promise<void> {
    const pages = readPagesHead(new ByteReader(head, what), header.bodyBytes);
    const { store, reader, options } = this;
    const { firstCluster, clusters } = pages;
    const isNext = firstCluster === store.clusterCount;
    if (!isNext && (!options.onFault || firstCluster < store.clusterCount)) {
      damaged(what, `cluster ${firstCluster} where ${store.clusterCount} was expected`);
    }
    reader.sessions.clustersFrom(firstCluster, header);
    store.seals = reader.sessions.seals;
    for (const [i, entry] of clusters.entries()) {
      await store.add(firstCluster + i, entry, await reader.body(entry.byteLength));
    }
    const image = this.imageNumbered(pages.image, what);
    if (!image) return;
    await image.pages(pages, this.writer, options.signal);
    this.visitor.advance?.(image, pages.frameCount);
  }

  private directory(head: Uint8Array, what: string): void {
    const { sessions } = this.reader;
    const directory = decodeDirectory(head, what, sessions.isSealed);
    if (!sessions.agreeWith(directory.sessions)) damaged(what, "names other writing sessions");
  }

  private async end(head: Uint8Array, what: string): Promise<void> {
    const end = decodeEndHead(head, what);
    const image = this.imageNumbered(end.image, what);
    if (!image) return;
    const { kernels, memory, ptr } = this.memory;
    try {
      await image.end(end, (frames) => {
        const checksum = new ImageChecksum(kernels, memory, ptr.checksum);
        frames.addTo(checksum);
        return checksum.finish(end.byteLength, frames.frameCount);
      });
    } catch (error) {
      const { onFault } = this.options;
      if (!onFault || !(error instanceof PagefoldError && error.code === "MISMATCH")) throw error;
      image.loseAll("its content is not what its checksum says");
    }
    this.ended.add(image);
    await this.visitor.ended(image, end.byteLength, end.fileBytes);
  }

  private imageNumbered(number: number, what: string): StreamedImage | undefined {
    if (!this.images.has(number)) damaged(what, `image ${number} was not begun`);
    return this.images.get(number);
  }
}

function damaged(what: string, reason: string): never {
  throw new PagefoldError("DAMAGED", `${what}: ${reason}`);
}
