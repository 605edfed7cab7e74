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

type Pages = Uint8Array<ArrayBuffer>;

export class Blocks {
  private readonly pages: PooledPages;
  private readonly kept = new RecentlyUsed<string, Promise<Pages>>(KEPT_BYTES);
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
  ): Promise<Pages> {
    const block = Math.floor(frame / BLOCK_FRAMES);
    const first = block * BLOCK_FRAMES;
    const goesOn = this.goesOn(image, frame, count);
    const isWanted = goesOn || follows > 0 || count * 2 > BLOCK_FRAMES;
    if (!isWanted && !this.kept.has(keyOf(image, block))) {
      return this.pages.read(image, frame, count);
    }
    const whole = this.block(image, block, frameCount);
    const lastWanted = Math.floor((frame + count + follows - 1) / BLOCK_FRAMES);
    const last = Math.floor((frameCount - 1) / BLOCK_FRAMES);
    const aheadLast = goesOn ? last : Math.min(last, lastWanted);
    for (let next = block + 1; next <= Math.min(aheadLast, block + this.aheadCount); next++) {
      if (!this.kept.has(keyOf(image, next))) void this.block(image, next, frameCount);
    }
    try {
      const pages = await whole;
      return pages.subarray((frame - first) * PAGE_BYTES, (frame - first + count) * PAGE_BYTES);
    } catch (error) {
      if (count === Math.min(BLOCK_FRAMES, frameCount - first)) throw error;
      // What was asked for may lie beside the damage.
      return this.pages.read(image, frame, count);
    }
  }

  /** Whether a read begins where another one ended. */
  private goesOn(image: number, frame: number, count: number): boolean {
    const key = keyOf(image, frame);
    const goesOn = this.ends.has(key);
    this.ends.drop(key);
    this.ends.set(keyOf(image, frame + count), true, 1);
    return goesOn;
  }

  private block(image: number, block: number, frameCount: number): Promise<Pages> {
    const key = keyOf(image, block);
    const held = this.kept.get(key);
    if (held) return held;
    const first = block * BLOCK_FRAMES;
    const pages = this.pages.read(image, first, Math.min(BLOCK_FRAMES, frameCount - first));
    this.kept.set(key, pages, BLOCK_BYTES);
    // Whoever reads it hears of it; the next one tries again.
    pages.catch(() => this.kept.drop(key));
    return pages;
  }
}

function keyOf(image: number, block: number): string {
  return `${image}:${block}`;
}
