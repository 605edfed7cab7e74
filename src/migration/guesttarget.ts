// One guest of a gang at the target: its stream is put together again and goes to the hypervisor
// that waits for it. What decides is withheld until the source has committed.
import { PagefoldError } from "../core/errors.ts";
import { MAX_SESSION_STREAM_BYTES } from "../core/limits.ts";
import type { UnfoldedPages } from "../pipeline/unfold.ts";
import type { AbsentPages } from "../qemu/absentpages.ts";
import { SessionType } from "../wire/sessionframe.ts";
import {
  encodeMark,
  encodeReason,
  type SessionBatch,
  type StreamMark,
} from "../wire/sessionheads.ts";
import { GuestDelivery, type GuestSink } from "./guestdelivery.ts";
import { GuestStream } from "./gueststream.ts";
import type { GuestView } from "./guestview.ts";
import type { StreamStage } from "./streamprogress.ts";
import type { GuestAnswers, GuestTargetSetup } from "./targethost.ts";
import { PagesInTurn } from "./turnpages.ts";

/** Bytes of a return path that go into one record. */
const RETURN_BYTES = 64 << 10;

export class GuestTarget implements GuestView {
  readonly name: string;
  readonly number: number;
  wireBytes = 0;
  /** Whether the source says nothing more of it: another migration of the guest may follow. */
  isLeft = false;
  /** Only the source sees these. */
  readonly round = 0;
  readonly roundPages = 0;
  readonly frameCount = 0;
  readonly handoverMs = undefined;
  readonly doubtMs = undefined;
  private readonly answers: GuestAnswers;
  private readonly stream: GuestStream;
  private readonly delivery: GuestDelivery;
  private readonly pages = new PagesInTurn();
  private unfolding: Promise<void> = Promise.resolve();
  private readonly creditLimit: number;
  private receivedBytes = 0;
  private creditedBytes = 0;
  private isPrepared = false;
  private hasEnded = false;
  /** Whether END or ABORT was sent. */
  private hasSaidLast = false;
  private isOver = false;

  constructor(answers: GuestAnswers, setup: GuestTargetSetup) {
    this.answers = answers;
    this.name = setup.name;
    this.number = setup.number;
    this.creditLimit = setup.creditBytes;
    this.stream = new GuestStream(setup);
    this.delivery = new GuestDelivery({
      delivered: (bytes) => setup.room.give(bytes),
      taken: (streamBytes) => this.credit(streamBytes),
      failed: (reason) => this.abort(`${this.name}: ${reason}`),
    });
  }

  /** Says where the stream will go. What comes before waits. */
  connect(sink: Promise<GuestSink>): void {
    this.delivery.connect(sink);
  }

  get streamBytes(): number {
    return this.stream.streamBytes;
  }

  get pageCount(): number {
    return this.stream.pageCount;
  }

  get phase(): StreamStage {
    if (this.streamBytes === 0) return "waiting";
    return this.delivery.withheldBytes > 0 ? "handover" : "memory";
  }

  /** Takes part of the stream; its pages come when they are restored, but for those absent. */
  batch(
    batch: SessionBatch,
    pages: Promise<UnfoldedPages> | undefined,
    absent: AbsentPages | undefined,
  ): void {
    if (!this.isOver) this.receivedBytes += batch.streamBytes;
    const aheadBytes = this.receivedBytes - this.creditedBytes;
    if (aheadBytes > this.creditLimit + MAX_SESSION_STREAM_BYTES) {
      const fault = `${aheadBytes} bytes are under way, ${this.creditLimit} were agreed`;
      this.answers.fail(new PagefoldError("CONNECTION", `session: ${this.name}: ${fault}`));
    }
    if (absent) this.stream.expect(absent);
    const restored = pages && this.pages.add(pages);
    this.inTurn(async () => {
      const held = await restored;
      try {
        const missing = batch.settles && !this.isOver ? this.stream.unsettled(absent) : [];
        if (missing.length > 0) {
          const urge = (): void => this.answers.urge(missing);
          await this.pages.wait(() => this.stream.settled(missing, urge));
        }
        if (this.isOver) return;
        for (const part of this.stream.unfold(batch, held?.pages, absent)) {
          this.delivery.take(part.bytes, batch.isWithheld, part.streamBytes);
        }
        this.answers.cancel(this.stream.takeDropped());
      } finally {
        if (held) this.pages.release(held);
      }
    });
  }

