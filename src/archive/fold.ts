// A fold session: everything that one pack, append, repack or encoder needs, taken at its start
// and given back at its end. It folds images, one after another, into one stream.

import type { Arena, Region } from "../core/arena.ts";
import { BATCH_PAGES } from "../core/slab.ts";
import { Scope } from "../dedup/scope.ts";
import { baseEntry, learnBase } from "../pipeline/base.ts";
import {
  type Batch,
  type BatchListener,
  consecutiveFrames,
  type FoldSource,
  listedFrames,
} from "../pipeline/batch.ts";
import { IMAGE_CHECKSUM_SCRATCH_BYTES, ImageChecksum } from "../pipeline/imagechecksum.ts";
import type { LevelParameters } from "../pipeline/level.ts";
import { type FillPages, Pipeline } from "../pipeline/pipeline.ts";
import { type EngineResources, slabCount } from "../pipeline/resources.ts";
import { SlabPool } from "../pipeline/slabs.ts";
import type { ImageHead } from "../wire/imagehead.ts";
import type { ByteSink } from "./bytesink.ts";
import { StreamWriter, type WriterStart } from "./writer.ts";

/** Part of what is free that a scope may take, when its input is not known to need less. */
export const SCOPE_SHARE = 0.9;

/** Parts of all memory: for what is known of pages, alone or beside a ring of stored clusters. */
const KNOWN_SHARE = 1 / 2;
const KNOWN_SHARE_BESIDE_RING = 1 / 4;
const RING_SHARE = 5 / 16;
/** Part of what is known of pages that serves similarity. */
const ANCHOR_SHARE = 1 / 4;

export interface FoldOptions {
  readonly sink: ByteSink;
  readonly level: LevelParameters;
  /** Pages of all inputs together, if known. */
  readonly pageCount: number | undefined;
  /** From where clusters can be read back, see `PipelineParts`. */
  readonly clusterFd: number | undefined;
  /** True if sources may come that cannot be read again: their clusters are kept in memory. */
  readonly isReadOnce?: boolean | undefined;
  /** True if images may have more than one round. */
  readonly hasRounds?: boolean | undefined;
  /** The entry of what a frame was before, when there is no base; see `MatchContext`. */
  readonly previousOf?: ((batch: Batch, page: number) => number | undefined) | undefined;
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
  private imageCount: number;

  constructor(resources: EngineResources, options: FoldOptions) {
    const { arena, kernels, pool, checksum } = resources;
    const { sink, level, pageCount, clusterFd } = options;
    this.resources = resources;
    this.signal = options.signal;
    this.scratch = arena.reserve(IMAGE_CHECKSUM_SCRATCH_BYTES, "image checksum");
    const slabs = new SlabPool(arena, slabCount(pool.threads));
    this.slabs = slabs;
    const isRing = options.isReadOnce === true && clusterFd === undefined;
    const memoryBytes = steadyShare(arena, isRing ? KNOWN_SHARE_BESIDE_RING : KNOWN_SHARE);
    const { sampleBits, minVotes } = level;
    const anchors = { memoryBytes: memoryBytes * ANCHOR_SHARE, pageCount, sampleBits, minVotes };
    const scopeBytes = memoryBytes * (1 - ANCHOR_SHARE);
    const scope = new Scope(arena, kernels, { memoryBytes: scopeBytes, pageCount });
    this.scope = scope;
    const ringBytes = isRing ? steadyShare(arena, RING_SHARE) : 0;
    const { start, hasRounds } = options;
    this.writer = new StreamWriter(sink, checksum, { start, hasRounds });
    this.imageCount = this.writer.imageCount;
    const output = this.writer;
    this.pipeline = new Pipeline(
      { arena, kernels, pool, slabs, scope, output, level, clusterFd, ringBytes, anchors },
      options.previousOf,
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
    const { log, anchors } = this.pipeline;
    const parts = { ...this.resources, slabs: this.slabs, scope: this.scope, anchors };
    const entries = await learnBase(parts, log, source, checksum, this.signal);
    this.pipeline.previousOf = (batch, page) => baseEntry(entries, batch.frames.at(page));
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
    this.pipeline.close();
    this.scope.close();
    this.slabs.close();
    this.resources.arena.release(this.scratch);
  }

  private readonly onAbort = (): void => this.pipeline.fail(this.signal?.reason);
}

/**
 * A part of all memory, or half of it, a quarter … where other sessions have taken too much. Stored
 * bytes depend on it, so the shares leave room for any number of threads (`WORK_SHARE`).
 */
function steadyShare(arena: Arena, share: number): number {
  let bytes = arena.bytes.length * share;
  while (bytes > arena.largestFreeBytes * SCOPE_SHARE) bytes /= 2;
  return bytes;
}
