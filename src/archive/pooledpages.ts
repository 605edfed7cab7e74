// Frames of archived images for those who want them soon and in any order: workers decode the
// clusters straight from the archive's file, some frames a task. Nothing is kept but what each
// worker has decoded lately.
import type { Region } from "../core/arena.ts";
import { PagefoldError } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { BATCH_PAGES, PLACE_BYTES, slabPart } from "../core/slab.ts";
import { type EngineResources, slabCount } from "../pipeline/resources.ts";
import { SlabPool } from "../pipeline/slabs.ts";
import { setWide } from "../pool/restorerun.ts";
import type { PlacesRegion, RestoreBase } from "../pool/task.ts";
import { SPAN_BYTES, Span } from "../pool/unfoldtask.ts";
import { RecordKind, type Run } from "../wire/records.ts";
import { clipRuns } from "../wire/slotruns.ts";
import type { OpenBase } from "./basefile.ts";
import { writePlaces } from "./clusterplaces.ts";
import type { ArchiveIndex } from "./index.ts";

export class PooledPages {
  /** Frames that one `read` may ask for. */
  static readonly maxFrames = BATCH_PAGES;
  private readonly resources: EngineResources;
  private readonly index: ArchiveIndex;
  private readonly base: RestoreBase | undefined;
  private readonly region: Region;
  private readonly slabs: SlabPool;
  private readonly places: PlacesRegion;
  private readonly running = new Set<Promise<unknown>>();

  private constructor(resources: EngineResources, index: ArchiveIndex, base: OpenBase | undefined) {
    const { arena, pool } = resources;
    this.resources = resources;
    this.index = index;
    this.base = base && {
      fd: base.file.fd,
      segments: base.file.segments.flatMap((segment) => [segment.byteOffset, segment.byteLength]),
    };
    const placesBytes = Math.max(index.clusterCount, 1) * PLACE_BYTES;
    this.region = arena.reserve(placesBytes, "places of clusters");
    this.slabs = new SlabPool(arena, slabCount(pool.threads));
    const { ptr } = this.region;
    const { seals } = index;
    this.places = { session: arena.nextSession(), ptr, count: index.clusterCount, seals };
  }

  /** `fd` and the file of `base` stay open until this is closed. LIMIT when there is no room. */
  static async open(
    resources: EngineResources,
    fd: number,
    index: ArchiveIndex,
    base: OpenBase | undefined,
    signal?: AbortSignal,
  ): Promise<PooledPages> {
    const { arena } = resources;
    const pages = arena.allOrNothing(() => new PooledPages(resources, index, base));
    try {
      await writePlaces(arena.view, pages.places.ptr, index, fd, undefined, signal);
      return pages;
    } catch (error) {
      await pages.close();
      throw error;
    }
  }

  get threads(): number {
    return this.resources.pool.threads;
  }

  /**
   * Frames [frame, frame + count) of an image, `maxFrames` at most, in memory of their own: `into`
   * where it is given. DAMAGED, BASE.
   */
  async read(
    image: number,
    frame: number,
    count: number,
    into = new Uint8Array(count * PAGE_BYTES),
  ): Promise<Uint8Array<ArrayBuffer>> {
    const reading = this.readInSlab(image, frame, count, into);
    this.running.add(reading);
    const forget = (): void => void this.running.delete(reading);
    reading.then(forget, forget);
    return reading;
  }

  /** Waits for what is under way; what has not begun rejects. */
  async close(): Promise<void> {
    this.slabs.fail(new PagefoldError("INPUT", "the archive was closed"));
    await Promise.allSettled(this.running);
    this.slabs.close();
    this.resources.arena.release(this.region);
  }

  private async readInSlab(
    image: number,
    frame: number,
    count: number,
    pages: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const { slabs, places, base } = this;
    const { arena, pool } = this.resources;
    const slabPtr = await slabs.lease();
    try {
      const spanCount = await this.writeSpans(slabPtr, image, frame, count);
      const task = { kind: "unfold", slabPtr, spanCount, places, base } as const;
      const { fault } = await pool.run<"unfold">(task);
      if (fault) throw new PagefoldError("DAMAGED", fault.reason);
      pages.set(arena.at(slabPart(slabPtr, "pages"), pages.length));
      return pages;
    } finally {
      slabs.release(slabPtr);
    }
  }

  private async writeSpans(
    slabPtr: number,
    image: number,
    frame: number,
    count: number,
  ): Promise<number> {
    const { words } = this.resources.arena;
    let span = slabPart(slabPtr, "runs") / 4;
    let spanCount = 0;
    const end = frame + count;
    for (let at = frame; at < end; ) {
      const leaf = await this.index.leafAt(image, at);
      if (leaf.lost !== undefined) throw new PagefoldError("DAMAGED", leaf.lost);
      const stop = Math.min(end, leaf.firstFrame + leaf.frameCount);
      for (const run of clipRuns(leaf.runs, leaf.firstFrame, at, stop)) {
        writeSpan(words, span, run);
        span += SPAN_BYTES / 4;
        spanCount++;
        at += run.length;
      }
    }
    return spanCount;
  }
}

function writeSpan(words: Uint32Array, at: number, run: Run): void {
  words[at + 1] = run.length;
  switch (run.kind) {
    case RecordKind.DUPLICATE:
      words[at] = Span.SLOT;
      words[at + 2] = run.cluster;
      words[at + 3] = run.item;
      break;
    case RecordKind.BASE:
      words[at] = Span.BASE;
      setWide(words, at + 2, run.frame);
      break;
    default: {
      const word = run.kind === RecordKind.UNIFORM ? run.word : 0n;
      words[at] = Span.WORD;
      words[at + 2] = Number(word & 0xffff_ffffn);
      words[at + 3] = Number(word >> 32n);
    }
  }
}
