// One guest of a gang at the target: its stream is put together again and goes to the hypervisor
// that waits for it. What decides is withheld until the source has committed.
import { PagefoldError, reasonOf } from "../core/errors.ts";
import type { UnfoldedPages } from "../pipeline/unfold.ts";
import { StreamUnfolder } from "../qemu/unfolder.ts";
import type { RunningChecksum } from "../wire/checksum.ts";
import { SessionType } from "../wire/sessionframe.ts";
import {
  encodeMark,
  encodeReason,
  type SessionBatch,
  type StreamMark,
} from "../wire/sessionheads.ts";
import type { GuestView } from "./guestview.ts";
import type { StreamStage } from "./streamprogress.ts";

/** More than that is not withheld: only the last of it has to be. */
const MAX_WITHHELD_BYTES = 64 << 20;
const NO_PAGES = new Uint8Array(0);

/** Where the stream of a guest goes. */
export interface GuestSink {
  /** Takes the next bytes, which it may keep; resolves when more should come. */
  write(bytes: Uint8Array): Promise<void>;
  /** The stream is complete. */
  end(): void;
  /** There will be no more, and what came is not to be used. */
  abort(reason: string): void;
}

/** What a guest at the target needs from its session. */
export interface GuestAnswers {
  send(type: SessionType, guest: number, head?: Uint8Array): void;
  /** The session cannot go on. */
  fail(error: unknown): void;
  /** Nothing more will happen to the guest; `reason` if it did not get here. */
  over(guest: GuestTarget, reason: string | undefined): void;
}

export class GuestTarget implements GuestView {
  readonly name: string;
  readonly number: number;
  /** Bytes of the stream: put together, and taken over by the sink. */
  streamBytes = 0;
  deliveredBytes = 0;
  wireBytes = 0;
  isCommitted = false;
  /** Only the source sees these. */
  readonly round = 0;
  readonly roundPages = 0;
  readonly frameCount = 0;
  readonly handoverMs = undefined;
  readonly doubtMs = undefined;
  /** Pages that went through the session. */
  pageCount = 0;
  private sink: GuestSink | undefined;
  private readonly answers: GuestAnswers;
  private readonly checksum: RunningChecksum;
  private readonly unfolder: StreamUnfolder;
  private readonly withheld: Uint8Array[] = [];
  private withheldBytes = 0;
  private unfolding: Promise<void> = Promise.resolve();
  private writing: Promise<void> = Promise.resolve();
  private creditedBytes = 0;
  private hasEnded = false;
  private hasReturned = false;
  private isOver = false;

  constructor(
    answers: GuestAnswers,
    setup: { name: string; number: number; checksum: RunningChecksum },
  ) {
    this.answers = answers;
    this.name = setup.name;
    this.number = setup.number;
    this.checksum = setup.checksum;
    this.unfolder = new StreamUnfolder(setup.name);
  }

  /** Says where the stream will go. What comes before waits. */
  connect(sink: Promise<GuestSink>): void {
    this.writing = sink.then(
      (found) => {
        this.sink = found;
        if (this.isOver) found.abort(`${this.name}: the migration was given up`);
      },
      (error) => this.abort(`${this.name}: ${reasonOf(error)}`),
    );
  }

  get phase(): StreamStage {
    if (this.streamBytes === 0) return "waiting";
    return this.withheldBytes > 0 ? "handover" : "memory";
  }

  /** Takes part of the stream; its pages come when they are restored. */
  batch(batch: SessionBatch, pages: Promise<UnfoldedPages> | undefined): void {
    this.inTurn(async () => {
      const restored = await pages;
      try {
        if (!this.isOver) this.unfold(batch, restored?.pages ?? NO_PAGES, restored?.pageCount ?? 0);
      } finally {
        restored?.release();
      }
    });
  }

  /** The source asks whether the stream so far is the same here. */
  prepare(mark: StreamMark): void {
    this.inTurn(async () => {
      if (this.isOver) return;
      const found = { streamBytes: this.streamBytes, hash: this.checksum.digest() };
      if (found.hash === mark.hash && found.streamBytes === mark.streamBytes) {
        this.answers.send(SessionType.PREPARED, this.number, encodeMark(found));
      } else {
        const reason = `byte ${found.streamBytes}: the stream is another one than at the source`;
        this.abort(`${this.name}: ${reason}`);
      }
    });
  }

