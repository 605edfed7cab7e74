// Which content is in which images, and how often: for each number of a content a bit for each
// image and a count. Numbers are those of the fingerprint table, so its size bounds ours.

const FIRST_CAPACITY = 1 << 12;

export class Sharing {
  private readonly imageCount: number;
  private readonly wordsOf: number;
  private bits: Uint32Array;
  private frames = new Uint32Array(FIRST_CAPACITY);
  private size = 0;

  constructor(imageCount: number) {
    this.imageCount = imageCount;
    this.wordsOf = Math.max(1, Math.ceil(imageCount / 32));
    this.bits = new Uint32Array(FIRST_CAPACITY * this.wordsOf);
  }

  /** A frame of `image` has this content. Returns how many frames have it by now. */
  add(content: number, image: number): number {
    while (content >= this.frames.length) this.grow();
    this.size = Math.max(this.size, content + 1);
    this.bits[content * this.wordsOf + (image >>> 5)] |= 1 << (image & 31);
    return ++this.frames[content];
  }

  /** Frames that have this content. */
  count(content: number): number {
    return this.frames[content] ?? 0;
  }

  /** The images that have this content. */
  images(content: number): number[] {
    const at = content * this.wordsOf;
    return imagesIn(this.bits.subarray(at, at + this.wordsOf));
  }

  /**
   * For each pair of images the contents that both have, on the diagonal those of one image; and
   * how many no other image has.
   */
  matrix(): { shared: number[][]; own: number[] } {
    const { imageCount, wordsOf } = this;
    const shared = Array.from({ length: imageCount }, () => new Array<number>(imageCount).fill(0));
    const own = new Array<number>(imageCount).fill(0);
    for (const [at, count] of this.sets()) {
      const images = imagesIn(this.bits.subarray(at, at + wordsOf));
      if (images.length === 1) own[images[0]] += count;
      for (const i of images) for (const j of images) shared[i][j] += count;
    }
    return { shared, own };
  }

  /** Sets of images that have a content together: there are few, so pairs are counted by set. */
  private *sets(): Generator<readonly [at: number, count: number]> {
    const { wordsOf, bits } = this;
    const found = new Map<number | string, { at: number; count: number }>();
    for (let content = 0; content < this.size; content++) {
      const at = content * wordsOf;
      const key = wordsOf === 1 ? bits[at] : bits.subarray(at, at + wordsOf).join();
      const set = found.get(key);
      if (set) set.count++;
      else found.set(key, { at, count: 1 });
    }
    for (const { at, count } of found.values()) yield [at, count];
  }

  private grow(): void {
    const bits = new Uint32Array(this.bits.length * 2);
    const frames = new Uint32Array(this.frames.length * 2);
    bits.set(this.bits);
    frames.set(this.frames);
    this.bits = bits;
    this.frames = frames;
  }
}

function imagesIn(words: Uint32Array): number[] {
  const images: number[] = [];
  words.forEach((word, i) => {
    for (let bit = 0; bit < 32; bit++) if ((word >>> bit) & 1) images.push(i * 32 + bit);
  });
  return images;
}
