// Replays the script of a batch with its pages into the bytes that StreamFolder took: exactly
// these, unless pages are absent. Such pages are put off (putoff.ts): they are written when they
// have come, before the next record or end of a part of RAM, and newer content of their frames
// cancels them. The script comes from a peer: nothing is written outside of `into`.
import { PAGE_BYTES } from "../core/page.ts";
import { type AbsentPages, AbsentWalk } from "./absentpages.ts";
import { type PlacedBlock, PlacedBlocks } from "./placedblocks.ts";
import { PutOffPages } from "./putoff.ts";
import { RecordWriter } from "./recordwriter.ts";
import {
  PAGE_RECORD_BYTES,
  ScriptReader,
  Step,
  XBZRLE_HEAD_BYTES,
  ZERO_RECORD_BYTES,
} from "./script.ts";
import { MAX_BLOCK_NAME_BYTES } from "./stream.ts";
import type { PageHashes, StreamProof } from "./streamproof.ts";

/** Offsets of records are exact below. */
const MAX_PAGE = 2 ** 40;
/** The length of an XBZRLE record has 16 bits. */
const MAX_XBZRLE = 0xffff;
const NO_PAGES = new Uint8Array(0);

export interface UnfolderOptions {
  /** Is told of what is written; then the pages of batches need hashes. */
  readonly proof?: StreamProof;
  /** Gives buffers for what was put off. Default: new ones. */
  readonly takeBuffer?: (byteLength: number) => Uint8Array;
}

/** What a batch has beside its pages. */
export interface BatchBeside {
  readonly absent?: AbsentPages;
  readonly hashes?: PageHashes;
}

export class StreamUnfolder {
  /** Pages that wait for their content. */
  readonly putOff: PutOffPages;
  /** Bytes of the stream that the last batch stood for, at the source. */
  streamBytes = 0;
  private readonly guest: string;
  private readonly proof: StreamProof | undefined;
  private readonly out = new RecordWriter();
  private readonly blocks = new PlacedBlocks();
  private block: PlacedBlock | undefined;
  /** Whether the script lets the next record name its block. */
  private isNamed = false;
  /** Cursor, in pages. */
  private next = 0;
  /** Bytes of an XBZRLE record that have not come. */
  private payloadLeft = 0;

  // Of the batch that is unfolded:
  private pages: Uint8Array = NO_PAGES;
  private pagesUsed = 0;
  private pageCount = 0;
  private hashes: PageHashes | undefined;
  private absent = new AbsentWalk(undefined);

  /** `guest` is its name, for messages. */
  constructor(guest: string, options: UnfolderOptions = {}) {
    this.guest = guest;
    this.proof = options.proof;
    const { takeBuffer = (byteLength: number) => new Uint8Array(byteLength) } = options;
    this.putOff = new PutOffPages(guest, takeBuffer);
  }

  /** Bytes that a batch may take which stands for so many: a record may have to name its block. */
  static roomFor(streamBytes: number): number {
    return streamBytes + 1 + MAX_BLOCK_NAME_BYTES;
  }

  /**
   * Writes the bytes of a batch into `into`, which may be longer, and returns how many they are.
   * Batches come in the order in which they were folded; all of their pages have to be used. What
   * was put off comes by `putOff.takePieces` and goes before.
   */
  unfold(
    script: Uint8Array,
    pages: Uint8Array,
    pageCount: number,
    into: Uint8Array,
    beside: BatchBeside = {},
  ): number {
    this.out.into(into);
    this.streamBytes = 0;
    this.pages = pages;
    this.pagesUsed = 0;
    this.pageCount = Math.min(pageCount, Math.floor(pages.length / PAGE_BYTES));
    this.hashes = beside.hashes;
    this.absent = new AbsentWalk(beside.absent);
    const steps = new ScriptReader(script, this.guest);
    while (steps.next()) this.play(steps);
    if (this.pagesUsed !== pageCount) {
      steps.fail(`${this.pagesUsed} pages are used, ${pageCount} were sent`);
    }
    return this.out.at;
  }

  private play(steps: ScriptReader): void {
    const { step, count } = steps;
    const isMove = step === Step.PAGE || step === Step.ZERO || step === Step.MOVE;
    if (isMove) this.next += steps.distance;
    if (step === Step.PAGES || step === Step.PAGE) this.playPages(steps, isMove ? 1 : count);
    else if (step === Step.ZEROS || step === Step.ZERO) this.playZeros(steps, isMove ? 1 : count);
    else if (step === Step.XBZRLE) this.playXbzrle(steps, count);
    else if (step === Step.BLOCK) this.playBlock(steps);
    else if (step === Step.VERBATIM) this.playVerbatim(steps, count);
  }

  private playPages(steps: ScriptReader, count: number): void {
    const left = this.pageCount - this.pagesUsed;
    if (count > left) steps.fail(`${count} pages are wanted, ${left} are left`);
    // Without a page it is the mark of the end of a part.
    if (count === 0) this.writeReady(steps);
    for (let rest = count; rest > 0; ) {
      const run = Math.min(rest, this.absent.page - this.pagesUsed);
      if (run === 0) this.playAbsent(steps);
      else this.playPresent(steps, run);
      rest -= Math.max(run, 1);
    }
  }

