// The way of a page: read and surveyed by a worker, matched on the main thread in frame order,
// encoded by a worker, emitted in frame order. Several batches are under way at once; what a batch
// may know of earlier ones does not depend on how many, so any number of workers gives one result.
import { PAGE_BYTES } from "../core/page.ts";
import { slabPart } from "../core/slab.ts";
import type { Task, TaskResults } from "../pool/task.ts";
import { AnchorLag } from "./anchorlag.ts";
import {
  type Batch,
  type BatchListener,
  BatchLog,
  type FoldSource,
  type FrameList,
} from "./batch.ts";
import { emitBatch } from "./emit.ts";
import { type EncodedCluster, readEncoded, sealedPlaces } from "./encoded.ts";
import { History } from "./history.ts";
import { inputError } from "./inputerror.ts";
import { type FoundFor, matchBatch, type PreviousOf } from "./match.ts";
import { ObservedPages } from "./observer.ts";
import type { PagesPlace, PipelineParts } from "./pipelineparts.ts";
import { readList } from "./surveyed.ts";

/** How pages get into a slab when no worker reads them from a file. */
export type FillPages = (pages: Uint8Array) => Promise<void>;

interface InFlight {
  readonly batch: Batch;
  /** Who still needs the slab: the batch itself, and batches that compare with its pages. */
  holds: number;
  /** Batches whose slabs this one needs. */
  readonly holding: Set<InFlight>;
}

export class Pipeline {
  readonly log = new BatchLog();
  readonly anchors: AnchorLag;
  /** May be set before the first batch. */
  previousOf: PreviousOf | undefined;
  /** Likewise: see `MatchContext`. */
  foundFor: FoundFor | undefined;
  private readonly parts: PipelineParts;
  private readonly inFlight = new Map<number, InFlight>();
  private readonly history: History;
  private matched: Promise<unknown> = Promise.resolve();
  private emitted: Promise<unknown> = Promise.resolve();
  private readonly running = new Set<Promise<unknown>>();
  private failure: { reason: unknown } | undefined;

  constructor(parts: PipelineParts, previousOf?: PreviousOf) {
    this.parts = parts;
    this.previousOf = previousOf;
    this.anchors = new AnchorLag(parts.arena, parts.kernels, parts.anchors);
    this.history = new History(parts);
  }

  /**
   * Sends frames of a source on their way; resolves as soon as the next batch may be begun. Frames
   * are read by a worker from the source's file, or put into the slab by `fill`.
   */
  async add(source: FoldSource, frames: FrameList, listener: BatchListener, fill?: FillPages) {
    const slabPtr = await this.parts.slabs.lease();
    if (fill) await this.fill(slabPtr, frames.length, fill);
    await this.addLeased(slabPtr, source, frames, listener, fill !== undefined);
  }

  /**
   * The same for a slab that was leased before; it is released when nobody needs it any more. One
   * call at a time.
   */
  async addLeased(
    slabPtr: number,
    source: FoldSource,
    frames: FrameList,
    listener: BatchListener,
    isFilled: boolean,
  ): Promise<void> {
    const batch = { ordinal: this.log.add(source, frames), source, frames, slabPtr };
    await this.anchors.ready(batch.ordinal);
    const flight: InFlight = { batch, holds: 1, holding: new Set() };
    this.inFlight.set(batch.ordinal, flight);
    const surveyed = this.survey(batch, isFilled);
    const seen = this.history.ready(batch.ordinal);
    const matched = Promise.all([surveyed, this.matched, seen]).then(() => this.match(flight));
    this.matched = matched;
    const encoded = matched.then(async (listedCount) => {
      await this.name(batch);
      return this.encode(flight, listedCount);
    });
    const emitted = Promise.all([encoded, this.emitted]).then(([clusters]) =>
      this.emit(batch, clusters, listener),
    );
    this.emitted = emitted;
    this.history.follow(batch.ordinal, emitted);
    const written = emitted.then((place) => place.written).then(() => this.release(flight));
    this.anchors.follow(batch.ordinal, written);
    this.watch(written);
  }

  /** First cluster that a batch to come may still name, where clusters are kept in memory. */
  get firstKept(): number {
    return this.history.firstKept;
  }

  /** Runs `action` when every batch added so far has been emitted, and before any later one. */
  inOrder<T>(action: () => Promise<T>): Promise<T> {
    const done = this.emitted.then(action);
    this.emitted = done;
    this.watch(done);
    return done;
  }

  /** Waits until nothing is under way; rejects with the first failure. */
  async drain(): Promise<void> {
    while (this.running.size > 0) await Promise.allSettled(this.running);
    if (this.failure) throw this.failure.reason;
  }

  /** Lets nothing more begin: what is under way ends, then `drain` rejects with `reason`. */
  fail(reason: unknown): void {
    this.failure ??= { reason };
    this.parts.slabs.fail(this.failure.reason);
  }