  /** The content of a name has come, valid during the call; its hash stands in `words` at `at`. */
  arrived(name: number, page: Uint8Array, words: Uint32Array, at: number): void {
    if (!this.isOver) this.stream.arrived(name, page, words, at);
  }

  /** The source asks whether the stream so far is the same here. */
  prepare(mark: StreamMark): void {
    this.inTurn(async () => {
      if (this.isOver) return;
      const found = { streamBytes: this.streamBytes, hash: this.stream.hash };
      if (found.hash === mark.hash && found.streamBytes === mark.streamBytes) {
        // A hypervisor that fails before must not be found out behind COMMIT. Other guests need
        // the slabs of later turns: so this one does not wait.
        void this.delivery.delivered.then(() => this.prepared(found));
      } else {
        const reason = `byte ${found.streamBytes}: the stream is another one than at the source`;
        this.abort(`${this.name}: ${reason}`);
      }
    });
  }

  private prepared(found: StreamMark): void {
    if (this.isOver) return;
    this.isPrepared = true;
    void this.say(SessionType.PREPARED, encodeMark(found));
  }

  /** What was withheld is released. */
  commit(): void {
    this.inTurn(async () => {
      if (this.isOver) return;
      if (!this.isPrepared) {
        throw new PagefoldError("CONNECTION", `session: ${this.name}: COMMIT before PREPARED`);
      }
      this.delivery.release();
    });
  }

  /** The source's stream has ended. */
  end(mark: StreamMark): void {
    this.isLeft = true;
    this.inTurn(async () => {
      if (this.isOver) return;
      if (!this.delivery.isReleased || mark.hash !== this.stream.hash) {
        this.abort(`${this.name}: the stream has ended, but is not complete`);
        return;
      }
      void this.delivery.end().then(() => {
        this.hasEnded = true;
        if (this.hasSaidLast) this.finish();
      });
    });
  }

  /** The source has given it up. */
  aborted(reason: string): void {
    this.isLeft = true;
    this.lose(reason);
    this.sayLast(SessionType.ABORT, encodeReason(reason));
  }

  /**
   * The source has said all: resolves when its stream has been delivered, as far as it came. What
   * its hypervisor may have to say is not waited for.
   */
  async settle(): Promise<void> {
    await this.unfolding;
    if (this.isOver) return;
    await this.delivery.end();
    this.finish();
  }

  /** Bytes of the hypervisor's return path; resolves when more should come. */
  async returned(bytes: Uint8Array): Promise<void> {
    let said: Promise<void> | undefined;
    for (let at = 0; at < bytes.length; at += RETURN_BYTES) {
      said = this.say(SessionType.RETURN, bytes.subarray(at, at + RETURN_BYTES));
    }
    await said;
  }

  /** The hypervisor has closed its end. */
  returnEnded(): void {
    this.sayLast(SessionType.END);
    if (this.hasEnded) this.finish();
  }

  /** Gives the guest up and tells the source. */
  abort(reason: string): void {
    if (this.isOver) return;
    this.sayLast(SessionType.ABORT, encodeReason(reason));
    this.lose(reason);
  }

  /** The source has given the guest up, or is lost. What was released cannot be taken back. */
  lose(reason: string): void {
    if (this.isOver) return;
    if (this.delivery.isReleased) {
      void this.delivery.end();
      this.finish();
    } else {
      this.delivery.abort(reason);
      this.finish(reason);
    }
  }

  /** Resolves when its hypervisor has what was released, which a lost session does not change. */
  handedOver(): Promise<void> {
    return this.delivery.handedOver();
  }

  private finish(reason?: string): void {
    if (this.isOver) return;
    this.isOver = true;
    this.stream.giveUp();
    this.answers.over(this, reason);
  }

  private async say(type: SessionType, head?: Uint8Array): Promise<void> {
    if (!this.hasSaidLast) await this.answers.send(type, this.number, head);
  }

  private sayLast(type: SessionType, head?: Uint8Array): void {
    void this.say(type, head);
    this.hasSaidLast = true;
  }

  private inTurn(action: () => Promise<void>): void {
    this.unfolding = this.unfolding.then(action).catch((error) => this.answers.fail(error));
  }

  private credit(streamBytes: number): void {
    if (this.isOver || streamBytes <= this.creditedBytes) return;
    this.creditedBytes = streamBytes;
    void this.say(SessionType.CREDIT, encodeMark({ streamBytes, hash: 0n }));
  }
}