  private playPresent(steps: ScriptReader, count: number): void {
    const { block, next, pagesUsed, hashes, proof } = this;
    this.begin(steps, count, PAGE_RECORD_BYTES);
    this.out.pages(block, next, count, this.pages, pagesUsed * PAGE_BYTES);
    if (proof) {
      if (!hashes) throw new Error(`${this.guest}: pages without hashes`);
      proof.pages(this.blockNumber(steps), next, count, hashes, pagesUsed);
    }
    this.end(count);
    this.pagesUsed += count;
  }

  /** A page that was not there when its batch came: it may be there now. */
  private playAbsent(steps: ScriptReader): void {
    const { next, putOff } = this;
    const { name } = this.absent;
    const number = this.blockNumber(steps);
    const block = this.block as PlacedBlock;
    const early = putOff.takeExpected(name);
    this.begin(steps, 1, PAGE_RECORD_BYTES, early ? 1 : 0);
    if (early) {
      this.out.pages(block, next, 1, early.page, 0);
      this.proof?.page(number, next, early.hash, 0);
    }
    this.end(1);
    if (!early) putOff.wait(block, next, name);
    this.pagesUsed++;
    this.absent.goOn();
  }

  private playZeros(steps: ScriptReader, count: number): void {
    const { block, next } = this;
    if (count === 0) {
      this.endRam(steps);
      return;
    }
    this.begin(steps, count, ZERO_RECORD_BYTES);
    this.out.zeros(block, next, count);
    if (this.proof) this.proof.zeros(this.blockNumber(steps), next, count);
    this.end(count);
  }

  /** The mark of the end of the last part. */
  private endRam(steps: ScriptReader): void {
    this.writeReady(steps);
    const { waitingCount } = this.putOff;
    if (waitingCount > 0) {
      steps.fail(`the memory ends here, and ${waitingCount} of its pages are absent`);
    }
  }

  private playXbzrle(steps: ScriptReader, payload: number): void {
    const { block, next } = this;
    if (payload > MAX_XBZRLE) steps.fail(`an XBZRLE record of ${payload} bytes`);
    if (block?.waiting.has(next)) {
      steps.fail(`an XBZRLE record changes page ${next}, which is absent`);
    }
    this.begin(steps, 1, XBZRLE_HEAD_BYTES);
    this.out.xbzrle(block, next, payload);
    if (this.proof) this.proof.xbzrle(this.blockNumber(steps), next, payload);
    this.end(1);
    this.payloadLeft = payload;
  }

  private playVerbatim(steps: ScriptReader, count: number): void {
    this.need(steps, count);
    const { bytes } = steps;
    const from = steps.skip(count);
    this.out.verbatim(bytes, from, count);
    this.proof?.verbatim(bytes, from, from + count);
    this.payloadLeft = Math.max(0, this.payloadLeft - count);
    this.streamBytes += count;
  }

  private playBlock(steps: ScriptReader): void {
    this.block = this.blocks.read(steps);
    this.isNamed = true;
    this.out.endWith(null);
    this.next = 0;
  }

  /** Checks that `count` records may stand here, and that there is room for `written` of them. */
  private begin(steps: ScriptReader, count: number, recordBytes: number, written = count): void {
    if (this.payloadLeft > 0) steps.fail("a record within the payload of another");
    if (this.next < 0 || this.next + count > MAX_PAGE) {
      steps.fail(`${count} records at page ${this.next}`);
    }
    this.writeReady(steps);
    const { block, out } = this;
    this.streamBytes += count * recordBytes;
    if (this.isNamed && block) this.streamBytes += 1 + block.name.length;
    this.isNamed = false;
    if (written > 0) this.need(steps, written * recordBytes + out.nameBytes(block));
  }

  /** Goes past records: what waited for their frames is outdated. */
  private end(count: number): void {
    const { block, next } = this;
    if (block !== undefined && block.waiting.size > 0) this.putOff.cancel(block, next, count);
    this.next = next + count;
  }

  /**
   * Writes what has come of what was put off. Nothing comes during a batch: so what was written
   * before are bytes as they are, no more than the script has, and they go before it.
   */
  private writeReady(steps: ScriptReader): void {
    if (!this.putOff.hasReady) return;
    if (this.payloadLeft > 0) steps.fail("the memory ends within the payload of a record");
    this.out.endWith(this.putOff.writeReady(this.out.takeWritten(), this.proof));
  }

  private need(steps: ScriptReader, count: number): void {
    const { room } = this.out;
    if (count > room) steps.fail(`it makes ${count} bytes more, there is room for ${room}`);
  }

  private blockNumber(steps: ScriptReader): number {
    return this.block?.number ?? steps.fail("a record of no block");
  }
}
