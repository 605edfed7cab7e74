// Folds one input into a session: says IMAGE, sends its pages, says END. Pages of a file are read
// by workers; pages of streams, of compressed files and of sources pass through a private buffer.
import { createHash } from "node:crypto";
import type { ImageReport } from "../api.ts";
import { orAbort } from "../core/abort.ts";
import { PagefoldError } from "../core/errors.ts";
import { FrameMap } from "../core/extent.ts";
import { MAX_NOTES } from "../core/limits.ts";
import { PAGE_BYTES, pagesFor } from "../core/page.ts";
import { BATCH_PAGES, slabPart } from "../core/slab.ts";
import type { PageSource } from "../image/image.ts";
import type { ForwardImage, ImageFile, Woven } from "../image/opened.ts";
import type { Changes } from "../pipeline/base.ts";
import type { Batch, BatchNumbers, FoldSource } from "../pipeline/batch.ts";
import { slabFingerprints } from "../pipeline/surveyed.ts";
import { type EndHead, emptyCounts } from "../wire/imagehead.ts";
import { inFrames, rebatch } from "./chunks.ts";
import type { FoldSession } from "./fold.ts";
import { ImageSums } from "./imagesums.ts";
import type { ImageFacts, ImageSettings } from "./packsettings.ts";

const BATCH_BYTES = BATCH_PAGES * PAGE_BYTES;
/** The note that tells readers of an archive how its image was compressed. */
const DECOMPRESSED = "decompressed";
/** Before the name of what compressed the pages of a dump. */
const DUMP = "kdump-";

/** An image whose pages are on their way; `done` resolves once its END is said. */
export interface FoldedImage {
  readonly done: Promise<ImageReport & { unlistedPages: number }>;
}

/** Folds one image. Each method resolves when the next image may begin. */
export class ImageFolder {
  private readonly session: FoldSession;
  private readonly settings: ImageSettings;
  private readonly name: string;
  private readonly notes: [string, string][];
  private readonly sums;
  private readonly hash;
  private readonly counts = emptyCounts();
  private storedBytes = 0;
  private unlistedPages = 0;
  private frameCount = 0;
  private knownDigests: EndHead["digests"] = [];
  private file: ImageFile | ForwardImage | undefined;
  private woven: Woven | undefined;
  private map: FrameMap | undefined;
  private change: ImageReport["change"];

  constructor(
    session: FoldSession,
    input: { name: string; notes?: Record<string, string> | undefined },
    settings: ImageSettings,
  ) {
    this.session = session;
    this.settings = settings;
    this.name = input.name;
    this.notes = Object.entries(input.notes ?? {});
    this.sums = new ImageSums(session.newChecksum());
    const hashed = settings.sha256 || settings.expectedSha256 !== undefined;
    this.hash = hashed ? createHash("sha256") : undefined;
  }

  /** Takes the file over and closes it when its pages are no longer needed. */
  async fromFile(file: ImageFile): Promise<FoldedImage> {
    this.take(file);
    this.map = new FrameMap(file.segments);
    const image = this.begin(factsOf(file));
    const source = { name: file.path, image, file: { fd: file.fd, map: this.map } };
    this.frameCount = this.map.frameCount;
    const listener = { counts: this.counts, emitted: this.emitted };
    // A digest of the file wants all its bytes, in order.
    const changes = this.hash ? undefined : await this.session.changesOf(source);
    if (changes) {
      this.setChanges(changes);
      await this.session.addChanged(source, changes, listener);
    } else {
      await this.session.addFile(source, listener);
    }
    return this.end(image, () => file.byteLength);
  }

  /** The same for a file that is read forwards. */
  async fromForward(file: ForwardImage): Promise<FoldedImage> {
    this.take(file);
    this.woven = file.woven;
    const { path: name, segments } = file;
    const { signal } = this.settings;
    return this.fromPieces(factsOf(file), file.content(signal, this.hash), (content) =>
      segments
        ? inFrames(content, new FrameMap(segments), BATCH_PAGES, { name, signal })
        : rebatch(content, BATCH_BYTES, signal),
    );
  }

  /** All frames of a page source; `digests` are taken over instead of computed. */
  async fromSource(
    pages: PageSource,
    facts: ImageFacts & { byteLength: number; fileBytes?: number | undefined },
    digests: EndHead["digests"] = [],
  ): Promise<FoldedImage> {
    this.knownDigests = digests;
    const { frameCount } = pages;
    const { byteLength, fileBytes } = facts;
    this.woven = fileBytes === undefined ? undefined : { fileBytes };
    const image = this.begin(facts);
    const source = { name: this.name, image, file: undefined };
    while (this.frameCount < frameCount) {
      const count = Math.min(BATCH_PAGES, frameCount - this.frameCount);
      const bytes = new Uint8Array(count * PAGE_BYTES);
      const { signal } = this.settings;
      await orAbort(pages.read(this.frameCount, count, bytes, signal), signal);
      this.hash?.update(bytes);
      await this.addPages(source, bytes);
    }
    return this.end(image, () => byteLength);
  }

