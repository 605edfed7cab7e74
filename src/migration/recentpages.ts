// The pages that came last, by their digest: names often come again within moments, and groups have
// pages that nobody has named yet.
import { copyBytes } from "../core/copy.ts";
import type { HashedPage } from "../core/pagegroup.ts";

const HASH_WORDS = 2;

export class RecentPages {
  private readonly most: number;
  /** The one used last is the last. */
  private readonly pages = new Map<string, HashedPage>();

  constructor(most: number) {
    this.most = most;
  }

  /** Keeps a copy. */
  add(key: string, page: HashedPage): void {
    const copy = this.pages.get(key) ?? this.placeFor(page.bytes.length);
    copyBytes(page.bytes, 0, copy.bytes, 0, page.bytes.length);
    for (let i = 0; i < HASH_WORDS; i++) copy.words[i] = page.words[page.hashAt + i];
    this.touch(key, copy);
  }

  /** Valid until the next `add`. */
  get(key: string): HashedPage | undefined {
    const page = this.pages.get(key);
    if (page) this.touch(key, page);
    return page;
  }

  private touch(key: string, page: HashedPage): void {
    this.pages.delete(key);
    this.pages.set(key, page);
  }

  /** The memory of the oldest is used again. */
  private placeFor(byteLength: number): HashedPage {
    if (this.pages.size >= this.most) {
      for (const [oldest, page] of this.pages) {
        this.pages.delete(oldest);
        if (page.bytes.length === byteLength) return page;
        break;
      }
    }
    return { bytes: new Uint8Array(byteLength), words: new Uint32Array(HASH_WORDS), hashAt: 0 };
  }
}
