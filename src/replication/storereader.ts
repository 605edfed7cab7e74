// The memory and device state of one kept epoch. The memory file holds the last; earlier ones are
// made of it while they are read, by laying undo files over it. Nothing is committed meanwhile.
import { PagefoldError } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { EpochFileReader, type EpochHead } from "./storeepoch.ts";
import type { StoreFile } from "./storefiles.ts";
import { Layer } from "./storelayer.ts";
import { damagedPages, readPages, type StoreState } from "./storestate.ts";
import { SumTree } from "./storesums.ts";

const CHECK_FRAMES = 256;

export class EpochReader implements AsyncDisposable {
  readonly head: EpochHead;
  readonly frameCount: number;
  private readonly state: StoreState;
  private readonly ram: StoreFile;
  private readonly redo: EpochFileReader;
  /** The last epoch itself while the memory file may not have it, then back from it. */
  private readonly pending: Layer | undefined;
  private readonly undos: readonly Layer[];
  private readonly closed: () => void;

  private constructor(
    state: StoreState,
    ram: StoreFile,
    redo: EpochFileReader,
    layers: { pending: Layer | undefined; undos: readonly Layer[] },
    closed: () => void,
  ) {
    this.state = state;
    this.ram = ram;
    this.redo = redo;
    this.head = redo.head;
    this.frameCount = state.frameCount;
    this.pending = layers.pending;
    this.undos = layers.undos;
    this.closed = closed;
  }

  static async open(state: StoreState, epoch: number, closed: () => void): Promise<EpochReader> {
    const { files, last, ram, oldest, frameCount } = state;
    if (!last || !ram) throw new PagefoldError("RANGE", `${files.path}: has no epoch yet`);
    if (!(epoch >= oldest && epoch <= last.epoch)) {
      const kept = `${oldest}–${last.epoch}`;
      throw new PagefoldError("RANGE", `${files.path}: epoch ${epoch} is not kept, ${kept} are`);
    }
    const redo = await EpochFileReader.open(files, epoch, "redo");
    const undos: Layer[] = [];
    let pending: Layer | undefined;
    try {
      if (state.isPending) pending = await Layer.open(files, last.epoch, "redo", frameCount);
      for (let at = last.epoch; at > epoch; at--) {
        undos.push(await Layer.open(files, at, "undo", frameCount));
      }
      return new EpochReader(state, ram, redo, { pending, undos }, closed);
    } catch (error) {
      for (const file of [redo, pending, ...undos]) await file?.close();
      throw error;
    }
  }

  /** Reads frames [frame, frame + count); DAMAGED when the memory file is not what it was. */
  async read(frame: number, count: number, into: Uint8Array, signal?: AbortSignal): Promise<void> {
    const { state } = this;
    signal?.throwIfAborted();
    if (!(frame >= 0 && count >= 0 && frame + count <= this.frameCount)) {
      const reason = `frames ${frame}–${frame + count - 1} of ${this.frameCount}`;
      throw new PagefoldError("RANGE", `${state.files.path}: ${reason}`);
    }
    const pages = into.subarray(0, count * PAGE_BYTES);
    pages.set(await readPages(state, this.ram, frame, count));
    await this.pending?.apply(frame, count, pages);
    const sums = state.hasher.fingerprints(pages);
    for (let i = 0; i < count; i++) {
      if (!state.tree.has(frame + i, sums, i)) throw damagedPages(state, frame + i, 1);
    }
    for (const undo of this.undos) await undo.apply(frame, count, pages);
  }

  deviceState(): Promise<Uint8Array<ArrayBuffer>> {
    return this.redo.deviceState();
  }

  /** Reads all of it; DAMAGED or MISMATCH when it is not what was committed. */
  async verify(signal?: AbortSignal): Promise<void> {
    const { state, frameCount, head } = this;
    const tree = new SumTree(state.hasher, frameCount);
    const pages = new Uint8Array(CHECK_FRAMES * PAGE_BYTES);
    for (let frame = 0; frame < frameCount; frame += CHECK_FRAMES) {
      const count = Math.min(CHECK_FRAMES, frameCount - frame);
      await this.read(frame, count, pages, signal);
      tree.set(frame, state.hasher.fingerprints(pages.subarray(0, count * PAGE_BYTES)));
    }
    for await (const _ of this.redo.patches(frameCount)) signal?.throwIfAborted();
    await this.deviceState();
    if (Buffer.compare(tree.checksum(), head.checksum) !== 0) {
      const reason = "the memory has not the checksum that was committed";
      throw new PagefoldError("MISMATCH", `${state.files.path}: epoch ${head.epoch}: ${reason}`);
    }
  }

  async close(): Promise<void> {
    for (const file of [this.redo, this.pending, ...this.undos]) await file?.close();
    this.closed();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
