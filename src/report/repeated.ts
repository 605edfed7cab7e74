// The pages that are there most often, with some of their bytes. A page gets in as soon as it is
// there more often than the rarest one that is in, so whatever is among the first at the end had
// its bytes at hand when it came.
import { PAGE_BYTES } from "../core/page.ts";
import type { RepeatedPage } from "../explainapi.ts";
import type { ObservedPages } from "../pipeline/observer.ts";
import type { Sharing } from "./sharing.ts";

const MOST = 24;
const BLOCK_BYTES = 64;
/** Words of uniform pages that are counted; there could be as many as pages. */
const MAX_WORDS = 4096;

type Seen = Omit<RepeatedPage, "count" | "images">;

export class RepeatedPages {
  private readonly sharing: Sharing;
  private readonly top = new Map<number, Seen>();
  /** Of the rarest page in `top`, once that is full. */
  private least = 1;
  private readonly words = new Map<bigint, Seen & { count: number; images: Set<number> }>();

  constructor(sharing: Sharing) {
    this.sharing = sharing;
  }

  /** A page with a content that `count` frames have by now. */
  add(pages: ObservedPages, page: number, count: number): void {
    const content = pages.entries[page];
    if (count <= this.least || this.top.has(content)) return;
    const first = pages.firstOf(content);
    this.top.set(content, { first, isUniform: false, ...preview(pages.bytes(page)) });
    if (this.top.size > MOST) this.dropRarest();
  }

  addUniform(pages: ObservedPages, page: number): void {
    const word = pages.word(page);
    const { image } = pages;
    const seen = this.words.get(word);
    if (seen) {
      seen.count++;
      seen.images.add(image);
    } else if (this.words.size < MAX_WORDS) {
      const first = { image, frame: pages.firstFrame + page };
      const seenFirst = { first, isUniform: true, ...preview(pages.bytes(page)) };
      this.words.set(word, { ...seenFirst, count: 1, images: new Set([image]) });
    }
  }

  /** Most often first. */
  list(): RepeatedPage[] {
    const pages: RepeatedPage[] = [];
    for (const [content, seen] of this.top) {
      const images = this.sharing.images(content);
      pages.push({ count: this.sharing.count(content), images, ...seen });
    }
    for (const { count, images, ...seen } of this.words.values()) {
      if (count > 1) pages.push({ count, images: [...images], ...seen });
    }
    return pages.sort((a, b) => b.count - a.count).slice(0, MOST);
  }

  private dropRarest(): void {
    const counts = [...this.top.keys()].map((content) => [this.sharing.count(content), content]);
    counts.sort(([a], [b]) => a - b);
    this.top.delete(counts[0][1]);
    this.least = counts[1][0];
  }
}

/** The first block of a page that is not all zero. */
function preview(page: Uint8Array): { bytes: string; byteOffset: number } {
  const at = page.findIndex((byte) => byte !== 0);
  const byteOffset = Math.max(0, at) - (Math.max(0, at) % BLOCK_BYTES);
  const block = page.subarray(byteOffset, Math.min(byteOffset + BLOCK_BYTES, PAGE_BYTES));
  return { bytes: Buffer.from(block).toString("hex"), byteOffset };
}
