// The backup of a replicated guest: a directory that holds its last committed epoch, and some
// before it, whatever happens. An epoch is committed when its redo file is durable; the memory file
// follows while the next one comes. It knows nothing of the network or of QEMU.
import { PagefoldError } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { applyLast } from "./storeapply.ts";
import { EpochDraft, type EpochEnd } from "./storedraft.ts";
import { EpochFileReader, type EpochHead } from "./storeepoch.ts";
import { directoryFiles, type StoreFiles, withReasons } from "./storefiles.ts";
import { FullDraft } from "./storefull.ts";
import { type GuestIdentity, ramBytesOf } from "./storeidentity.ts";
import { EpochReader } from "./storereader.ts";
import { existingGuest, guestOf, recover } from "./storerecover.ts";
import { clearResumed, markResumed, refuseResumed } from "./storeresumed.ts";
import type { StoreState } from "./storestate.ts";
import { PageHasher, SumTree } from "./storesums.ts";

const DEFAULT_KEEP_EPOCHS = 2;

export interface ReplicaOptions {
  /** Whose directory it is to be; it is made if need be. Default: what is there, of anybody. */
  identity?: GuestIdentity;
  /** Epochs whose memory can be read, the last one included: 2 or more. Default: 2. */
  keepEpochs?: number;
  /** The kernels, for bundlers. */
  wasm?: Uint8Array | URL;
  /** The directory, for those who have another kind. Default: of the file system. */
  files?: StoreFiles;
}

/** An epoch whose patches are all at hand. */
export interface Epoch extends EpochEnd {
  readonly epoch: number;
  readonly patches: Iterable<Uint8Array>;
}

export class ReplicaStore implements AsyncDisposable {
  private readonly state: StoreState;
  private readonly lock: { release(): Promise<void> };
  /** The epoch that has begun, or is just beginning. */
  private current: { abandon(): Promise<void> } | "new" | undefined;
  private readerCount = 0;
  /** Never rejects; whether it worked stands in the state. */
  private applying: Promise<void> = Promise.resolve();

  private constructor(state: StoreState, lock: { release(): Promise<void> }) {
    this.state = state;
    this.lock = lock;
  }

  /** Opens a directory as its only writer, and finishes what was cut off. */
  static async open(directory: string, options: ReplicaOptions = {}): Promise<ReplicaStore> {
    const { keepEpochs = DEFAULT_KEEP_EPOCHS, identity: wanted } = options;
    // With fewer there would be no telling whether the memory file is older than its undo.
    if (!Number.isSafeInteger(keepEpochs) || keepEpochs < 2) {
      throw new PagefoldError("USAGE", `epochs to keep: ${keepEpochs}, at least 2`);
    }
    const files = withReasons(options.files ?? directoryFiles(directory));
    if (wanted) await files.make();
    // Looked at before the lock, which would be a file in a directory that is not ours.
    else await existingGuest(files);
    const lock = await files.lock();
    let state: StoreState | undefined;
    try {
      const identity = await guestOf(files, wanted);
      if (wanted) await refuseResumed(files);
      const frameCount = ramBytesOf(identity) / PAGE_BYTES;
      const hasher = new PageHasher(options.wasm);
      const tree = new SumTree(hasher, frameCount);
      const nothing = { ram: undefined, last: undefined, failure: undefined };
      const parts = { files, identity, frameCount, keepEpochs, hasher, tree };
      state = { ...parts, ...nothing, oldest: 0, isPending: false };
      await recover(state);
      const store = new ReplicaStore(state, lock);
      // A full disk keeps the memory file behind, not the replica from being read.
      await store.settle().catch(ignoreOutput);
      return store;
    } catch (error) {
      await state?.ram?.close();
      await lock.release();
      throw error;
    }
  }

  get identity(): GuestIdentity {
    return this.state.identity;
  }

  /** The last committed epoch; undefined before the first. */
  get last(): EpochHead | undefined {
    return this.state.last;
  }

  /** The oldest epoch that can be read; it is known for certain after `settle`. */
  get oldest(): number {
    return this.state.oldest;
  }

