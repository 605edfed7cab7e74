// A guest as the page source of one round after the other: notes which frames are read, looks at
// the dirty bits now and then, and gives zeros for what is put off in the first round. It decides
// nothing about rounds.
import { PAGE_BYTES } from "../core/page.ts";
import type { PageSource } from "../image/image.ts";
import type { LiveSource } from "./precopyapi.ts";
import type { WritableFrames } from "./wws.ts";

export class LiveRound implements PageSource {
  readonly frameCount: number;
  /** Frames that were read in this round. */
  pagesRead = 0;
  /** Whether the guest has refused to give pages or dirty bits. */
  hasFailed = false;
  private readonly source: LiveSource;
  private readonly frames: WritableFrames;
  private readonly lookFrames: number;
  private readonly signal: AbortSignal | undefined;
  private readonly dirty: Uint8Array;
  private isFirst = true;
  private looksAhead = false;
  private readSinceLook = 0;
  private looking: Promise<void> | undefined;

  constructor(
    source: LiveSource,
    frames: WritableFrames,
    lookFrames: number,
    signal: AbortSignal | undefined,
  ) {
    this.source = source;
    this.frameCount = source.frameCount;
    this.frames = frames;
    this.lookFrames = lookFrames;
    this.signal = signal;
    this.dirty = new Uint8Array(Math.ceil(source.frameCount / 8));
  }

  /** The dirty bits of the round that begins. Nobody writes while the last one runs. */
  begin(isLast: boolean): Uint8Array {
    this.looksAhead = !isLast;
    this.pagesRead = 0;
    this.readSinceLook = 0;
    return this.frames.begin(isLast);
  }

  /** Ends a round: what was written up to now belongs to it. */
  async end(): Promise<void> {
    await this.takeDirty();
    this.frames.end();
    this.isFirst = false;
  }

  /** Makes all that was written up to now known. */
  async takeDirty(): Promise<void> {
    await this.forgetDirty();
    this.frames.note(this.dirty);
  }

  /** Takes dirty bits that do not matter. */
  async forgetDirty(): Promise<void> {
    this.dirty.fill(0);
    await this.blaming(this.source.takeDirty(this.dirty));
  }

  async read(frame: number, count: number, into: Uint8Array, signal?: AbortSignal): Promise<void> {
    this.signal?.throwIfAborted();
    this.readSinceLook += count;
    if (this.looksAhead && this.readSinceLook >= this.lookFrames) await this.look();
    if (!this.isFirst) return this.readStretch(frame, count, into, signal);
    // The first round has all frames, but one that is put off may be empty until its turn comes.
    for (let at = 0, end = 0; at < count; at = end) {
      const isPutOff = this.frames.isPutOff(frame + at);
      for (end = at + 1; end < count && this.frames.isPutOff(frame + end) === isPutOff; ) end++;
      const part = into.subarray(at * PAGE_BYTES, end * PAGE_BYTES);
      if (isPutOff) part.fill(0);
      else await this.readStretch(frame + at, end - at, part, signal);
    }
  }

  /** Others wait for who looks, so that dirty bits are taken once at a time. */
  private look(): Promise<void> {
    this.looking ??= this.takeDirty().finally(() => {
      this.readSinceLook = 0;
      this.looking = undefined;
    });
    return this.looking;
  }

  private readStretch(
    frame: number,
    count: number,
    into: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    this.frames.take(frame, count);
    this.pagesRead += count;
    return this.blaming(this.source.read(frame, count, into, signal));
  }

  /** Remembers whose failure it is. */
  private async blaming(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.hasFailed = true;
      throw error;
    }
  }
}
