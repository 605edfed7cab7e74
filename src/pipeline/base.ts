// A base image: its pages become known to the scope as content that the other side has, and images
// that were made from it are compared with it frame by frame. Learning and the first comparison are
// one pass over both files.
import type { Arena } from "../core/arena.ts";
import { slabPart } from "../core/slab.ts";
import type { Scope } from "../dedup/scope.ts";
import { FINGERPRINT_BYTES, type Kernels, LOOKUP_INSERTED, NO_ENTRY } from "../kernels/abi.ts";
import { MASK_BYTES } from "../pool/comparetask.ts";
import type { WorkPool } from "../pool/pool.ts";
import type { AnchorLag } from "./anchorlag.ts";
import { searchBase } from "./basesearch.ts";
import { type BatchLog, consecutiveFrames, type FoldSource } from "./batch.ts";
import type { ImageChecksum } from "./imagechecksum.ts";
import { inputError } from "./inputerror.ts";
import { writeOrdinals } from "./match.ts";
import type { SlabPool } from "./slabs.ts";
import { inOrder, readList, slabFingerprints } from "./surveyed.ts";

export interface BaseParts {
  readonly arena: Arena;
  readonly kernels: Kernels;
  readonly pool: WorkPool;
  readonly slabs: SlabPool;
  readonly scope: Scope;
  readonly anchors: AnchorLag;
  readonly log: BatchLog;
}

/** A source whose pages are in a file. */
export type FileSource = FoldSource & { readonly file: NonNullable<FoldSource["file"]> };

/** What differs between an image and its base. */
export interface Changes {
  /** Frames that are not those of the base, rising. */
  readonly frames: number[];
  /** Frames that both have. */
  readonly comparedFrames: number;
  /** Blocks of 64 bytes that differ in those. */
  changedBlocks: number;
  /** Of the first frames, the windows that are new: what `search` looks for. */
  readonly windows: Uint32Array[];
}

export class KnownBase {
  /** Of all frames of the base, 16 bytes each. */
  readonly fingerprints: Uint8Array<ArrayBuffer>;
  private readonly parts: BaseParts;
  private readonly source: FileSource;
  /** Table entry of each frame; NO_ENTRY for zero, uniform and unlisted pages. */
  private readonly entries: Uint32Array;

  constructor(parts: BaseParts, source: FileSource) {
    const { frameCount } = source.file.map;
    this.parts = parts;
    this.source = source;
    this.fingerprints = new Uint8Array(frameCount * FINGERPRINT_BYTES);
    this.entries = new Uint32Array(frameCount);
  }

  /** The entry of a frame. Frames beyond the end have none. */
  entry(frame: number): number | undefined {
    const entry = frame < this.entries.length ? this.entries[frame] : NO_ENTRY;
    return entry === NO_ENTRY ? undefined : entry;
  }