  /** Begins the epoch that follows the last one. */
  async begin(epoch: number): Promise<EpochDraft> {
    return this.draft(epoch, async () => {
      const { ram } = this.state;
      if (!ram) {
        const reason = "there is no memory yet that it could change";
        throw new PagefoldError("RANGE", `${this.state.files.path}: epoch ${epoch}: ${reason}`);
      }
      return EpochDraft.create(this.state, ram, epoch, (head) => this.ended(head));
    });
  }

  /** Begins an epoch that comes with its whole memory. It needs room for a second memory. */
  async beginFull(epoch: number): Promise<FullDraft> {
    return this.draft(epoch, () => FullDraft.create(this.state, epoch, (head) => this.ended(head)));
  }

  /** Resolves when the epoch is durable. */
  async commit({ epoch, patches, ...end }: Epoch): Promise<void> {
    const draft = await this.begin(epoch);
    try {
      for (const patch of patches) await draft.write(patch);
    } catch (error) {
      await draft.abandon();
      throw error;
    }
    await draft.commit(end);
  }

  /** The memory of an epoch that is kept. Until it is closed no epoch can begin. */
  async read(epoch: number): Promise<EpochReader> {
    this.readerCount++;
    try {
      await this.settle().catch(() => undefined);
      return await EpochReader.open(this.state, epoch, () => this.readerCount--);
    } catch (error) {
      this.readerCount--;
      throw error;
    }
  }

  /** The device state of the last committed epoch. */
  async deviceState(): Promise<Uint8Array> {
    const { files, last } = this.state;
    if (!last) return new Uint8Array(0);
    const file = await EpochFileReader.open(files, last.epoch, "redo");
    try {
      return await file.deviceState();
    } finally {
      await file.close();
    }
  }

  /** Checks everything that is kept; the first thing that is wrong is thrown. */
  async verify(signal?: AbortSignal): Promise<void> {
    await this.settle();
    const { last } = this.state;
    for (let epoch = this.state.oldest; last && epoch <= last.epoch; epoch++) {
      await using reader = await this.read(epoch);
      await reader.verify(signal);
    }
  }

  /** Waits until the memory file has the last epoch, or says why it cannot. */
  async settle(): Promise<void> {
    await this.applying;
    if (this.state.isPending) await applyLast(this.state);
  }

  /**
   * Keeps a primary from going on here while `resume` brings an epoch back, and afterwards; not if
   * it fails.
   */
  async resuming(epoch: number, resume: () => Promise<void>): Promise<void> {
    const { files } = this.state;
    // A full disk is no reason to leave the guest dead.
    await markResumed(files, epoch).catch(ignoreOutput);
    try {
      await resume();
    } catch (error) {
      await clearResumed(files);
      throw error;
    }
  }

  /** What was committed is kept; what was begun is not. */
  async close(): Promise<void> {
    if (this.current !== "new") await this.current?.abandon();
    await this.applying;
    await this.state.ram?.close();
    await this.lock.release();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async draft<T extends { abandon(): Promise<void> }>(
    epoch: number,
    create: () => Promise<T>,
  ): Promise<T> {
    const { files, last, failure } = this.state;
    const refuse = (reason: string): never => {
      throw new PagefoldError("RANGE", `${files.path}: epoch ${epoch}: ${reason}`);
    };
    if (failure) throw failure;
    if (this.current) refuse("another one has begun");
    if (this.readerCount > 0) refuse("an epoch is being read");
    const next = (last?.epoch ?? 0) + 1;
    if (epoch !== next) refuse(`${next} comes next`);
    this.current = "new";
    try {
      await this.settle();
      const draft = await create();
      this.current = draft;
      return draft;
    } catch (error) {
      this.current = undefined;
      throw error;
    }
  }

  private ended(head: EpochHead | undefined): void {
    this.current = undefined;
    if (!head) return;
    this.state.last = head;
    this.state.isPending = true;
    if (head.isFull) this.state.oldest = head.epoch;
    this.applying = applyLast(this.state).catch(() => undefined);
  }
}

/** For what may be left undone when the disk is full. */
function ignoreOutput(error: unknown): void {
  if (!(error instanceof PagefoldError) || error.code !== "OUTPUT") throw error;
}
