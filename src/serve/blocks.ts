// Blocks of the images of an archive: decoded by workers, kept for a while for whoever reads on,
// and read ahead of those who go forwards. A block is as many frames as a worker decodes at a time.
import type { PooledPages } from "../archive/pooledpages.ts";
import { RecentlyUsed } from "../archive/recentlyused.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { BATCH_PAGES } from "../core/slab.ts";

export const BLOCK_FRAMES = BATCH_PAGES;
const BLOCK_BYTES = BLOCK_FRAMES * PAGE_BYTES;
/** Decoded pages that are kept for all clients together. */
const KEPT_BYTES = 96 << 20;
/** Blocks that each thread has before it when somebody goes forwards. */
const BLOCKS_AHEAD = 2;
/** Where reads ended lately: one that begins there goes forwards. */
const REMEMBERED_ENDS = 64;

/** Memory of blocks that is used again: what is given back all the time keeps V8 collecting. */
const SPARE_BUFFERS = 8;

type Pages = Uint8Array<ArrayBuffer>;

/** Pages that stay as they are until they are released. */
export interface LentPages {
  readonly pages: Pages;
  release(): void;
}

interface Block {
  readonly pages: Promise<Pages>;
  /** Undefined when its memory was taken back. */
  buffer: Pages | undefined;
  /** Reads that use it, and whether it is kept for others. */
  users: number;
  isKept: boolean;
}

export class Blocks {
  private readonly pages: PooledPages;
  private readonly kept = new RecentlyUsed<string, Block>(KEPT_BYTES, (block) => {
    block.isKept = false;
    this.reuse(block);
  });
  private readonly spare: Pages[] = [];
  private readonly ends = new RecentlyUsed<string, true>(REMEMBERED_ENDS);
  private readonly aheadCount: number;

  constructor(pages: PooledPages) {
    this.pages = pages;
    this.aheadCount = BLOCKS_AHEAD * Math.max(pages.threads, 1);
  }

  /**
   * Frames [frame, frame + count) of one block. DAMAGED, BASE, CHANGED. `follows`: frames of the
   * image that are known to be wanted next.
   */
  async read(
    image: number,
    frame: number,
    count: number,
    frameCount: number,
    follows = 0,
  ): Promise<LentPages> {
    const block = Math.floor(frame / BLOCK_FRAMES);
    const first = block * BLOCK_FRAMES;
    const goesOn = this.goesOn(image, frame, count);
    const isWanted = goesOn || follows > 0 || count * 2 > BLOCK_FRAMES;
    if (!isWanted && !this.kept.has(keyOf(image, block))) {
      return this.alone(image, frame, count);
    }
    const whole = this.block(image, block, frameCount);
    whole.users++;
    let isReleased = false;
    const release = (): void => {
      if (isReleased) return;
      isReleased = true;
      whole.users--;
      this.reuse(whole);
    };
    const lastWanted = Math.floor((frame + count + follows - 1) / BLOCK_FRAMES);
    const last = Math.floor((frameCount - 1) / BLOCK_FRAMES);
    const aheadLast = goesOn ? last : Math.min(last, lastWanted);
    for (let next = block + 1; next <= Math.min(aheadLast, block + this.aheadCount); next++) {
      if (!this.kept.has(keyOf(image, next))) void this.block(image, next, frameCount);
    }
    try {
      const pages = await whole.pages;
      const start = (frame - first) * PAGE_BYTES;
      return { pages: pages.subarray(start, start + count * PAGE_BYTES), release };
    } catch (error) {
      release();
      if (count === Math.min(BLOCK_FRAMES, frameCount - first)) throw error;
      // What was asked for may lie beside the damage.
      return this.alone(image, frame, count);
    }
  }

  private async alone(image: number, frame: number, count: number): Promise<LentPages> {
    return { pages: await this.pages.read(image, frame, count), release: () => undefined };
  }

  /** Takes the memory of a block back that nobody uses and nobody will. */
  private reuse(block: Block): void {
    const { buffer, isKept, users } = block;
    if (isKept || users > 0 || buffer === undefined) return;
    block.buffer = undefined;
    if (this.spare.length < SPARE_BUFFERS) this.spare.push(buffer);
  }

  /** Whether a read begins where another one ended. */
  private goesOn(image: number, frame: number, count: number): boolean {
    const key = keyOf(image, frame);
    const goesOn = this.ends.has(key);
    this.ends.drop(key);
    this.ends.set(keyOf(image, frame + count), true, 1);
    return goesOn;
  }

  private block(image: number, number: number, frameCount: number): Block {
    const key = keyOf(image, number);
    const held = this.kept.get(key);
    if (held) return held;
    const first = number * BLOCK_FRAMES;
    const count = Math.min(BLOCK_FRAMES, frameCount - first);
    const buffer = this.spare.pop() ?? new Uint8Array(BLOCK_BYTES);
    const pages = this.pages.read(image, first, count, buffer.subarray(0, count * PAGE_BYTES));
    // It is in use until it is read.
    const block: Block = { pages, buffer, users: 1, isKept: true };
    this.kept.set(key, block, BLOCK_BYTES);
    const isRead = (): void => {
      block.users--;
      this.reuse(block);
    };
    pages.then(isRead, () => {
      // Whoever reads it hears of it; the next one tries again.
      this.kept.drop(key);
      isRead();
    });
    return block;
  }
}

function keyOf(image: number, block: number): string {
  return `${image}:${block}`;
}