  /** After `drain`. */
  close(): void {
    this.anchors.close();
    this.history.close();
  }

  private async fill(slabPtr: number, pageCount: number, fill: FillPages): Promise<void> {
    try {
      const pages = slabPart(slabPtr, "pages");
      await fill(this.parts.arena.at(pages, pageCount * PAGE_BYTES));
    } catch (error) {
      this.fail(error);
      throw error;
    }
  }

  private async survey(batch: Batch, filled: boolean): Promise<void> {
    const { source, frames, slabPtr } = batch;
    const file = filled ? undefined : source.file;
    const runs = file ? readList(file.map, frames) : [];
    const fd = file?.fd ?? -1;
    const pageCount = frames.length;
    const anchors = this.anchors.view(batch.ordinal);
    const entropyTablePtr = this.parts.observed?.tablePtr;
    const pages = { fd, runs, slabPtr, pageCount };
    const { fault } = await this.run({ kind: "survey", ...pages, anchors, entropyTablePtr });
    if (fault) throw inputError(source.name, fault);
  }

  private match(flight: InFlight): number {
    if (this.failure) throw this.failure.reason;
    const { arena, kernels, scope } = this.parts;
    const slabOf = (ordinal: number): number | undefined => {
      const owner = this.inFlight.get(ordinal);
      if (!owner) return undefined;
      if (owner !== flight && !flight.holding.has(owner)) {
        flight.holding.add(owner);
        owner.holds++;
      }
      return owner.batch.slabPtr;
    };
    const { log, history, previousOf, foundFor } = this;
    const context = { arena, kernels, scope, log, history, slabOf, previousOf, foundFor };
    const listedCount = matchBatch(context, flight.batch);
    this.anchors.matched(flight.batch.ordinal, scope.entryCount);
    return listedCount;
  }

  private async name(batch: Batch): Promise<void> {
    const named = this.parts.namer?.name(batch, this.previousOf);
    if (named) this.watch(named);
    await named;
  }

  private async encode(flight: InFlight, listedCount: number): Promise<EncodedCluster[]> {
    const { arena, scope, output, level } = this.parts;
    const { slabPtr, frames, source } = flight.batch;
    const count = Math.min(output.clusterCount, scope.placeCapacity);
    const { clusterCount, fault } = await this.run({
      kind: "encode",
      slabPtr,
      pageCount: frames.length,
      listedCount,
      clusterPages: level.clusterPages,
      compress: level.compress,
      compressDeltas: level.compressDeltas ?? level.compress,
      places: { session: scope.session, ptr: scope.placesPtr, count, seals: output.seals },
    });
    for (const owner of flight.holding) this.release(owner);
    if (fault) throw inputError(source.name, fault);
    return readEncoded(arena, slabPtr, clusterCount);
  }

  private emit(batch: Batch, encoded: EncodedCluster[], listener: BatchListener): PagesPlace {
    if (this.failure) throw this.failure.reason;
    const { arena, kernels, scope, output, clusterFd } = this.parts;
    const clusters = output.seals ? sealedPlaces(encoded) : encoded;
    const firstCluster = output.clusterCount;
    const { log } = this;
    const context = { arena, kernels, scope, log };
    const emitted = emitBatch(context, batch, clusters, firstCluster, listener.counts);
    this.parts.observed?.observer.pages(new ObservedPages(context, batch, clusters));
    const storedBytes = clusters.reduce((sum, cluster) => sum + cluster.byteLength, 0);
    const clustersPtr = slabPart(batch.slabPtr, "clusters");
    const body = arena.at(clustersPtr, storedBytes);
    // What is kept in memory is not sealed.
    this.history.keep(batch.ordinal, encoded, firstCluster, clustersPtr);
    const place = output.pages(emitted.head, body, emitted.fingerprints, batch);
    this.anchors.keep(batch);
    if (clusterFd !== undefined) {
      clusters.forEach(({ byteOffset, byteLength }, i) => {
        scope.setPlace(firstCluster + i, place.bodyOffset + byteOffset, byteLength, clusterFd);
      });
    }
    listener.emitted(batch, { storedBytes, unlistedPages: emitted.unlistedPages });
    return place;
  }

  /** Until a task has ended its worker writes to the slab, whatever else has failed. */
  private run<K extends Task["kind"]>(task: Extract<Task, { kind: K }>): Promise<TaskResults[K]> {
    const result = this.parts.pool.run<K>(task);
    this.watch(result);
    return result;
  }

  private release(flight: InFlight): void {
    if (--flight.holds > 0) return;
    this.inFlight.delete(flight.batch.ordinal);
    this.parts.slabs.release(flight.batch.slabPtr);
  }

  private watch(work: Promise<unknown>): void {
    this.running.add(work);
    work.then(
      () => this.running.delete(work),
      (error) => {
        this.running.delete(work);
        this.fail(error);
      },
    );
  }
}
