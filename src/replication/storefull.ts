// A whole memory that is being received, into a file of its own, while the one before stays as it
// is. Pages may come in any order and again; what never comes is zero.
import { PagefoldError } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { type DraftEnded, type EpochEnd, sealRedo } from "./storedraft.ts";
import { EpochFileWriter, epochName } from "./storeepoch.ts";
import type { StoreFile } from "./storefiles.ts";
import { ramBytesOf } from "./storeidentity.ts";
import { fullName, pagesOf, type StoreState } from "./storestate.ts";
import { SumTree } from "./storesums.ts";

const ZERO_PAGE = new Uint8Array(PAGE_BYTES);

export class FullDraft {
  readonly epoch: number;
  private readonly state: StoreState;
  private readonly file: StoreFile;
  private readonly ended: DraftEnded;
  private readonly tree: SumTree;
  /** Whether a frame is more than a hole in the file. */
  private readonly isStored: Uint8Array;
  private failure: unknown;
  private isOver = false;

  private constructor(state: StoreState, epoch: number, file: StoreFile, ended: DraftEnded) {
    this.state = state;
    this.epoch = epoch;
    this.file = file;
    this.ended = ended;
    this.tree = new SumTree(state.hasher, state.frameCount);
    this.isStored = new Uint8Array(state.frameCount);
  }

  static async create(state: StoreState, epoch: number, ended: DraftEnded): Promise<FullDraft> {
    const file = await state.files.open(fullName(epoch), "create");
    try {
      await file.truncate(ramBytesOf(state.identity));
      return new FullDraft(state, epoch, file, ended);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Takes the content of frames one after another. */
  async write(frame: number, pages: Uint8Array): Promise<void> {
    const count = pages.length / PAGE_BYTES;
    if (!Number.isInteger(count) || frame < 0 || frame + count > this.state.frameCount) {
      const reason = `${pages.length} bytes of ${this.state.frameCount} frames`;
      throw new PagefoldError("RANGE", `epoch ${this.epoch}: frame ${frame}: ${reason}`);
    }
    this.tree.set(frame, this.state.hasher.fingerprints(pages));
    try {
      await this.writePages(frame, pages, count);
    } catch (error) {
      this.failure = error;
      throw error;
    }
  }

  /** Pages as far as they have come, one after another; the frames ascend. */
  read(frames: Uint32Array): Promise<Uint8Array> {
    return pagesOf(this.state, this.file, { frames, pageCount: frames.length });
  }

  private async writePages(frame: number, pages: Uint8Array, count: number): Promise<void> {
    for (let page = 0; page < count; ) {
      if (!this.mustWrite(frame + page, pages, page)) {
        page++;
        continue;
      }
      const first = page;
      while (page < count && this.mustWrite(frame + page, pages, page)) page++;
      const run = pages.subarray(first * PAGE_BYTES, page * PAGE_BYTES);
      this.isStored.fill(1, frame + first, frame + page);
      await this.file.write(run, (frame + first) * PAGE_BYTES);
    }
  }

  private mustWrite(frame: number, pages: Uint8Array, index: number): boolean {
    const page = pages.subarray(index * PAGE_BYTES, (index + 1) * PAGE_BYTES);
    return this.isStored[frame] === 1 || Buffer.compare(page, ZERO_PAGE) !== 0;
  }

  /** Resolves when the memory is durable and counts; MISMATCH when the checksum is another. */
  async commit(end: EpochEnd): Promise<void> {
    const { state, epoch, file, tree } = this;
    const { ram } = state;
    if (this.isOver) throw new Error(`epoch ${epoch} has ended`);
    let writer: EpochFileWriter | undefined;
    try {
      if (this.failure !== undefined) throw this.failure;
      await file.sync();
      // The memory has to have its name before an epoch can say that it is there.
      await state.files.sync();
      writer = await EpochFileWriter.create(state.files, epochName(epoch, "redo"));
      writer.pageCount = this.isStored.reduce((sum, stored) => sum + stored, 0);
      const head = await sealRedo(state, tree, writer, { epoch, isFull: true }, end);
      state.tree = tree;
      state.ram = file;
      this.isOver = true;
      this.ended(head);
    } catch (error) {
      await writer?.discard();
      await this.abandon();
      throw error;
    }
    await ram?.close();
  }

  /** Forgets it all. Does nothing when it has ended. */
  async abandon(): Promise<void> {
    if (this.isOver) return;
    this.isOver = true;
    await this.file.close().catch(() => undefined);
    await this.state.files.remove(fullName(this.epoch)).catch(() => undefined);
    this.ended(undefined);
  }
}
