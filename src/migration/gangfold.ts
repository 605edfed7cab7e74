// Folds the batches of all guests of a gang, in the order in which they are added, into frames of
// the session. Their slabs are what bounds the bytes under way.
import type { PagefoldError } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { BATCH_PAGES, slabPart } from "../core/slab.ts";
import type { Batch, FoldSource } from "../pipeline/batch.ts";
import { type FoldParts, openFoldParts } from "../pipeline/fold.ts";
import type { LevelParameters } from "../pipeline/level.ts";
import type { PagesPlace } from "../pipeline/pipelineparts.ts";
import { plainEntry } from "../pipeline/plainentry.ts";
import type { EngineResources } from "../pipeline/resources.ts";
import { slabHashes } from "../pipeline/surveyed.ts";
import { NO_HASHES, type PageHashes } from "../qemu/streamproof.ts";
import type { RateLimit } from "../transport/rate.ts";
import { emptyCounts } from "../wire/imagehead.ts";
import type { PagesHead } from "../wire/records.ts";
import { SessionType } from "../wire/sessionframe.ts";
import { encodeSessionBatch } from "../wire/sessionheads.ts";
import { AdaptiveLevel } from "./adaptivelevel.ts";
import { type FrameEntries, GuestFrames } from "./guestframes.ts";
import type { FoldedGuest, GuestBatch } from "./guesthost.ts";
import type { SessionLink } from "./link.ts";
import {
  answerBatch,
  answerFrames,
  RackSource,
  type RackSourceOptions,
  type SentBatch,
} from "./racksource.ts";
import { SessionOutput } from "./sessionoutput.ts";

export interface GangFoldOptions {
  readonly link: SessionLink;
  /** Bytes of clusters that the target keeps. */
  readonly slotBytes: number;
  /** From weak to strong, and which one is first. One alone is kept. */
  readonly levels: readonly LevelParameters[];
  readonly firstLevel: number;
  readonly rate: RateLimit | undefined;
  /** Where other hosts of the rack may have sent pages already. */
  readonly rack?: RackSourceOptions | undefined;
  /** Told of the first failure. */
  readonly onFailure: (error: unknown) => void;
}

/** The pages of a guest as the pipeline sees them. */
interface GuestPages extends FoldSource {
  readonly entries: FrameEntries;
}

export class GangFold {
  /** Pages by what was found. */
  readonly counts = emptyCounts();
  private readonly resources: EngineResources;
  private readonly options: GangFoldOptions;
  private readonly level: AdaptiveLevel;
  private readonly parts: FoldParts;
  rack: RackSource | undefined;
  private readonly sources = new WeakMap<FoldedGuest, GuestPages>();
  /** Batches with pages that have been added and not emitted, in order. */
  private readonly pending: SentBatch[] = [];
  private readonly waiting: (() => void)[] = [];
  private readonly output = {
    clusterCount: 0,
    pages: (head: PagesHead, body: Uint8Array, _: Uint8Array, batch: Batch) =>
      this.emit(head, body, batch),
  };
  /** Batches with pages that have been added. */
  private batchCount = 0;
  private readonly over = new AbortController();
  private readonly sessionOutput: SessionOutput;
  private adding: Promise<unknown> = Promise.resolve();

  constructor(resources: EngineResources, options: GangFoldOptions) {
    this.resources = resources;
    this.options = options;
    this.sessionOutput = new SessionOutput(options.link, options.rate, this.over.signal);
    this.level = new AdaptiveLevel(options.levels, options.firstLevel);
    const foldOptions = {
      output: this.output,
      level: this.level,
      pageCount: undefined,
      clusterFd: undefined,
      isReadOnce: true,
      ringLimitBytes: options.slotBytes,
      previousOf: (batch: Batch, page: number) =>
        (batch.source as GuestPages).entries.previous(batch, page),
    };
    const { rack } = options;
    this.parts = resources.arena.allOrNothing(() => {
      this.rack = rack && new RackSource(resources, rack, this);
      return openFoldParts(resources, { ...foldOptions, names: this.rack });
    });
    this.rack?.attach(this.parts.scope);
    this.parts.slabs.onFree = () => this.wake();
  }

  /** The pages of a slab, if there is room for a batch now. */
  tryBegin(): { slabPtr: number; pages: Uint8Array } | undefined {
    if (this.sessionOutput.isFull) return undefined;
    const slabPtr = this.parts.slabs.tryLease();
    if (slabPtr === undefined) return undefined;
    const { arena } = this.resources;
    const pages = arena.at(slabPart(slabPtr, "pages"), BATCH_PAGES * PAGE_BYTES);
    return { slabPtr, pages };
  }