  /** Content that comes forwards, cut into pages by `cut`. */
  private async fromPieces(
    facts: ImageFacts,
    content: AsyncIterable<Uint8Array>,
    cut: (content: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>,
  ): Promise<FoldedImage> {
    const image = this.begin(facts);
    const source = { name: this.name, image, file: undefined };
    let byteLength = 0;
    async function* seen(): AsyncGenerator<Uint8Array> {
      for await (const piece of content) {
        byteLength += piece.length;
        yield piece;
      }
    }
    for await (const pages of cut(seen())) await this.addPages(source, pages);
    return this.end(image, () => byteLength);
  }

  /** All frames are those of the base until they are emitted. */
  private setChanges(changes: Changes): void {
    const { frames, comparedFrames, changedBlocks } = changes;
    const changedFrames = frames.length - (this.frameCount - comparedFrames);
    this.change = { comparedFrames, changedFrames, changedBlocks };
    this.sums.expect(this.session.baseFingerprints, comparedFrames);
  }

  private take(file: ImageFile | ForwardImage): void {
    this.file = file;
    const { decompressed, path } = file;
    if (decompressed?.startsWith(DUMP)) {
      const how = decompressed.slice(DUMP.length);
      const reason = `its pages cannot be compressed again as ${how} has compressed them`;
      this.settings.warn(`${path}: ${reason}; it will come out as a dump that is not compressed`);
    }
    const isTaken = this.notes.some(([own]) => own === DECOMPRESSED) || !decompressed;
    if (!isTaken && this.notes.length < MAX_NOTES) this.notes.push([DECOMPRESSED, decompressed]);
  }

  /** Sends the next pages; the last one may be partial. */
  private async addPages(source: FoldSource, bytes: Uint8Array): Promise<void> {
    const count = pagesFor(bytes.length);
    const fill = async (pages: Uint8Array): Promise<void> => {
      pages.set(bytes);
      pages.fill(0, bytes.length);
    };
    const listener = { counts: this.counts, emitted: this.emitted };
    await this.session.addFilled(source, this.frameCount, count, fill, listener);
    this.frameCount += count;
  }

  /** Says IMAGE, after everything that was sent before; returns its number. */
  private begin(head: ImageFacts): number {
    const { name, notes } = this;
    const { base } = this.settings;
    return this.session.beginImage({ ...head, name, notes, ...(base ? { base } : {}) });
  }

  private end(image: number, byteLength: () => number): FoldedImage {
    const done = this.session.pipeline.inOrder(async () => this.sayEnd(image, byteLength()));
    return { done };
  }

  /** `contentBytes`: those in frames. */
  private sayEnd(image: number, contentBytes: number): ImageReport & { unlistedPages: number } {
    const warning = this.file?.checkUnchanged();
    if (warning) this.settings.warn(warning);
    const digest = this.hash?.digest();
    const sha256 = digest?.toString("hex");
    this.checkExpected(sha256);
    const { name, counts, storedBytes, frameCount, unlistedPages, change } = this;
    this.session.writer.endImage({
      image,
      round: 0,
      byteLength: contentBytes,
      fileBytes: this.woven?.fileBytes,
      checksum: this.sums.finish(contentBytes, frameCount),
      digests: digest ? [["sha256", digest]] : this.knownDigests,
      counts,
      storedBytes,
    });
    const byteLength = this.woven?.fileBytes ?? contentBytes;
    const report = { name, byteLength, frameCount, counts, storedBytes, unlistedPages };
    return {
      ...report,
      ...(sha256 ? { sha256 } : {}),
      ...(change ? { change } : {}),
      ...(this.file?.decompressed ? { decompressed: this.file.decompressed } : {}),
    };
  }

  private checkExpected(sha256: string | undefined): void {
    const { expectedSha256 } = this.settings;
    if (!expectedSha256) return;
    const expected = expectedSha256.get(this.name);
    if (expected === sha256) return;
    const reason = expected ? `SHA-256 is ${sha256}, not ${expected}` : "no SHA-256 to check";
    throw new PagefoldError("MISMATCH", `${this.name}: ${reason}`);
  }

  private readonly emitted = (batch: Batch, numbers: BatchNumbers): void => {
    const { arena } = this.settings;
    const { frames, slabPtr } = batch;
    this.sums.add(frames, slabFingerprints(arena, slabPtr, frames.length));
    this.storedBytes += numbers.storedBytes;
    this.unlistedPages += numbers.unlistedPages;
    if (this.hash && this.map) {
      const pages = slabPart(slabPtr, "pages");
      for (const run of this.map.runs(frames.first, frames.length)) {
        const at = pages + (run.frame - frames.first) * PAGE_BYTES;
        this.hash.update(arena.at(at, run.byteLength));
      }
    }
    this.settings.advance(this.name, (frames.last - frames.first + 1) * PAGE_BYTES);
  };
}

function factsOf({ format, byteLength, mtimeNs, segments }: ImageFile | ForwardImage) {
  const segmentBytes = segments?.map((segment) => segment.byteLength) ?? [];
  return { format, byteLength, mtimeNs, segmentBytes: segmentBytes.length > 1 ? segmentBytes : [] };
}
