// An epoch that is being received: its patches go to the redo file and are checked against the
// memory that they change. Nothing of the replica changes before its commit.
import { PagefoldError } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { FINGERPRINT_BYTES } from "../kernels/abi.ts";
import type { EpochOutput } from "../wire/epochheads.ts";
import { applyPatch, openPatch } from "./patch.ts";
import {
  EpochFileWriter,
  type EpochHead,
  epochName,
  MAX_DEVICE_STATE_BYTES,
} from "./storeepoch.ts";
import type { StoreFile } from "./storefiles.ts";
import { damagedPages, pagesOf, type StoreState } from "./storestate.ts";
import { FrameSums, type SumTree } from "./storesums.ts";

/** What an epoch is besides its pages. */
export interface EpochEnd {
  /** Of the whole memory, as `pagefold list` shows it for an image: 16 bytes. */
  readonly checksum: Uint8Array;
  readonly deviceState: Uint8Array;
  /** Of the capture; default: now. */
  readonly timeMs?: number;
  /** Default: "free". */
  readonly output?: EpochOutput;
}

/** Says how a draft ended, and with what when it was committed. */
export type DraftEnded = (head: EpochHead | undefined) => void;

export class EpochDraft {
  readonly epoch: number;
  private readonly state: StoreState;
  private readonly ram: StoreFile;
  private readonly writer: EpochFileWriter;
  private readonly ended: DraftEnded;
  private readonly sums = new FrameSums();
  /** One bit for each frame that has changed. */
  private readonly seen: Uint8Array;
  /** What was read last. */
  private readonly lately = new Map<number, Uint8Array>();
  /** What was not written cannot be committed. */
  private failure: unknown;
  private isOver = false;

  private constructor(
    state: StoreState,
    ram: StoreFile,
    epoch: number,
    writer: EpochFileWriter,
    ended: DraftEnded,
  ) {
    this.state = state;
    this.ram = ram;
    this.epoch = epoch;
    this.writer = writer;
    this.ended = ended;
    this.seen = new Uint8Array(Math.ceil(state.frameCount / 8));
  }

  static async create(
    state: StoreState,
    ram: StoreFile,
    epoch: number,
    ended: DraftEnded,
  ): Promise<EpochDraft> {
    const writer = await EpochFileWriter.create(state.files, epochName(epoch, "redo"));
    return new EpochDraft(state, ram, epoch, writer, ended);
  }

  /** Pages of the epoch before, one after another. The frames ascend. */
  async read(frames: Uint32Array): Promise<Uint8Array> {
    const { state, ram } = this;
    const pages = await pagesOf(state, ram, { frames, pageCount: frames.length });
    const found = state.hasher.fingerprints(pages);
    this.lately.clear();
    for (const [i, frame] of frames.entries()) {
      if (!state.tree.has(frame, found, i)) throw damagedPages(state, frame, 1);
      this.lately.set(frame, pages.subarray(i * PAGE_BYTES, (i + 1) * PAGE_BYTES));
    }
    return pages;
  }

  /** The same, bytes that may change; a patch mostly follows a read of its pages. */
  private async copied(frames: Uint32Array): Promise<Uint8Array> {
    if (!frames.every((frame) => this.lately.has(frame))) await this.read(frames);
    const pages = new Uint8Array(frames.length * PAGE_BYTES);
    for (const [i, frame] of frames.entries()) {
      pages.set(this.lately.get(frame) ?? [], i * PAGE_BYTES);
    }
    return pages;
  }

  /** Takes a patch. Within an epoch no frame may come twice. */
  async write(bytes: Uint8Array): Promise<void> {
    try {
      await this.take(bytes);
    } catch (error) {
      this.failure = error;
      throw error;
    }
  }

  private async take(bytes: Uint8Array): Promise<void> {
    const { state, sums, epoch } = this;
    const patch = openPatch(bytes, state.frameCount, `epoch ${epoch}: a patch`);
    for (const frame of patch.frames) this.mark(frame);
    const pages = await this.copied(patch.frames);
    applyPatch(patch, pages);
    const found = state.hasher.fingerprints(pages);
    for (const [i, frame] of patch.frames.entries()) {
      sums.add(frame, found.subarray(i * FINGERPRINT_BYTES, (i + 1) * FINGERPRINT_BYTES));
    }
    await this.writer.add(bytes, patch);
  }

  /** Resolves when the epoch is durable; MISMATCH when it is not what the checksum says. */
  async commit(end: EpochEnd): Promise<void> {
    const { state, sums, epoch } = this;
    if (this.isOver) throw new Error(`epoch ${epoch} has ended`);
    state.tree.exchange(sums);
    try {
      if (this.failure !== undefined) throw this.failure;
      const head = await sealRedo(state, state.tree, this.writer, { epoch, isFull: false }, end);
      this.isOver = true;
      this.ended(head);
    } catch (error) {
      state.tree.exchange(sums);
      await this.abandon();
      throw error;
    }
  }

  /** Forgets it all. Does nothing when it has ended. */
  async abandon(): Promise<void> {
    if (this.isOver) return;
    this.isOver = true;
    await this.writer.discard();
    this.ended(undefined);
  }

  private mark(frame: number): void {
    const bit = 1 << (frame & 7);
    if (this.seen[frame >>> 3] & bit) {
      throw new PagefoldError("DAMAGED", `epoch ${this.epoch}: frame ${frame} comes twice`);
    }
    this.seen[frame >>> 3] |= bit;
  }
}

/** Seals the redo of an epoch whose memory `tree` tells: the moment of its commit. */
export async function sealRedo(
  state: StoreState,
  tree: SumTree,
  writer: EpochFileWriter,
  { epoch, isFull }: Pick<EpochHead, "epoch" | "isFull">,
  { checksum, deviceState, timeMs = Date.now(), output = "free" }: EpochEnd,
): Promise<EpochHead> {
  if (deviceState.length > MAX_DEVICE_STATE_BYTES) {
    const reason = `${deviceState.length} bytes are over ${MAX_DEVICE_STATE_BYTES}`;
    throw new PagefoldError("LIMIT", `epoch ${epoch}: device state: ${reason}`);
  }
  const found = tree.checksum();
  if (Buffer.compare(found, checksum) !== 0) {
    const [has, wanted] = [found, checksum].map((sum) => Buffer.from(sum).toString("hex"));
    const reason = `the memory has checksum ${has}, not ${wanted}`;
    throw new PagefoldError("MISMATCH", `${state.files.path}: epoch ${epoch}: ${reason}`);
  }
  const head = { kind: "redo", isFull, epoch, timeMs, checksum: found, output } as const;
  try {
    await writer.seal(head, deviceState);
  } catch (error) {
    await retract(state, epoch, error);
    throw error;
  }
  const { pageCount, blockCount, chunkBytes } = writer;
  return { ...head, pageCount, blockCount, chunkBytes, deviceBytes: deviceState.length };
}

/** The name may be there although nobody knows whether it is durable: it must not come back. */
async function retract(state: StoreState, epoch: number, cause: unknown): Promise<void> {
  const { files } = state;
  try {
    const name = epochName(epoch, "redo");
    if (!(await files.list()).includes(name)) return;
    await files.remove(name);
    await files.sync();
  } catch {
    const reason = `whether epoch ${epoch} was committed is not known until it is opened again`;
    state.failure = new PagefoldError("OUTPUT", `${files.path}: ${reason}`, { cause });
  }
}