  /** Resolves when there may be room. */
  room(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /** Lets all that wait for room look again. */
  wake(): void {
    for (const resolve of this.waiting.splice(0)) resolve();
  }

  /** Gives a slab back that was not used. */
  forget(slabPtr: number): void {
    this.parts.slabs.release(slabPtr);
  }

  add(guest: FoldedGuest, batch: GuestBatch, forgotten: readonly number[]): void {
    if (batch.pageCount === 0) {
      guest.entries.forget(this.batchCount - 1, forgotten);
      this.forget(batch.slabPtr);
      this.behindAll(() => this.sendBatch({ guest, batch }, NO_HASHES));
      return;
    }
    const ordinal = this.batchCount++;
    guest.entries.sent(ordinal, batch.frames, batch.pageCount);
    guest.entries.forget(ordinal, forgotten);
    this.enqueue(
      { guest, batch },
      new GuestFrames(batch.pageCount, batch.frames, batch.mayBeNamed),
    );
  }

  /** Sends the pages of a slab as the content of names. */
  async answer(fill: (pagesPtr: number) => readonly number[]): Promise<void> {
    let slab = this.tryBegin();
    for (; !slab && !this.over.signal.aborted; slab = this.tryBegin()) await this.room();
    if (!slab) return;
    const { slabPtr } = slab;
    const answers = fill(slabPart(slabPtr, "pages"));
    if (answers.length === 0) {
      this.forget(slabPtr);
      return;
    }
    this.batchCount++;
    this.enqueue(answerBatch(slabPtr, answers), answerFrames(answers.length));
  }

  private enqueue(pending: SentBatch, frames: GuestFrames): void {
    const { guest, batch } = pending;
    const { pipeline, scope } = this.parts;
    const { arena } = this.resources;
    const emitted = (done: Batch): void => {
      guest.entries.emitted(done, (page) => plainEntry(arena, scope, done.slabPtr, page));
      this.rack?.emitted();
    };
    const listener = { counts: this.counts, emitted };
    this.adding = this.adding
      .then(async () => {
        this.pending.push(pending);
        await pipeline.addLeased(batch.slabPtr, this.sourceOf(guest), frames, listener, true);
      })
      .catch(this.fail);
  }

  /** Runs `action` when all that was added before has been handed to the link. */
  afterAll(action: () => void): void {
    this.behindAll(() => this.sessionOutput.inTurn(async () => action()));
  }

  /** Waits for what is under way and gives everything back. */
  async close(reason: Error | PagefoldError): Promise<void> {
    this.over.abort(reason);
    await this.rack?.close();
    this.parts.pipeline.fail(reason);
    await this.adding;
    await this.parts.pipeline.drain().catch(() => undefined);
    this.parts.close();
    this.rack?.end();
    this.wake();
  }

  /** First cluster that the target still has. */
  get firstKept(): number {
    return this.parts.pipeline.firstKept;
  }

  /** Sends a frame that is about no guest behind what was emitted. */
  tell(type: SessionType, head: Uint8Array): void {
    this.sessionOutput.send(type, 0, head).catch(this.fail);
  }

  private readonly fail = (error: unknown): void => this.options.onFailure(error);

  /** Whether batches are under way that have not been emitted. */
  get isBusy(): boolean {
    return this.pending.length > 0;
  }

  /** The next pending batch has been encoded. */
  private emit(pages: PagesHead, body: Uint8Array, batch: Batch): PagesPlace {
    const next = this.pending.shift();
    if (!next) throw new Error("a batch was emitted that nobody has added");
    this.output.clusterCount += pages.clusters.length;
    this.level.observe(this.sessionOutput.isWaiting);
    const names = this.parts.namer?.take(batch.ordinal);
    const hashes = slabHashes(this.resources.arena, batch.slabPtr);
    return { bodyOffset: 0, written: this.sendBatch(next, hashes, { pages, names }, body) };
  }

  private sendBatch(
    { guest, batch, answers }: SentBatch,
    hashes: PageHashes,
    content?: { readonly pages: PagesHead; readonly names: Uint8Array | undefined },
    body?: Uint8Array,
  ): Promise<void> {
    const { streamBytes, isWithheld, settles } = batch;
    const { firstKept } = this.parts.pipeline;
    const script = batch.script.take();
    guest.proof?.play(script, hashes);
    const part = { streamBytes, isWithheld, firstKept, script, settles, answers };
    const head = encodeSessionBatch({ ...part, pages: content?.pages, names: content?.names });
    guest.wireBytes += head.length + (body?.length ?? 0);
    const written = this.sessionOutput.send(SessionType.BATCH, guest.number, head, body);
    written.then(() => this.wake()).catch(this.fail);
    return written;
  }

  /** Begins `action` when all that was added before has been emitted, and before anything later. */
  private behindAll(action: () => Promise<void>): void {
    const begin = async (): Promise<void> => void action().catch(this.fail);
    this.adding = this.adding
      .then(() => void this.parts.pipeline.inOrder(begin).catch(this.fail))
      .catch(this.fail);
  }

  /** One for all batches of a guest: the pipeline keeps them. */
  private sourceOf(guest: FoldedGuest): GuestPages {
    const { name, number: image, entries } = guest;
    const source = this.sources.get(guest) ?? { name, image, file: undefined, entries };
    this.sources.set(guest, source);
    return source;
  }
}
