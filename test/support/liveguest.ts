// A guest that writes while it is migrated, a link of a certain speed, and a clock of their own:
// everything is a function of the seed. They know nothing of how pre-copy decides.

import type { PageSource } from "../../src/image/image.ts";
import type { Clock } from "../../src/migration/adaptiverate.ts";
import type { LiveSource, RoundLimits, RoundSink } from "../../src/migration/precopyapi.ts";
import type { SeededRandom } from "./random.ts";

const PAGE_BYTES = 4096;

/** Time that passes only when somebody sleeps. */
export class SimulatedClock implements Clock {
  private ms = 0;

  now(): number {
    return this.ms;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.ms += ms;
  }
}

/** What a guest writes: called before and after everything that is asked of it. */
export type Writer = (guest: LiveGuest) => void;

export class LiveGuest implements LiveSource {
  readonly frameCount: number;
  readonly memory: Buffer;
  isPaused = false;
  /** Everything that was asked of it but for reads. */
  readonly calls: string[] = [];
  private readonly writer: Writer;
  private readonly delay: () => number;
  private readonly dirty: Uint8Array;
  private writes = 0;
  private isTaking = false;

  /** `delay`: how many turns of others go by before and after each copy of pages or bits. */
  constructor(frameCount: number, writer: Writer, delay: () => number = () => 1) {
    this.frameCount = frameCount;
    this.memory = Buffer.alloc(frameCount * PAGE_BYTES);
    for (let frame = 0; frame < frameCount; frame++) {
      this.memory.writeUInt32LE(frame + 1, frame * PAGE_BYTES);
    }
    this.dirty = new Uint8Array(Math.ceil(frameCount / 8));
    this.writer = writer;
    this.delay = delay;
  }

  /** The guest writes a page: each write leaves another content. */
  touch(frame: number): void {
    if (this.isPaused) throw new Error("written while it is paused");
    this.memory.writeUInt32LE(++this.writes, frame * PAGE_BYTES + 8 + (this.writes % 64) * 8);
    this.dirty[frame >> 3] |= 1 << (frame & 7);
  }

  async read(frame: number, count: number, into: Uint8Array): Promise<void> {
    await this.live();
    into.set(this.memory.subarray(frame * PAGE_BYTES, (frame + count) * PAGE_BYTES));
    await this.live();
  }

  async takeDirty(into: Uint8Array): Promise<void> {
    if (this.isTaking) throw new Error("dirty bits are taken twice at a time");
    if (into.some((byte) => byte !== 0)) throw new Error("dirty bits come uncleared");
    this.isTaking = true;
    await this.live();
    into.set(this.dirty);
    this.dirty.fill(0);
    await this.live();
    this.isTaking = false;
  }

  async pause(): Promise<void> {
    this.calls.push("pause");
    await this.live();
    this.isPaused = true;
  }

  async resume(): Promise<void> {
    this.calls.push("resume");
    this.isPaused = false;
  }

  private async live(): Promise<void> {
    if (!this.isPaused) this.writer(this);
    for (let n = this.delay(); n > 0; n--) await undefined;
  }
}

/** Writes nothing. */
export const idle: Writer = () => undefined;

/** Writes one page after the other, round and round, at `pagesPerSecond`. */
export function sweeper(clock: Clock, pagesPerSecond: number): Writer {
  let written = 0;
  return (guest) => {
    // Rounded, because times are sums of many fractions.
    const due = Math.floor(clock.now() * (pagesPerSecond / 1000) + 1e-6);
    for (; written < due; written++) guest.touch(written % guest.frameCount);
  };
}

/** Writes up to `most` pages each time, half of them among the first `hotPages`. */
export function scribbler(random: SeededRandom, most: number, hotPages: number): Writer {
  return (guest) => {
    for (let n = random.int(most + 1); n > 0; n--) {
      guest.touch(random.int(random.int(2) === 0 ? hotPages : guest.frameCount));
    }
  };
}

export interface LinkOptions {
  clock?: Clock;
  /** Default: no time passes. */
  bytesPerSecond?: number;
  /** Pages read at a time. Default: 16. */
  chunkPages?: number;
  /** Reads at a time. Default: 1. */
  readers?: number;
  /** Takes the bits as they are when the round begins. Default: looks at each in its turn. */
  copiesBits?: boolean;
  /** Called before every read with the number of reads so far; may throw. */
  beforeRead?: (reads: number) => void;
}

/** A link that copies pages to the target as they are; it keeps the rate it is told. */
export class CopyLink implements RoundSink {
  readonly target: Buffer;
  reads = 0;
  calls: string[] = [];
  private readonly options: LinkOptions;

  constructor(frameCount: number, options: LinkOptions = {}) {
    this.target = Buffer.alloc(frameCount * PAGE_BYTES, 0xa5);
    this.options = options;
  }

  async round(
    pages: PageSource,
    dirty: Uint8Array | undefined,
    { bytesPerSecond = Number.POSITIVE_INFINITY }: RoundLimits,
  ): Promise<number> {
    const { chunkPages = 16, readers = 1, clock, copiesBits = false } = this.options;
    const bits = copiesBits ? dirty?.slice() : dirty;
    const speed = Math.min(bytesPerSecond, this.options.bytesPerSecond ?? Infinity);
    let wireBytes = 0;
    let next = 0;
    const isDue = (frame: number) => !bits || (bits[frame >> 3] & (1 << (frame & 7))) !== 0;
    const reader = async (): Promise<void> => {
      for (;;) {
        while (next < pages.frameCount && !isDue(next)) next++;
        const first = next;
        while (next < pages.frameCount && next < first + chunkPages && isDue(next)) next++;
        if (next === first) return;
        this.options.beforeRead?.(this.reads++);
        const content = new Uint8Array((next - first) * PAGE_BYTES);
        await pages.read(first, next - first, content);
        this.target.set(content, first * PAGE_BYTES);
        wireBytes += content.length;
        await clock?.sleep((content.length / speed) * 1000);
      }
    };
    await Promise.all(Array.from({ length: readers }, reader));
    return wireBytes;
  }

  async prepare(): Promise<void> {
    this.calls.push("prepare");
  }

  async commit(): Promise<void> {
    this.calls.push("commit");
  }
}