  commit(): void {
    this.inTurn(async () => {
      this.isCommitted = true;
      for (const bytes of this.withheld.splice(0)) this.deliver(bytes, 0);
    });
  }

  /** The source's stream has ended. */
  end(mark: StreamMark): void {
    this.inTurn(async () => {
      if (!this.isCommitted || mark.hash !== this.checksum.digest()) {
        this.abort(`${this.name}: the stream has ended, but is not complete`);
        return;
      }
      this.writing = this.writing.then(() => {
        this.sink?.end();
        this.hasEnded = true;
        this.finishIfDone();
      });
    });
  }

  /** Bytes of the hypervisor's return path. */
  returned(bytes: Uint8Array): void {
    if (!this.isOver) this.answers.send(SessionType.RETURN, this.number, bytes);
  }

  /** The hypervisor has closed its end. */
  returnEnded(): void {
    if (this.isOver) return;
    this.answers.send(SessionType.END, this.number);
    this.hasReturned = true;
    this.finishIfDone();
  }

  /** Gives the guest up and tells the source. */
  abort(reason: string): void {
    if (this.isOver) return;
    this.answers.send(SessionType.ABORT, this.number, encodeReason(reason));
    this.lose(reason);
  }

  /** The source has given the guest up, or is lost. What was released cannot be taken back. */
  lose(reason: string): void {
    if (this.isOver) return;
    this.isOver = true;
    this.withheld.length = 0;
    if (this.isCommitted) this.writing = this.writing.then(() => this.sink?.end());
    else this.sink?.abort(reason);
    this.answers.over(this, this.isCommitted ? undefined : reason);
  }

  private inTurn(action: () => Promise<void>): void {
    this.unfolding = this.unfolding.then(action).catch((error) => this.answers.fail(error));
  }

  private unfold(batch: SessionBatch, pages: Uint8Array, pageCount: number): void {
    const bytes = Buffer.allocUnsafeSlow(batch.streamBytes);
    const length = this.unfolder.unfold(batch.script, pages, pageCount, bytes);
    if (length !== bytes.length) {
      const reason = `a batch of ${bytes.length} bytes has ${length}`;
      throw new PagefoldError("DAMAGED", `session: ${this.name}: ${reason}`);
    }
    this.streamBytes += length;
    this.pageCount += pageCount;
    this.checksum.update(bytes);
    if (batch.isWithheld && !this.isCommitted) this.withhold(bytes);
    else this.deliver(bytes);
  }

  private withhold(bytes: Uint8Array): void {
    this.withheld.push(bytes);
    this.withheldBytes += bytes.length;
    // The source may go on meanwhile: what is withheld does not wait for the hypervisor.
    this.credit(bytes.length);
    while (this.withheldBytes > MAX_WITHHELD_BYTES) {
      const first = this.withheld.shift() as Uint8Array;
      this.withheldBytes -= first.length;
      this.deliver(first, 0);
    }
  }

  private deliver(bytes: Uint8Array, creditBytes = bytes.length): void {
    this.writing = this.writing.then(async () => {
      try {
        if (!this.isOver || this.isCommitted) await this.sink?.write(bytes);
      } catch (error) {
        this.abort(`${this.name}: QEMU at the target: ${reasonOf(error)}`);
      }
      this.deliveredBytes += bytes.length;
      if (!this.isOver && creditBytes > 0) this.credit(creditBytes);
    });
  }

  private credit(byteLength: number): void {
    this.creditedBytes += byteLength;
    const mark = encodeMark({ streamBytes: this.creditedBytes, hash: 0n });
    this.answers.send(SessionType.CREDIT, this.number, mark);
  }

  private finishIfDone(): void {
    if (this.isOver || !this.hasEnded || !this.hasReturned) return;
    this.isOver = true;
    this.answers.over(this, undefined);
  }
}
