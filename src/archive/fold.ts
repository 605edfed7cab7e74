// A fold session: everything that one pack, append, repack or encoder needs, taken at its start
// and given back at its end. It folds images, one after another, into one stream.
import type { Region } from "../core/arena.ts";
import { MAX_BATCH_FRAMES } from "../core/limits.ts";
import { BATCH_PAGES } from "../core/slab.ts";
import type { Scope } from "../dedup/scope.ts";
import { type Changes, type FileSource, KnownBase } from "../pipeline/base.ts";
import {
  type BatchListener,
  changedFrames,
  consecutiveFrames,
  type FoldSource,
  listedFrames,
} from "../pipeline/batch.ts";
import { type FoldParts, type FoldPartsOptions, openFoldParts } from "../pipeline/fold.ts";
import { IMAGE_CHECKSUM_SCRATCH_BYTES, ImageChecksum } from "../pipeline/imagechecksum.ts";
import type { FillPages, Pipeline } from "../pipeline/pipeline.ts";
import type { EngineResources } from "../pipeline/resources.ts";
import type { ImageHead } from "../wire/imagehead.ts";
import type { ArchiveSeal } from "../wire/seal.ts";
import type { ByteSink } from "./bytesink.ts";
import { StreamWriter, type WriterStart } from "./writer.ts";

export interface FoldOptions extends Omit<FoldPartsOptions, "output"> {
  readonly sink: ByteSink;
  /** True if images may have more than one round. */
  readonly hasRounds?: boolean | undefined;
  readonly start?: WriterStart | undefined;
  readonly seal?: ArchiveSeal | undefined;
  readonly signal?: AbortSignal | undefined;
}

export class FoldSession {
  readonly writer: StreamWriter;
  private readonly resources: EngineResources;
  private readonly parts: FoldParts;
  private readonly scratch: Region;
  private readonly signal: AbortSignal | undefined;
  private imageCount: number;
  private base: KnownBase | undefined;
  /** By image: entries of the base that have what is new in a frame. */
  private readonly found = new Map<FoldSource, ReadonlyMap<number, readonly number[]>>();
  /** By descriptor: what was found when the base was learnt. */
  private readonly compared = new Map<number, Changes>();

  constructor(resources: EngineResources, options: FoldOptions) {
    const { arena, checksum } = resources;
    this.resources = resources;
    this.signal = options.signal;
    this.scratch = arena.reserve(IMAGE_CHECKSUM_SCRATCH_BYTES, "image checksum");
    this.writer = new StreamWriter(options.sink, checksum, {
      start: options.start,
      hasRounds: options.hasRounds,
      sealing: options.seal && { seal: options.seal, pool: resources.pool },
    });
    this.imageCount = this.writer.imageCount;
    this.parts = openFoldParts(resources, { ...options, output: this.writer });
    this.signal?.addEventListener("abort", this.onAbort);
    if (this.signal?.aborted) this.onAbort();
  }

  get scope(): Scope {
    return this.parts.scope;
  }

  get pipeline(): Pipeline {
    return this.parts.pipeline;
  }

  /** An empty checksum for an image of this session. */
  newChecksum(): ImageChecksum {
    const { kernels, memory } = this.resources;
    return new ImageChecksum(kernels, memory, this.scratch.ptr);
  }

  /**
   * Learns the base of the images to come; returns its checksum tree, fed with all pages. An image
   * that will be added is best compared with it on the way.
   */
  async learnBase(source: FileSource, image?: FileSource): Promise<ImageChecksum> {
    const checksum = this.newChecksum();
    const { slabs, scope, pipeline } = this.parts;
    const { log, anchors } = pipeline;
    const base = new KnownBase({ ...this.resources, slabs, scope, anchors, log }, source);
    this.base = base;
    const changes = await base.learn(checksum, image, this.signal);
    if (image && changes) this.compared.set(image.file.fd, changes);
    pipeline.previousOf = (batch, page) => base.entry(batch.frames.at(page));
    pipeline.foundFor = ({ source: image, frames }, page) =>
      this.found.get(image)?.get(frames.at(page));
    return checksum;
  }

  /** What differs between a file and the base; undefined if there is none. */
  async changesOf(source: FileSource): Promise<Changes | undefined> {
    return this.compared.get(source.file.fd) ?? this.base?.compare(source, this.signal);
  }

  /** Fingerprints of all frames of the base. */
  get baseFingerprints(): Uint8Array {
    return this.base?.fingerprints ?? new Uint8Array(0);
  }

  /** Says IMAGE, after everything that was sent before; returns its number at once. */
  beginImage(head: Omit<ImageHead, "image">): number {
    const image = this.imageCount++;
    void this.pipeline.inOrder(async () => this.writer.beginImage({ image, ...head }));
    return image;
  }

  /** Sends all frames of a file on their way. */
  async addFile(source: FileSource, listener: BatchListener): Promise<void> {
    const { frameCount } = source.file.map;
    for (let frame = 0; frame < frameCount; frame += BATCH_PAGES) {
      const count = Math.min(BATCH_PAGES, frameCount - frame);
      await this.pipeline.add(source, consecutiveFrames(frame, count), listener);
    }
  }

  /** Sends the frames of a file that differ from the base, and says that the others do not. */
  async addChanged(source: FileSource, changes: Changes, listener: BatchListener): Promise<void> {
    const { frames } = changes;
    const { frameCount } = source.file.map;
    const found = await this.base?.search(changes, this.signal);
    if (found) this.found.set(source, found);
    let next = 0;
    for (let first = 0; first < frameCount; ) {
      const end = Math.min(first + MAX_BATCH_FRAMES, frameCount);
      const listed: number[] = [];
      while (frames[next] < end && listed.length < BATCH_PAGES) listed.push(frames[next++]);
      const last = frames[next] < end ? frames[next] - 1 : end - 1;
      await this.pipeline.add(source, changedFrames(listed, first, last), listener);
      first = last + 1;
    }
  }

  /** Sends `count` frames from `frame` on, whose pages `fill` puts into a slab. */
  async addFilled(
    source: FoldSource,
    frame: number,
    count: number,
    fill: FillPages,
    listener: BatchListener,
  ): Promise<void> {
    await this.pipeline.add(source, consecutiveFrames(frame, count), listener, fill);
  }

  /** Sends any rising frames that lie within one batch of the format. */
  async addListed(
    source: FoldSource,
    frames: readonly number[],
    fill: FillPages,
    listener: BatchListener,
  ): Promise<void> {
    const [first] = frames;
    const isRun = frames[frames.length - 1] - first === frames.length - 1;
    const list = isRun ? consecutiveFrames(first, frames.length) : listedFrames(frames);
    await this.pipeline.add(source, list, listener, fill);
  }

  /** Ends the session: waits for what is under way and gives everything back. */
  async close(): Promise<void> {
    this.pipeline.fail(new Error("the session was closed"));
    await this.pipeline.drain().catch(() => undefined);
    this.signal?.removeEventListener("abort", this.onAbort);
    this.parts.close();
    this.resources.arena.release(this.scratch);
  }

  private readonly onAbort = (): void => this.pipeline.fail(this.signal?.reason);
}
