// Lets somebody look at every page that is folded while it is in its slab: what it is, what
// became of it, how varied its bytes are. Nobody has to: a session without an observer knows
// nothing of this file.
import type { Arena } from "../core/arena.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { BATCH_PAGES, Outcome, PLAN_BYTES, slabPart } from "../core/slab.ts";
import type { Scope } from "../dedup/scope.ts";
import type { ForwardImage, ImageFile } from "../image/opened.ts";
import {
  LOOKUP_FOUND,
  LOOKUP_INSERTED,
  NO_ENTRY,
  SURVEY_RECORD_BYTES,
  SURVEY_UNIFORM,
} from "../kernels/abi.ts";
import type { Batch, BatchLog } from "./batch.ts";
import type { EncodedCluster } from "./encoded.ts";

/** What became of a page. */
export const PageFate = {
  ZERO: 0,
  UNIFORM: 1,
  /** Equal to an earlier page of the same image, or of another one. */
  INSIDE: 2,
  ACROSS: 3,
  /** Stored as a delta. */
  SIMILAR: 4,
  STORED: 5,
} as const;

/** Hears of all pages of images without a base, image by image, in the order of their frames. */
export interface PageObserver {
  /** The inputs in their order, before their first page; undefined: not a file. */
  begin(files: readonly (ImageFile | ForwardImage | undefined)[]): void;
  /** What is passed is valid during the call. */
  pages(pages: ObservedPages): void;
}

/** A batch of pages in their slab. */
export class ObservedPages {
  readonly image: number;
  readonly firstFrame: number;
  readonly pageCount: number;
  readonly clusters: readonly EncodedCluster[];
  /** By page: its `PageFate`, and the number of its content, or NO_ENTRY if that has none. */
  readonly fates: Uint8Array;
  readonly entries: Uint32Array;
  /** By page, in 1/ENTROPY_PER_BIT bit for each byte. */
  readonly entropies: Uint16Array;
  private readonly arena: Arena;
  private readonly log: BatchLog;
  private readonly scope: Scope;
  private readonly slabPtr: number;

  constructor(
    { arena, log, scope }: { arena: Arena; log: BatchLog; scope: Scope },
    { source, frames, slabPtr }: Batch,
    clusters: readonly EncodedCluster[],
  ) {
    this.arena = arena;
    this.log = log;
    this.scope = scope;
    this.slabPtr = slabPtr;
    this.image = source.image;
    this.firstFrame = frames.first;
    this.pageCount = frames.length;
    this.clusters = clusters;
    const { buffer } = arena.bytes;
    this.entropies = new Uint16Array(buffer, slabPart(slabPtr, "entropy"), frames.length);
    this.entries = new Uint32Array(frames.length);
    this.fates = new Uint8Array(frames.length);
    const known = new Uint32Array(buffer, slabPart(slabPtr, "entries"), frames.length);
    const codes = arena.at(slabPart(slabPtr, "codes"), frames.length);
    for (let page = 0; page < frames.length; page++) {
      const hasEntry = codes[page] === LOOKUP_FOUND || codes[page] === LOOKUP_INSERTED;
      this.entries[page] = hasEntry ? known[page] : NO_ENTRY;
      this.fates[page] = this.fateOf(page);
    }
  }

  /** The page's bytes. */
  bytes(page: number): Uint8Array {
    return this.arena.at(slabPart(this.slabPtr, "pages") + page * PAGE_BYTES, PAGE_BYTES);
  }

  /** The word that a uniform page repeats. */
  word(page: number): bigint {
    return this.arena.view.getBigUint64(this.recordOf(page) + 8, true);
  }

  /** Where the content with this number was first. */
  firstOf(entry: number): { image: number; frame: number } {
    const ordinal = this.scope.ordinalOf(entry);
    const owner = Math.floor(ordinal / BATCH_PAGES);
    const { image } = this.log.source(owner);
    return { image, frame: this.log.frame(owner, ordinal % BATCH_PAGES) };
  }

  /** Bytes of a cluster before it was compressed. */
  contentBytes(cluster: EncodedCluster): number {
    const at = slabPart(this.slabPtr, "clusters") + cluster.byteOffset;
    return this.arena.view.getUint32(at + 12, true);
  }

  private fateOf(page: number): number {
    const { view } = this.arena;
    switch (view.getUint32(slabPart(this.slabPtr, "plan") + page * PLAN_BYTES + 8, true)) {
      case Outcome.EQUAL:
        return this.firstOf(this.entries[page]).image === this.image
          ? PageFate.INSIDE
          : PageFate.ACROSS;
      case Outcome.STORED:
        return PageFate.STORED;
      case Outcome.DELTA:
        return PageFate.SIMILAR;
      default:
        return view.getUint32(this.recordOf(page), true) === SURVEY_UNIFORM
          ? PageFate.UNIFORM
          : PageFate.ZERO;
    }
  }

  private recordOf(page: number): number {
    return slabPart(this.slabPtr, "records") + page * SURVEY_RECORD_BYTES;
  }
}
