// A digest over the content of every frame of a guest, kept while its frames are written: by frame
// a hash of 64 bits, and the sum of all of them, each mixed with the frame that it belongs to. In
// which order frames were written changes nothing; the last write of each counts.
//
// It finds accidents, as the checksums of a session do: no hash here is a cryptographic one.
import { PagefoldError } from "../core/errors.ts";

/** Frames of one chunk, which is taken when one of them is written. */
const CHUNK_FRAMES = 64;
const CHUNK_WORDS = 2 * CHUNK_FRAMES;
const SLAB_CHUNKS = 512;
/**
 * A peer that writes one frame here and one there must not cost memory without end. So many chunks
 * are free, enough for 16 GiB of memory; beyond, frames lie together as those of guests do.
 */
const FREE_CHUNKS = 65_536;
const WRITES_PER_CHUNK = 4;

export class FrameHashes {
  /** Frames that have been written. */
  frameCount = 0;
  private readonly guest: string;
  private sumLow = 0;
  private sumHigh = 0;
  /** By block and chunk: which one of the slabs' chunks it is. */
  private readonly chunks: Map<number, number>[] = [];
  private readonly slabs: Uint32Array[] = [];
  private chunkCount = 0;
  private writeCount = 0;
  // The chunk that was last looked for:
  private lastBlock = -1;
  private lastChunk = -1;
  private words: Uint32Array = new Uint32Array(0);
  private chunkAt = 0;
  // What `mix` has made:
  private low = 0;
  private high = 0;

  /** `guest` is its name, for messages. */
  constructor(guest: string) {
    this.guest = guest;
  }

  /** The frame has got a content with this hash. */
  set(block: number, page: number, low: number, high: number): void {
    this.replace(block, page, this.find(block, page), low, high);
  }

  /** The content of the frame was changed by something with this hash. */
  change(block: number, page: number, low: number, high: number): void {
    const at = this.find(block, page);
    this.mix(low, high, this.words[at], this.words[at + 1]);
    this.replace(block, page, at, this.low, this.high);
  }

  /** Of all frames, and how many they are. */
  digest(): bigint {
    const { frameCount, sumLow, sumHigh } = this;
    this.mix(frameCount, Math.floor(frameCount / 2 ** 32), sumLow, sumHigh);
    return (BigInt(this.high >>> 0) << 32n) | BigInt(this.low >>> 0);
  }

  private replace(block: number, page: number, at: number, low: number, high: number): void {
    const { words } = this;
    const oldLow = words[at];
    const oldHigh = words[at + 1];
    // Two zeros say that the frame was never written.
    words[at] = low;
    words[at + 1] = (low | high) === 0 ? 1 : high;
    if (words[at] === oldLow && words[at + 1] === oldHigh) return;
    const within = page > 0xffff_ffff ? Math.floor(page / 2 ** 32) : 0;
    const place = block * 1024 + within;
    if ((oldLow | oldHigh) === 0) this.frameCount++;
    else {
      this.mix(page, place, oldLow, oldHigh);
      this.sumLow = (this.sumLow - this.low) | 0;
      this.sumHigh = (this.sumHigh - this.high) | 0;
    }
    this.mix(page, place, words[at], words[at + 1]);
    this.sumLow = (this.sumLow + this.low) | 0;
    this.sumHigh = (this.sumHigh + this.high) | 0;
  }

  /** Where the hash of the frame stands in `words`. */
  private find(block: number, page: number): number {
    this.writeCount++;
    const frame = page % CHUNK_FRAMES;
    const chunk = (page - frame) / CHUNK_FRAMES;
    if (chunk !== this.lastChunk || block !== this.lastBlock) this.turnTo(block, chunk);
    return this.chunkAt + 2 * frame;
  }

  private turnTo(block: number, chunk: number): void {
    let chunks = this.chunks[block];
    if (chunks === undefined) {
      chunks = new Map();
      this.chunks[block] = chunks;
    }
    let number = chunks.get(chunk);
    if (number === undefined) {
      number = this.chunkCount;
      this.addChunk();
      chunks.set(chunk, number);
    }
    this.lastBlock = block;
    this.lastChunk = chunk;
    this.words = this.slabs[Math.floor(number / SLAB_CHUNKS)];
    this.chunkAt = (number % SLAB_CHUNKS) * CHUNK_WORDS;
  }

  private addChunk(): void {
    if (this.chunkCount >= FREE_CHUNKS + this.writeCount / WRITES_PER_CHUNK) {
      const reason = `${this.writeCount} pages lie in ${this.chunkCount} places of its memory`;
      throw new PagefoldError("LIMIT", `${this.guest}: ${reason}, too far from one another`);
    }
    if (this.chunkCount % SLAB_CHUNKS === 0) {
      this.slabs.push(new Uint32Array(SLAB_CHUNKS * CHUNK_WORDS));
    }
    this.chunkCount++;
  }

  /**
   * Mixes 64 bits with another 64 into `low` and `high`. Each step can be undone, so that different
   * values of either, the other one being the same, never come out alike.
   */
  private mix(keyLow: number, keyHigh: number, valueLow: number, valueHigh: number): void {
    let a = (valueLow + Math.imul(keyLow, 0x9e37_79b1)) | 0;
    let b = valueHigh ^ Math.imul(keyHigh + 0x7f4a_7c15, 0x85eb_ca77);
    a = Math.imul(a ^ (a >>> 16), 0x21f0_aaad);
    b = (b + a) | 0;
    b = Math.imul(b ^ (b >>> 15), 0x735a_2d97);
    a ^= b;
    a = Math.imul(a ^ (a >>> 15), 0x2c1b_3c6d);
    b = (b + a) | 0;
    b = Math.imul(b ^ (b >>> 13), 0x297a_2d39);
    a = (a + b) | 0;
    this.low = a ^ (a >>> 16);
    this.high = b ^ (b >>> 16);
  }
}