  /**
   * Makes all pages known and feeds `checksum`. Either tells what is different in `image`, or lets
   * pages that are like those of the base be found. To be called once, before anything is matched.
   */
  async learn(
    checksum: ImageChecksum,
    image: FileSource | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Changes | undefined> {
    const { arena, anchors, scope } = this.parts;
    return this.walk(image, signal, (slabPtr, frame, pageCount) => {
      const found = slabFingerprints(arena, slabPtr, pageCount);
      checksum.add(found);
      this.fingerprints.set(found, frame * FINGERPRINT_BYTES);
      this.learnBatch(slabPtr, frame, pageCount);
      if (!image) anchors.learn(slabPtr, pageCount, scope.entryCount);
    });
  }

  /** Tells what is different in `image`. */
  async compare(image: FileSource, signal: AbortSignal | undefined): Promise<Changes> {
    return (await this.walk(image, signal)) as Changes;
  }

  /** Finds frames of the base that hold what is new in changed ones; tells them by entry. */
  async search({ frames, windows }: Changes, signal: AbortSignal | undefined) {
    const { name, file } = this.source;
    const searched = { name, ...file };
    const found = await searchBase(this.parts, searched, this.distinctFrames(), windows, signal);
    const entriesOf = new Map<number, readonly number[]>();
    for (const [i, sources] of found.entries()) {
      const entries = sources.flatMap((frame) => this.entry(frame) ?? []);
      if (entries.length > 0) entriesOf.set(frames[i], entries);
    }
    return entriesOf;
  }

  /** The first frame of each entry: what others hold stands there as well, or is nothing. */
  private distinctFrames(): Uint32Array {
    const { entries } = this;
    const frames = new Uint32Array(entries.length);
    const seen = new Uint8Array(this.parts.scope.entryCount);
    let count = 0;
    for (let frame = 0; frame < entries.length; frame++) {
      const entry = entries[frame];
      if (entry === NO_ENTRY || seen[entry] === 1) continue;
      seen[entry] = 1;
      frames[count++] = frame;
    }
    return frames.subarray(0, count);
  }

  private async walk(
    image: FileSource | undefined,
    signal: AbortSignal | undefined,
    learn?: (slabPtr: number, frame: number, pageCount: number) => void,
  ): Promise<Changes | undefined> {
    const { arena, slabs } = this.parts;
    const baseFrames = this.source.file.map.frameCount;
    const imageFrames = image?.file.map.frameCount ?? 0;
    const comparedFrames = Math.min(baseFrames, imageFrames);
    const changes: Changes = { frames: [], comparedFrames, changedBlocks: 0, windows: [] };
    await inOrder(
      slabs,
      learn ? baseFrames : comparedFrames,
      (slabPtr, frame, pageCount) =>
        this.compareBatch(slabPtr, frame, pageCount, image, learn !== undefined),
      (slabPtr, frame, pageCount, changedCount) => {
        learn?.(slabPtr, frame, pageCount);
        const compared = Math.min(pageCount, comparedFrames - frame);
        if (changedCount > 0) addChanges(arena, slabPtr, frame, compared, changes);
      },
      signal,
    );
    for (let frame = baseFrames; frame < imageFrames; frame++) changes.frames.push(frame);
    return image && changes;
  }

  /** Resolves with how many pages changed. */
  private async compareBatch(
    slabPtr: number,
    frame: number,
    pageCount: number,
    image: FileSource | undefined,
    isLearnt: boolean,
  ): Promise<number> {
    const { pool, anchors } = this.parts;
    const frames = consecutiveFrames(frame, pageCount);
    const { file } = this.source;
    const imageFrames = image?.file.map.frameCount ?? 0;
    const comparedCount = Math.max(0, Math.min(pageCount, imageFrames - frame));
    const compared = consecutiveFrames(frame, comparedCount);
    const { changedCount, fault, isOfBase } = await pool.run({
      kind: "compare",
      slabPtr,
      base: { fd: file.fd, runs: readList(file.map, frames) },
      image: { fd: image?.file.fd ?? -1, runs: image ? readList(image.file.map, compared) : [] },
      pageCount,
      comparedCount,
      isLearnt,
      anchors: isLearnt && !image ? anchors.blindView() : undefined,
    });
    if (fault) throw inputError((!isOfBase && image ? image : this.source).name, fault);
    return changedCount;
  }

  private learnBatch(slabPtr: number, frame: number, pageCount: number): void {
    const { arena, scope, log } = this.parts;
    const ordinal = log.add(this.source, consecutiveFrames(frame, pageCount));
    const part = (name: Parameters<typeof slabPart>[1]): number => slabPart(slabPtr, name);
    writeOrdinals(arena, part("places"), ordinal, pageCount);
    scope.lookUp(slabPtr, pageCount);
    const entries = arena.words.subarray(part("entries") / 4, part("entries") / 4 + pageCount);
    this.entries.set(entries, frame);
    for (let page = 0; page < pageCount; page++) {
      if (arena.bytes[part("codes") + page] === LOOKUP_INSERTED) scope.setBase(entries[page]);
    }
  }
}

function addChanges(
  { words }: Arena,
  slabPtr: number,
  frame: number,
  pageCount: number,
  changes: Changes,
): void {
  const masks = slabPart(slabPtr, "runs");
  let listed = slabPart(slabPtr, "pages") / 4;
  for (let page = 0; page < pageCount; page++) {
    const at = (masks + page * MASK_BYTES) / 4;
    const blocks = bitCount(words[at]) + bitCount(words[at + 1]);
    if (blocks === 0) continue;
    changes.frames.push(frame + page);
    changes.changedBlocks += blocks;
    const end = listed + 1 + words[listed];
    changes.windows.push(words.slice(listed + 1, end));
    listed = end;
  }
}

function bitCount(word: number): number {
  let count = 0;
  for (let rest = word; rest !== 0; rest &= rest - 1) count++;
  return count;
}
