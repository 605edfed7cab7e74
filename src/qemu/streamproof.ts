// What both ends of a session compute of a guest's stream where it need not be the same at both,
// because pages come later at the target (putoff.ts): a checksum of all bytes that are no records
// of RAM, in their order, and a digest over the content of every frame. The source plays the
// scripts that it sends; the target tells of each record when it has been written.
import { FrameHashes } from "./framehashes.ts";
import { ScriptReader, Step } from "./script.ts";

/** Hashes of pages, one behind another: each two words of 32 bits. */
export interface PageHashes {
  readonly words: Uint32Array;
  /** Where the first stands. */
  readonly from: number;
  /** Words from one to the next. */
  readonly stride: number;
}

/** Of a batch without pages. */
export const NO_HASHES: PageHashes = { words: new Uint32Array(0), from: 0, stride: 2 };

/** A checksum of bytes that come one after another. */
export interface PassedBytes {
  update(part: Uint8Array): void;
  digest(): bigint;
}

/** Of a page of zeros. */
const ZERO_LOW = 0x6a09_e667;
const ZERO_HIGH = 0xbb67_ae85;
const SUM_FACTOR = 0x9e37_79b9_7f4a_7c15n;

export class StreamProof {
  private readonly guest: string;
  private readonly passed: PassedBytes;
  private readonly frames: FrameHashes;
  // The XBZRLE record whose payload comes, and the hash of what came of it:
  private payloadLeft = 0;
  private payloadBlock = 0;
  private payloadPage = 0;
  private payloadLow = 0;
  private payloadHigh = 0;
  // What `play` keeps:
  private readonly known = new Set<number>();
  private block = 0;
  private next = 0;

  /** `passed` has seen nothing yet. */
  constructor(guest: string, passed: PassedBytes) {
    this.guest = guest;
    this.passed = passed;
    this.frames = new FrameHashes(guest);
  }

  /** Of all that was written so far. */
  digest(): bigint {
    return BigInt.asUintN(64, this.passed.digest() * SUM_FACTOR + this.frames.digest());
  }

  /** A page record; its hash stands in `words` at `at`. */
  page(block: number, page: number, words: Uint32Array, at: number): void {
    this.frames.set(block, page, words[at], words[at + 1]);
  }

  /** Page records of pages that follow one another; `first` is the place of their first hash. */
  pages(block: number, page: number, count: number, hashes: PageHashes, first: number): void {
    const { words, from, stride } = hashes;
    let at = from + first * stride;
    for (let i = 0; i < count; i++, at += stride) this.page(block, page + i, words, at);
  }

  /** Zero records of pages that follow one another. */
  zeros(block: number, page: number, count: number): void {
    for (let i = 0; i < count; i++) this.frames.set(block, page + i, ZERO_LOW, ZERO_HIGH);
  }

  /** An XBZRLE record; its payload, of `byteLength` bytes, follows by `verbatim`. */
  xbzrle(block: number, page: number, byteLength: number): void {
    this.payloadLeft = byteLength;
    this.payloadBlock = block;
    this.payloadPage = page;
    this.payloadLow = byteLength;
    this.payloadHigh = ~byteLength;
    if (byteLength === 0) this.endPayload();
  }

  /** Bytes as they are, a payload's or others. */
  verbatim(bytes: Uint8Array, from: number, to: number): void {
    const behind = Math.min(to, from + this.payloadLeft);
    if (behind > from) this.takePayload(bytes, from, behind);
    if (to > behind) this.passed.update(bytes.subarray(behind, to));
  }

  /** What the script of the next batch says, whose pages have these hashes. For the source. */
  play(script: Uint8Array, hashes: PageHashes): void {
    const steps = new ScriptReader(script, this.guest);
    let pageCount = 0;
    while (steps.next()) {
      const { step, count } = steps;
      const isPages = step === Step.PAGES || step === Step.PAGE;
      const isZeros = step === Step.ZEROS || step === Step.ZERO;
      const isMove = step === Step.PAGE || step === Step.ZERO || step === Step.MOVE;
      if (isMove) this.next += steps.distance;
      if (isPages || isZeros) {
        const records = isMove ? 1 : count;
        if (isZeros) this.zeros(this.block, this.next, records);
        else {
          this.pages(this.block, this.next, records, hashes, pageCount);
          pageCount += records;
        }
        this.next += records;
      } else if (step === Step.XBZRLE) this.xbzrle(this.block, this.next++, count);
      else if (step === Step.BLOCK) this.playBlock(steps, count);
      else if (step === Step.VERBATIM) {
        const from = steps.skip(count);
        this.verbatim(steps.bytes, from, from + count);
      }
    }
  }

  private playBlock(steps: ScriptReader, number: number): void {
    if (!this.known.has(number)) steps.skip(steps.u8());
    this.known.add(number);
    this.block = number;
    this.next = 0;
  }

  private takePayload(bytes: Uint8Array, from: number, to: number): void {
    let low = this.payloadLow;
    let high = this.payloadHigh;
    for (let at = from; at < to; at++) {
      low = Math.imul(((low << 5) | (low >>> 27)) ^ bytes[at], 0x9e37_79b1);
      high = Math.imul(((high << 7) | (high >>> 25)) ^ bytes[at], 0x85eb_ca77);
    }
    this.payloadLow = low;
    this.payloadHigh = high;
    this.payloadLeft -= to - from;
    if (this.payloadLeft === 0) this.endPayload();
  }

  private endPayload(): void {
    const { payloadBlock, payloadPage, payloadLow, payloadHigh } = this;
    this.frames.change(payloadBlock, payloadPage, payloadLow, payloadHigh);
  }
}
