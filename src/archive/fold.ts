// A fold session: everything that one pack, append, repack or encoder needs, taken at its start
// and given back at its end. It folds images, one after another, into one stream.

import type { Region } from "../core/arena.ts";
import { BATCH_PAGES } from "../core/slab.ts";
import { Scope } from "../dedup/scope.ts";
import { baseEntry, learnBase } from "../pipeline/base.ts";
import { type Batch, consecutiveFrames, type FoldSource } from "../pipeline/batch.ts";
import { IMAGE_CHECKSUM_SCRATCH_BYTES, ImageChecksum } from "../pipeline/imagechecksum.ts";
import {
  type BatchListener,
  type FillPages,
  type LevelParameters,
  Pipeline,
} from "../pipeline/pipeline.ts";
import { type EngineResources, slabCount } from "../pipeline/resources.ts";
import { SlabPool } from "../pipeline/slabs.ts";
import type { ImageHead } from "../wire/imagehead.ts";
import type { ByteSink } from "./bytesink.ts";
import { StreamWriter, type WriterStart } from "./writer.ts";

/** Part of what is free that a scope may take, when its input is not known to need less. */
export const SCOPE_SHARE = 0.75;

export interface FoldOptions {
  readonly sink: ByteSink;
  readonly level: LevelParameters;
  /** Pages of all inputs together, if known. */
  readonly pageCount: number | undefined;
  /** From where clusters can be read back, see `PipelineParts`. */
  readonly clusterFd: number | undefined;
  readonly start?: WriterStart | undefined;
  readonly signal?: AbortSignal | undefined;
}

export class FoldSession {
  readonly writer: StreamWriter;
  readonly scope: Scope;
  readonly pipeline: Pipeline;
  private readonly resources: EngineResources;
  private readonly slabs: SlabPool;
  private readonly scratch: Region;
  private readonly signal: AbortSignal | undefined;
  private baseEntries: Uint32Array | undefined;
  private imageCount: number;

  constructor(resources: EngineResources, options: FoldOptions) {
    const { arena, kernels, pool, checksum } = resources;
    const { sink, level, pageCount, clusterFd } = options;
    this.resources = resources;
    this.signal = options.signal;
    this.scratch = arena.reserve(IMAGE_CHECKSUM_SCRATCH_BYTES, "image checksum");
    const slabs = new SlabPool(arena, slabCount(pool.threads));
    this.slabs = slabs;
    const memoryBytes = arena.largestFreeBytes * SCOPE_SHARE;
    const scope = new Scope(arena, kernels, { memoryBytes, pageCount });
    this.scope = scope;
    this.writer = new StreamWriter(sink, checksum, options.start);
    this.imageCount = this.writer.imageCount;
    const output = this.writer;
    this.pipeline = new Pipeline(
      { arena, kernels, pool, slabs, scope, output, level, clusterFd },
      (batch, page) => this.previousOf(batch, page),
    );
    this.signal?.addEventListener("abort", this.onAbort);
    if (this.signal?.aborted) this.onAbort();
  }

  /** An empty checksum for an image of this session. */
  newChecksum(): ImageChecksum {
    const { kernels, memory } = this.resources;
    return new ImageChecksum(kernels, memory, this.scratch.ptr);
  }

  /** Learns the base of the images to come; returns its checksum tree, fed with all pages. */
  async learnBase(source: FoldSource & { file: NonNullable<FoldSource["file"]> }) {
    const checksum = this.newChecksum();
    const parts = { ...this.resources, slabs: this.slabs, scope: this.scope };
    const { log } = this.pipeline;
    this.baseEntries = await learnBase(parts, log, source, checksum, this.signal);
    return checksum;
  }

  /** Says IMAGE, after everything that was sent before; returns its number at once. */
  beginImage(head: Omit<ImageHead, "image">): number {
    const image = this.imageCount++;
    void this.pipeline.inOrder(async () => this.writer.beginImage({ image, ...head }));
    return image;
  }

  /** Sends all frames of a file on their way. */
  async addFile(
    source: FoldSource & { file: NonNullable<FoldSource["file"]> },
    listener: BatchListener,
  ): Promise<void> {
    const { frameCount } = source.file.map;
    for (let frame = 0; frame < frameCount; frame += BATCH_PAGES) {
      const count = Math.min(BATCH_PAGES, frameCount - frame);
      await this.pipeline.add(source, consecutiveFrames(frame, count), listener);
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

  /** Ends the session: waits for what is under way and gives everything back. */
  async close(): Promise<void> {
    this.pipeline.fail(new Error("the session was closed"));
    await this.pipeline.drain().catch(() => undefined);
    this.signal?.removeEventListener("abort", this.onAbort);
    this.pipeline.close();
    this.scope.close();
    this.slabs.close();
    this.resources.arena.release(this.scratch);
  }

  private readonly onAbort = (): void => this.pipeline.fail(this.signal?.reason);

  private previousOf(batch: Batch, page: number): number | undefined {
    return this.baseEntries && baseEntry(this.baseEntries, batch.frames.at(page));
  }
}
