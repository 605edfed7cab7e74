// One guest of a gang at the source: its stream is taken apart into batches that the gang folds,
// and its return path comes back. What follows the last memory is sent to be withheld until both
// sides have found the same hash and the source has committed.
import { ByteWriter } from "../core/bytes.ts";
import { PagefoldError } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { type FolderOptions, StreamFolder } from "../qemu/folder.ts";
import { ReturnPath } from "../qemu/returnpath.ts";
import type { RunningChecksum } from "../wire/checksum.ts";
import { SessionType } from "../wire/sessionframe.ts";
import { encodeMark, encodeReason, type StreamMark } from "../wire/sessionheads.ts";
import { FrameEntries } from "./guestframes.ts";
import type { GuestBatch, GuestHost, GuestListener } from "./guesthost.ts";
import type { GuestOutcome } from "./outcome.ts";

/** Pages of one batch: less would cost speed, more would make others wait. */
export const GUEST_BATCH_PAGES = 256;
/** What has come is sent on after so long, however little it is. */
const FLUSH_MS = 2;
/** A stream that may be at its end is taken to be when nothing came for so long. */
const SILENT_END_MS = 200;

type State = "streaming" | "prepared" | "committed" | "over";

export interface GuestSetup extends FolderOptions {
  readonly name: string;
  readonly number: number;
  /** Of a stream of which nothing has come. */
  readonly checksum: RunningChecksum;
  /** Bytes of the stream that may be under way. */
  readonly creditBytes: number;
}

export class GuestSource {
  readonly name: string;
  readonly number: number;
  readonly entries = new FrameEntries();
  /** Bytes of the stream: taken, and taken over by the target. */
  takenBytes = 0;
  creditedBytes = 0;
  private readonly host: GuestHost;
  private readonly listener: GuestListener;
  private readonly checksum: RunningChecksum;
  private readonly creditLimit: number;
  private readonly folder: StreamFolder;
  private readonly returnPath = new ReturnPath();
  private current: GuestBatch | undefined;
  private flushTimer: NodeJS.Timeout | undefined;
  private silenceTimer: NodeJS.Timeout | undefined;
  private state: State = "streaming";
  private isWithheld = false;
  private mark: StreamMark | undefined;
  private committedAt = 0;

  constructor(
    host: GuestHost,
    listener: GuestListener,
    setup: GuestSetup,
  ) {
    this.host = host;
    this.listener = listener;
    this.name = setup.name;
    this.number = setup.number;
    this.checksum = setup.checksum;
    this.creditLimit = setup.creditBytes;
    this.folder = new StreamFolder(setup.name, setup);
  }

  get isOver(): boolean {
    return this.state === "over";
  }

  /** Whether the target has taken over so much that more may be sent. */
  get hasCredit(): boolean {
    return this.takenBytes - this.creditedBytes < this.creditLimit;
  }

  /**
   * Takes the next bytes of the stream, valid during the call. Undefined: go on; otherwise nothing
   * more may be given before the promise resolves. It never rejects: `ended` tells of failures.
   */
  write(bytes: Uint8Array): Promise<void> | undefined {
    clearTimeout(this.silenceTimer);
    if (this.state === "over") return undefined;
    try {
      const taken = this.fold(bytes, 0);
      if (taken < bytes.length) return this.writeRest(bytes.slice(taken));
    } catch (error) {
      this.fail(error);
    }
    return undefined;
  }

  /** The hypervisor has closed its end. */
  end(): void {
    if (this.state === "over") return;
    if (this.state !== "committed") {
      this.abort(`${this.name}: QEMU at the source ended the migration before it was complete`);
      return;
    }
    this.flush();
    const mark = this.currentMark();
    this.host.afterAll(() => this.host.send(SessionType.END, this.number, encodeMark(mark)));
    this.finishIfReturned();
  }

  /** Gives this guest up, with a reason for the other side. */
  abort(reason: string): void {
    if (this.state === "over") return;
    this.host.send(SessionType.ABORT, this.number, encodeReason(reason));
    this.finish(this.outcomeOfLoss(reason));
  }

  /** The session is lost. */
  lose(reason: string): void {
    if (this.state !== "over") this.finish(this.outcomeOfLoss(reason));
  }

  returned(bytes: Uint8Array): void {
    if (this.state === "over") return;
    this.returnPath.take(bytes);
    this.listener.returned(bytes);
  }

  returnEnded(): void {
    if (this.state === "over") return;
    this.listener.returnEnded();
    if (this.state !== "committed") {
      this.abort(`${this.name}: QEMU at the target ended the migration before it was complete`);
    } else {
      this.finishIfReturned();
    }
  }

