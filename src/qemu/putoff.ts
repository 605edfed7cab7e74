// Pages of a guest's stream that are not there yet at the target, because they come by name. A
// frame waits for its name; what has come becomes a record with the name of its block, ready to be
// written at the next place. Where places are, and what is newer, is decided by StreamUnfolder.
import { copyBytes } from "../core/copy.ts";
import { PagefoldError } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import type { PlacedBlock, WaitingFrame } from "./placedblocks.ts";
import { MAX_BLOCK_NAME_BYTES, RAM_HEADER_BYTES, Ram } from "./stream.ts";
import type { StreamProof } from "./streamproof.ts";

/** Frames that wait and pages that are expected: with their content, 128 MiB at most. */
export const MAX_PUT_OFF_PAGES = 32_768;
/** Records that are ready lie in pieces of this size, so that they can be handed on as they are. */
const PIECE_BYTES = 128 << 10;
const LONGEST_RECORD = RAM_HEADER_BYTES + 1 + MAX_BLOCK_NAME_BYTES + PAGE_BYTES;

/** A page that came before the batch that names it was unfolded. */
export interface EarlyPage {
  readonly page: Uint8Array;
  readonly hash: Uint32Array;
}

interface Expected {
  uses: number;
  early: EarlyPage | undefined;
}

interface ReadyFrame {
  readonly frame: WaitingFrame;
  readonly hash: Uint32Array;
}

export class PutOffPages {
  /** Frames whose content has not come. */
  waitingCount = 0;
  private readonly guest: string;
  private readonly takeBuffer: (byteLength: number) => Uint8Array;
  private readonly frames = new Map<number, Set<WaitingFrame>>();
  private readonly expected = new Map<number, Expected>();
  private expectedCount = 0;
  private dropped: number[] = [];
  private ready: ReadyFrame[] = [];
  private readyPieces: Uint8Array[] = [];
  /** The piece that records are added to, and how far it is filled. */
  private filling: Uint8Array | undefined;
  private filled = 0;
  private pieces: Uint8Array[] = [];

  constructor(guest: string, takeBuffer: (byteLength: number) => Uint8Array) {
    this.guest = guest;
    this.takeBuffer = takeBuffer;
  }

  get hasReady(): boolean {
    return this.ready.length > 0;
  }

  /**
   * What has to come before everything is there: names that frames wait for, and those of a batch
   * that is still to be unfolded.
   */
  missing(names: ArrayLike<number> = []): number[] {
    const missing = [...this.frames.keys()];
    for (let i = 0; i < names.length; i++) {
      const expected = this.expected.get(names[i]);
      if (expected && !expected.early) missing.push(names[i]);
    }
    return missing;
  }

  /** A batch that is still to be unfolded names a page so: it may come before. */
  expect(name: number): void {
    this.limit();
    const expected = this.expected.get(name);
    if (expected) expected.uses++;
    else this.expected.set(name, { uses: 1, early: undefined });
    this.expectedCount++;
  }

  /** The batch is unfolded: the page, if it has come. */
  takeExpected(name: number): EarlyPage | undefined {
    const expected = this.expected.get(name);
    if (!expected) return undefined;
    this.expectedCount--;
    if (--expected.uses === 0) this.expected.delete(name);
    return expected.early;
  }

  wait(block: PlacedBlock, page: number, name: number): void {
    this.limit();
    const frame = { block, page, name };
    block.waiting.set(page, frame);
    const frames = this.frames.get(name);
    if (frames) frames.add(frame);
    else this.frames.set(name, new Set([frame]));
    this.waitingCount++;
  }

  /** These pages of the block have got newer content: none of them waits any more. */
  cancel({ waiting }: PlacedBlock, first: number, count: number): void {
    // Zeros come in long runs.
    if (count < waiting.size) {
      for (let page = first; page < first + count; page++) this.cancelOne(waiting, page);
    } else {
      for (const page of [...waiting.keys()]) {
        if (page >= first && page < first + count) this.cancelOne(waiting, page);
      }
    }
  }

  /** Names that nobody waits for any more because of newer content, since the last call. */
  takeDropped(): number[] {
    const { dropped } = this;
    if (dropped.length > 0) this.dropped = [];
    return dropped;
  }

  /** The content of a name has come, valid during the call. Whether anybody needed it. */
  arrived(name: number, page: Uint8Array, words: Uint32Array, at: number): boolean {
    const frames = this.frames.get(name);
    const expected = this.expected.get(name);
    if (!frames && !expected) return false;
    const hash = words.slice(at, at + 2);
    if (expected) expected.early ??= { page: page.slice(), hash };
    if (!frames) return true;
    this.frames.delete(name);
    this.waitingCount -= frames.size;
    for (const frame of frames) {
      frame.block.waiting.delete(frame.page);
      this.ready.push({ frame, hash });
      this.addRecord(frame, page);
    }
    return true;
  }

  /**
   * Puts what is ready among the pieces, behind the bytes that were written before it. Returns the
   * block of the last record.
   */
  writeReady(before: Uint8Array, proof: StreamProof | undefined): PlacedBlock {
    if (before.length > 0) {
      const piece = this.takeBuffer(before.length);
      piece.set(before);
      this.pieces.push(piece);
    }
    const { filling, ready } = this;
    if (filling) this.readyPieces.push(filling.subarray(0, this.filled));
    for (const piece of this.readyPieces) this.pieces.push(piece);
    for (const { frame, hash } of ready) proof?.page(frame.block.number, frame.page, hash, 0);
    this.readyPieces = [];
    this.filling = undefined;
    this.ready = [];
    return ready[ready.length - 1].frame.block;
  }

  /** What was written, to be delivered before the bytes of the last batch. */
  takePieces(): Uint8Array[] {
    const { pieces } = this;
    if (pieces.length > 0) this.pieces = [];
    return pieces;
  }

  private cancelOne(waiting: PlacedBlock["waiting"], page: number): void {
    const frame = waiting.get(page);
    if (frame === undefined) return;
    waiting.delete(page);
    this.waitingCount--;
    const frames = this.frames.get(frame.name) as Set<WaitingFrame>;
    frames.delete(frame);
    if (frames.size > 0) return;
    this.frames.delete(frame.name);
    this.dropped.push(frame.name);
  }

  private addRecord({ block, page }: WaitingFrame, content: Uint8Array): void {
    const piece = this.roomForRecord();
    const view = new DataView(piece.buffer, piece.byteOffset + this.filled, RAM_HEADER_BYTES);
    view.setUint32(0, page / 0x10_0000);
    view.setUint32(4, ((page & 0xf_ffff) << 12) | Ram.PAGE);
    const nameAt = this.filled + RAM_HEADER_BYTES;
    piece[nameAt] = block.name.length;
    piece.set(block.name, nameAt + 1);
    const pageAt = nameAt + 1 + block.name.length;
    copyBytes(content, 0, piece, pageAt, PAGE_BYTES);
    this.filled = pageAt + PAGE_BYTES;
  }

  private roomForRecord(): Uint8Array {
    if (this.filling) {
      if (this.filled + LONGEST_RECORD <= PIECE_BYTES) return this.filling;
      this.readyPieces.push(this.filling.subarray(0, this.filled));
    }
    this.filling = this.takeBuffer(PIECE_BYTES);
    this.filled = 0;
    return this.filling;
  }

  private limit(): void {
    if (this.waitingCount + this.expectedCount < MAX_PUT_OFF_PAGES) return;
    const reason = `more than ${MAX_PUT_OFF_PAGES} pages are put off`;
    throw new PagefoldError("DAMAGED", `${this.guest}: ${reason}`);
  }
}
