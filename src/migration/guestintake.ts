// Takes the stream of one guest at the source apart into batches and hands them to the gang. It
// holds back what the gang has no room for, and lets nothing lie that came in little pieces.
import { ByteWriter } from "../core/bytes.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { type FolderOptions, StreamFolder } from "../qemu/folder.ts";
import { StreamProof } from "../qemu/streamproof.ts";
import type { RunningChecksum } from "../wire/checksum.ts";
import type { StreamMark } from "../wire/sessionheads.ts";
import { FrameEntries } from "./guestframes.ts";
import type { FoldedGuest, GuestBatch, GuestHost } from "./guesthost.ts";
import { StreamProgress } from "./streamprogress.ts";

/** Pages of one batch: less would cost speed, more would make others wait. */
const GUEST_BATCH_PAGES = 256;
/** What has come is sent on after so long, however little it is. */
const FLUSH_MS = 2;
/** While others are under way it may wait for more: a batch costs as much whatever is in it. */
const MAX_GATHER_MS = 30;
/** A stream that may be at its end is taken to be when nothing came for so long. */
const SILENT_END_MS = 200;

export type StreamEvent = NonNullable<ReturnType<StreamFolder["takeEvent"]>>;

export interface GuestSetup extends FolderOptions {
  readonly name: string;
  readonly number: number;
  /** Of a stream of which nothing has come. */
  readonly checksum: RunningChecksum;
  /** Bytes of the stream that may be under way. */
  readonly creditBytes: number;
}

/** Who is told what the stream brings. */
export interface IntakeListener {
  /** All bytes before are in batches that have been handed over. */
  event(event: StreamEvent): void;
  /** It may be at its end, and nothing comes any more. */
  silent(): void;
  failed(error: unknown): void;
}

export class GuestIntake implements FoldedGuest {
  readonly name: string;
  readonly number: number;
  readonly entries = new FrameEntries();
  readonly proof: StreamProof | undefined;
  readonly progress = new StreamProgress();
  wireBytes = 0;
  /** Bytes of the stream: taken, in batches that were handed over, and taken by the target. */
  takenBytes = 0;
  addedBytes = 0;
  creditedBytes = 0;
  /** Whether what comes now must not be released before the source has committed. */
  isWithheld = false;
  private readonly host: GuestHost;
  private readonly listener: IntakeListener;
  private readonly checksum: RunningChecksum;
  private readonly creditLimit: number;
  private readonly folder: StreamFolder;
  private current: GuestBatch | undefined;
  private flushTimer: NodeJS.Timeout | undefined;
  private silenceTimer: NodeJS.Timeout | undefined;
  private isClosed = false;
  private kept = new Uint8Array(0);

  constructor(host: GuestHost, listener: IntakeListener, setup: GuestSetup) {
    this.host = host;
    this.listener = listener;
    this.name = setup.name;
    this.number = setup.number;
    this.checksum = setup.checksum;
    this.proof = setup.marksRam ? new StreamProof(setup.name, setup.checksum) : undefined;
    this.creditLimit = setup.creditBytes;
    this.folder = new StreamFolder(setup.name, setup);
  }

  /** Frames of its memory, as far as the stream has told. */
  get frameCount(): number {
    return this.folder.frameCount;
  }

  /** Whether the target has got rid of all that was handed over. */
  get isTaken(): boolean {
    return this.creditedBytes === this.addedBytes;
  }

  /**
   * Where the stream stands now. What is proven of it is known only when all that was handed over
   * has been sent, and then without what came later.
   */
  mark(): () => StreamMark {
    const { proof, takenBytes: streamBytes } = this;
    if (proof) return () => ({ streamBytes, hash: proof.digest() });
    const hash = this.checksum.digest();
    return () => ({ streamBytes, hash });
  }

  /**
   * Takes the next bytes of the stream, valid during the call. Undefined: go on; otherwise nothing
   * more may be given before the promise resolves. It never rejects.
   */
  write(bytes: Uint8Array): Promise<void> | undefined {
    clearTimeout(this.silenceTimer);
    try {
      const taken = this.fold(bytes, 0);
      if (taken < bytes.length) return this.writeRest(this.keep(bytes.subarray(taken)));
    } catch (error) {
      this.listener.failed(error);
    }
    return undefined;
  }

  /** Sends on what has come. */
  flush(): void {
    clearTimeout(this.flushTimer);
    this.flushTimer = undefined;
    const batch = this.current;
    this.current = undefined;
    if (!batch) return;
    if (batch.streamBytes === 0) {
      this.host.forget(batch.slabPtr);
    } else {
      // The announcement stands before all pages, maybe in the same batch.
      batch.mayBeNamed = !this.folder.isPostcopyAdvised;
      this.addedBytes += batch.streamBytes;
      this.progress.batch(batch);
      this.host.add(this, batch, this.folder.takeForgotten());
    }
  }

  /** Takes nothing more, and drops what was not sent on. */
  close(): void {
    this.isClosed = true;
    clearTimeout(this.flushTimer);
    clearTimeout(this.silenceTimer);
    if (this.current) this.host.forget(this.current.slabPtr);
    this.current = undefined;
  }

  /** Copies what there is no room for to where the last such piece was. */
  private keep(rest: Uint8Array): Uint8Array {
    if (rest.length > this.kept.length) this.kept = new Uint8Array(rest.length);
    this.kept.set(rest);
    return this.kept.subarray(0, rest.length);
  }

  private async writeRest(rest: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < rest.length && !this.isClosed; at = this.fold(rest, at)) {
        await this.host.room();
      }
    } catch (error) {
      this.listener.failed(error);
    }
  }

  /** Returns how far it came: not to the end when there is no room. */
  private fold(bytes: Uint8Array, from: number): number {
    let at = from;
    while (at < bytes.length && !this.isClosed) {
      this.current ??= this.begin();
      if (!this.current) return at;
      const taken = this.folder.fold(bytes.subarray(at), this.current);
      // Where pages may be put off, it is not the same bytes that have to arrive.
      if (!this.proof) this.checksum.update(bytes.subarray(at, at + taken));
      this.takenBytes += taken;
      at += taken;
      const event = this.folder.takeEvent();
      if (event !== undefined || at < bytes.length) this.flush();
      if (event !== undefined) this.listener.event(event);
    }
    if (!this.isClosed) this.armTimers();
    return this.isClosed ? bytes.length : at;
  }

  private begin(): GuestBatch | undefined {
    if (this.takenBytes - this.creditedBytes >= this.creditLimit) return undefined;
    const slab = this.host.tryBegin();
    if (!slab) return undefined;
    return {
      slabPtr: slab.slabPtr,
      pages: slab.pages.subarray(0, GUEST_BATCH_PAGES * PAGE_BYTES),
      pageCount: 0,
      frames: new Uint32Array(GUEST_BATCH_PAGES),
      script: new ByteWriter(1024),
      streamBytes: 0,
      isWithheld: this.isWithheld,
      mayBeNamed: true,
    };
  }

  /** Sends on what has come in a moment, or later if it would have to wait anyway. */
  private gather(latest: number): void {
    this.flushTimer = setTimeout(() => {
      const mayWait = this.progress.stage === "memory" && this.host.isBusy();
      if (mayWait && performance.now() < latest) this.gather(latest);
      else this.flush();
    }, FLUSH_MS);
  }

  private armTimers(): void {
    if (this.current && !this.flushTimer) this.gather(performance.now() + MAX_GATHER_MS);
    if (!this.folder.mayEndHere) return;
    this.silenceTimer = setTimeout(() => {
      this.flush();
      this.listener.silent();
    }, SILENT_END_MS);
  }
}