  credited(streamBytes: number): void {
    if (streamBytes > this.takenBytes) throw this.broken(`credit for ${streamBytes} bytes`);
    this.creditedBytes = Math.max(this.creditedBytes, streamBytes);
  }

  /** The target has found a hash. */
  async prepared(mark: StreamMark): Promise<void> {
    if (this.state !== "prepared" || !this.mark) throw this.broken("PREPARED was not asked for");
    if (mark.hash !== this.mark.hash || mark.streamBytes !== this.mark.streamBytes) {
      throw this.broken(`another hash at byte ${this.mark.streamBytes}`);
    }
    await this.listener.commit(mark);
    if (this.isOver) return;
    this.state = "committed";
    this.committedAt = performance.now();
    this.host.send(SessionType.COMMIT, this.number);
  }

  /** Frames of its memory, as far as the stream has told. */
  get frameCount(): number {
    return this.folder.frameCount;
  }

  private fold(bytes: Uint8Array, from: number): number {
    let at = from;
    while (at < bytes.length) {
      this.current ??= this.begin();
      if (!this.current) return at;
      const taken = this.folder.fold(bytes.subarray(at), this.current);
      this.checksum.update(bytes.subarray(at, at + taken));
      this.takenBytes += taken;
      at += taken;
      const event = this.folder.takeEvent();
      if (event !== undefined || at < bytes.length) this.flush();
      if (event === "ramEnd" || event === "package") this.isWithheld = this.state === "streaming";
      const isComplete = event === "end" || event === "packageEnd";
      if (isComplete && this.state === "streaming") this.prepare();
      if (taken === 0 && event === undefined && this.current?.pageCount === 0) {
        throw new Error(`${this.name}: the stream does not go on at byte ${this.takenBytes}`);
      }
    }
    this.armTimers();
    return at;
  }

  private async writeRest(rest: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < rest.length && this.state !== "over"; at = this.fold(rest, at)) {
        await this.host.room();
      }
    } catch (error) {
      this.fail(error);
    }
  }

  private begin(): GuestBatch | undefined {
    if (!this.hasCredit) return undefined;
    const slab = this.host.tryBegin();
    if (!slab) return undefined;
    return {
      ...slab,
      pages: slab.pages.subarray(0, GUEST_BATCH_PAGES * PAGE_BYTES),
      pageCount: 0,
      frames: new Uint32Array(GUEST_BATCH_PAGES),
      script: new ByteWriter(1024),
      streamBytes: 0,
      isWithheld: this.isWithheld,
    };
  }

  private armTimers(): void {
    if (this.current && !this.flushTimer) {
      this.flushTimer = setTimeout(() => this.flush(), FLUSH_MS);
    }
    if (this.state === "streaming" && this.folder.mayEndHere) {
      this.silenceTimer = setTimeout(() => {
        if (this.state !== "streaming") return;
        this.flush();
        this.prepare();
      }, SILENT_END_MS);
    }
  }

  private flush(): void {
    clearTimeout(this.flushTimer);
    this.flushTimer = undefined;
    const batch = this.current;
    this.current = undefined;
    if (!batch) return;
    this.entries.forget(this.folder.takeForgotten());
    if (batch.streamBytes === 0) this.host.forget(batch.slabPtr);
    else this.host.add(this, batch);
  }

  /** Everything that decides was sent: asks the target whether it has the same. */
  private prepare(): void {
    this.state = "prepared";
    const mark = this.currentMark();
    this.mark = mark;
    this.host.afterAll(() => this.host.send(SessionType.PREPARE, this.number, encodeMark(mark)));
  }

  private currentMark(): StreamMark {
    return { streamBytes: this.takenBytes, hash: this.checksum.digest() };
  }

  private outcomeOfLoss(reason: string): GuestOutcome {
    const { name } = this;
    if (this.state !== "committed") return { kind: "failed", name, reason };
    if (this.returnPath.hasSucceeded) return this.success();
    const doubtMs = performance.now() - this.committedAt;
    return { kind: "doubt", name, reason, doubtMs };
  }

  private finishIfReturned(): void {
    if (this.returnPath.hasSucceeded) this.finish(this.success());
  }

  private success(): GuestOutcome {
    return { kind: "migrated", name: this.name, streamBytes: this.takenBytes };
  }

  private fail(error: unknown): void {
    this.abort(error instanceof PagefoldError ? error.message : String((error as Error).stack));
  }

  private finish(outcome: GuestOutcome): void {
    this.state = "over";
    clearTimeout(this.flushTimer);
    clearTimeout(this.silenceTimer);
    if (this.current) this.host.forget(this.current.slabPtr);
    this.current = undefined;
    this.listener.ended(outcome);
  }

  private broken(what: string): PagefoldError {
    return new PagefoldError("CONNECTION", `session: the target says of ${this.name}: ${what}`);
  }
}
