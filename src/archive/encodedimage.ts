// One image of an encoder: sends its rounds into the session and remembers, in 20 bytes a frame,
// what the other side has of it: fingerprints for the checksum, entries to take deltas against.
import type { Arena } from "../core/arena.ts";
import { PagefoldError } from "../core/errors.ts";
import { MAX_BATCH_FRAMES } from "../core/limits.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { BATCH_PAGES } from "../core/slab.ts";
import type { PageSource } from "../image/image.ts";
import { NO_ENTRY } from "../kernels/abi.ts";
import type { Batch, BatchNumbers, FoldSource } from "../pipeline/batch.ts";
import { plainEntry } from "../pipeline/plainentry.ts";
import { slabFingerprints } from "../pipeline/surveyed.ts";
import { emptyCounts } from "../wire/imagehead.ts";
import type { FoldSession } from "./fold.ts";
import { FrameFingerprints } from "./framefingerprints.ts";

export class EncodedImage {
  readonly number: number;
  private readonly arena: Arena;
  private readonly session: FoldSession;
  private readonly source: FoldSource;
  private readonly frameCount: number;
  private readonly fingerprints = new FrameFingerprints();
  /** By frame: table entry of the last content that was stored without references. */
  private readonly entries: Uint32Array;
  private roundNumber = 0;
  private counts = emptyCounts();
  private storedBytes = 0;

  constructor(arena: Arena, session: FoldSession, name: string, frameCount: number) {
    this.arena = arena;
    this.session = session;
    this.frameCount = frameCount;
    this.entries = new Uint32Array(frameCount).fill(NO_ENTRY);
    this.number = session.beginImage({
      name,
      format: "raw",
      byteLength: frameCount * PAGE_BYTES,
      // Pages of a source have no time of their own, and bytes must not depend on the clock.
      mtimeNs: 0n,
      segmentBytes: [],
      notes: [],
    });
    this.source = { name, image: this.number, file: undefined };
  }

  previousEntry(frame: number): number | undefined {
    const entry = this.entries[frame];
    return entry === NO_ENTRY ? undefined : entry;
  }

  /** USAGE when these cannot be the pages of a later round. */
  check(source: PageSource, dirty: Uint8Array | undefined): void {
    const { name } = this.source;
    if (source.frameCount !== this.frameCount) {
      const reason = `${source.frameCount} frames, it began with ${this.frameCount}`;
      throw new PagefoldError("USAGE", `${name}: ${reason}`);
    }
    if (dirty && dirty.length * 8 < this.frameCount) {
      const reason = `${dirty.length} bytes of dirty bits for ${this.frameCount} frames`;
      throw new PagefoldError("USAGE", `${name}: ${reason}`);
    }
  }

  /** Sends all frames, or those whose bit is set. */
  async send(
    source: PageSource,
    dirty: Uint8Array | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const listener = { counts: this.counts, emitted: this.emitted };
    for (const frames of frameGroups(this.frameCount, dirty)) {
      const pages = new Uint8Array(frames.length * PAGE_BYTES);
      for (const [page, count] of stretches(frames)) {
        signal?.throwIfAborted();
        const into = pages.subarray(page * PAGE_BYTES, (page + count) * PAGE_BYTES);
        await source.read(frames[page], count, into, signal);
      }
      const fill = async (slab: Uint8Array): Promise<void> => slab.set(pages);
      await this.session.addListed(this.source, frames, fill, listener);
    }
  }

  /** Says END, after everything that was sent has been emitted. */
  end(): void {
    const byteLength = this.frameCount * PAGE_BYTES;
    const checksum = this.session.newChecksum();
    this.fingerprints.addTo(checksum);
    this.session.writer.endImage({
      image: this.number,
      round: this.roundNumber++,
      byteLength,
      checksum: checksum.finish(byteLength, this.frameCount),
      digests: [],
      counts: this.counts,
      storedBytes: this.storedBytes,
    });
    this.counts = emptyCounts();
  }

  private readonly emitted = (batch: Batch, { storedBytes }: BatchNumbers): void => {
    const { frames, slabPtr } = batch;
    this.storedBytes += storedBytes;
    const found = slabFingerprints(this.arena, slabPtr, frames.length);
    for (let page = 0; page < frames.length; page++) {
      const frame = frames.at(page);
      this.fingerprints.set(frame, found.subarray(page * 16, page * 16 + 16));
      const entry = plainEntry(this.arena, this.session.scope, slabPtr, page);
      if (entry !== NO_ENTRY) this.entries[frame] = entry;
    }
  };
}

/** Frames in groups that fit a slab and a batch of the format. */
function* frameGroups(frameCount: number, dirty: Uint8Array | undefined): Generator<number[]> {
  let group: number[] = [];
  for (let frame = 0; frame < frameCount; frame++) {
    if (dirty && (dirty[frame >> 3] & (1 << (frame & 7))) === 0) continue;
    const isFull = group.length === BATCH_PAGES || frame - group[0] >= MAX_BATCH_FRAMES;
    if (group.length > 0 && isFull) {
      yield group;
      group = [];
    }
    group.push(frame);
  }
  if (group.length > 0) yield group;
}

/** First index and length of every stretch of consecutive frames. */
function* stretches(frames: readonly number[]): Generator<[page: number, count: number]> {
  let first = 0;
  for (let page = 1; page <= frames.length; page++) {
    if (page < frames.length && frames[page] === frames[page - 1] + 1) continue;
    yield [first, page - first];
    first = page;
  }
}
