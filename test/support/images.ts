// Makes seeded images of every kind of page that the engine tells apart. It knows nothing of what
// the engine does with them.
import { BATCH_PAGES } from "../../src/core/slab.ts";
import { ANCHOR_LAG } from "../../src/pipeline/anchorlag.ts";
import type { SeededRandom } from "./random.ts";

const PAGE_BYTES = 4096;

/** Pages of zeros after which everything before them may be referred to by deltas. */
export const LAG_PAGES = (ANCHOR_LAG + 1) * BATCH_PAGES;

const WORDS = "memory page frame fold engine batch record cluster delta zero uniform".split(" ");

/** Text that compresses well, every page of its own. */
export function textPage(random: SeededRandom): Uint8Array {
  let text = "";
  while (text.length < PAGE_BYTES) text += `${WORDS[random.int(WORDS.length)]} ${random.int(99)} `;
  return Buffer.from(text.slice(0, PAGE_BYTES));
}

/** A page that repeats one random word of eight bytes. */
export function uniformPage(random: SeededRandom): Uint8Array {
  return Buffer.alloc(PAGE_BYTES, random.bytes(8));
}

export function noise(random: SeededRandom, pageCount: number): Buffer {
  return Buffer.from(random.bytes(pageCount * PAGE_BYTES));
}

/** A copy in which a few 64-byte blocks of each page are others; every `keep`-th page stays. */
export function edited(random: SeededRandom, image: Uint8Array, keep = 3): Buffer {
  const copy = Buffer.from(image);
  for (let page = 0; page * PAGE_BYTES < copy.length; page++) {
    if (page % keep === 0) continue;
    for (let n = 1 + random.int(4); n > 0; n--) {
      const at = page * PAGE_BYTES + random.int(64) * 64;
      copy.set(random.bytes(64).subarray(0, copy.length - at), Math.min(at, copy.length));
    }
  }
  return copy;
}

/** Pages of all kinds in random order: zeros, words, copies and near copies of earlier ones. */
export function mixed(random: SeededRandom, pageCount: number): Buffer {
  const image = Buffer.alloc(pageCount * PAGE_BYTES);
  for (let page = 0; page < pageCount; page++) {
    const earlier = random.int(Math.max(page, 1)) * PAGE_BYTES;
    image.set(anyPage(random, image.subarray(earlier, earlier + PAGE_BYTES)), page * PAGE_BYTES);
  }
  return image;
}

function anyPage(random: SeededRandom, earlier: Uint8Array): Uint8Array {
  switch (random.int(8)) {
    case 0:
      return new Uint8Array(PAGE_BYTES);
    case 1:
      return uniformPage(random);
    case 2:
    case 3:
      return earlier;
    case 4:
      return edited(random, earlier, 2).subarray(0, PAGE_BYTES);
    case 5:
      return noise(random, 1);
    default:
      return textPage(random);
  }
}

/** Pages, zeros until deltas may refer to them, and the pages again with a few changes. */
export function apart(random: SeededRandom, pages: Uint8Array): Buffer {
  return Buffer.concat([pages, Buffer.alloc(LAG_PAGES * PAGE_BYTES), edited(random, pages)]);
}
