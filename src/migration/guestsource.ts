// One guest of a gang at the source: what is said with the target about it, from the first byte of
// its stream to the answer of the QEMU at the target. What follows the last memory is sent to be
// withheld until both sides have found the same hash and the source has committed.
import { PagefoldError } from "../core/errors.ts";
import { ReturnPath } from "../qemu/returnpath.ts";
import { SessionType } from "../wire/sessionframe.ts";
import { encodeMark, encodeReason, type StreamMark } from "../wire/sessionheads.ts";
import type { GuestHost, GuestListener } from "./guesthost.ts";
import { GuestIntake, type GuestSetup, type StreamEvent } from "./guestintake.ts";
import type { GuestView } from "./guestview.ts";
import type { GuestOutcome } from "./outcome.ts";
import type { StreamStage } from "./streamprogress.ts";

/** More of a return path does not wait for the hypervisor: it never has that much to say. */
const MAX_RETURN_BYTES = 16 << 20;

type State = "streaming" | "prepared" | "committed" | "over";

export class GuestSource implements GuestView {
  private readonly host: GuestHost;
  private readonly listener: GuestListener;
  private readonly intake: GuestIntake;
  private readonly returnPath = new ReturnPath();
  private state: State = "streaming";
  private prepareMark: StreamMark | undefined;
  /** Whether END or ABORT was sent: nothing may follow. */
  private hasSaidLast = false;
  /** Bytes of the return path that have not been taken. */
  private returnBytes = 0;
  private release: () => void = () => undefined;
  /** Resolves when the target says nothing more of it. */
  readonly released = new Promise<void>((resolve) => {
    this.release = resolve;
  });

  constructor(host: GuestHost, listener: GuestListener, setup: GuestSetup) {
    this.host = host;
    this.listener = listener;
    this.intake = new GuestIntake(
      host,
      {
        event: (event) => this.streamEvent(event),
        silent: () => this.prepare(),
        failed: (error) => this.fail(error),
      },
      setup,
    );
  }

  get name(): string {
    return this.intake.name;
  }

  get isOver(): boolean {
    return this.state === "over";
  }

  get phase(): StreamStage {
    return this.intake.progress.stage;
  }

  get round(): number {
    return this.intake.progress.round;
  }

  get roundPages(): number {
    return this.intake.progress.roundPages;
  }

  get pageCount(): number {
    return this.intake.progress.pageCount;
  }

  get frameCount(): number {
    return this.intake.frameCount;
  }

  get streamBytes(): number {
    return this.intake.takenBytes;
  }

  get wireBytes(): number {
    return this.intake.wireBytes;
  }

  get handoverMs(): number | undefined {
    return this.intake.progress.handoverMs;
  }

  get doubtMs(): number | undefined {
    return this.intake.progress.doubtMs;
  }

  /**
   * Takes the next bytes of the stream, valid during the call. Undefined: go on; otherwise nothing
   * more may be given before the promise resolves. It never rejects: `ended` tells of failures.
   */
  write(bytes: Uint8Array): Promise<void> | undefined {
    return this.isOver ? undefined : this.intake.write(bytes);
  }

  /** Sends on what has come; resolves when the target has got rid of it, or the guest is over. */
  async taken(): Promise<void> {
    this.intake.flush();
    while (!this.isOver && !this.intake.isTaken) await this.host.room();
  }

  /** The hypervisor has closed its end. */
  end(): void {
    if (this.isOver || this.hasSaidLast) return;
    if (this.state !== "committed") {
      this.abort(`${this.name}: QEMU at the source ended the migration before it was complete`);
      return;
    }
    this.intake.flush();
    const mark = this.intake.mark();
    this.sayLast(SessionType.END, () => encodeMark(mark()));
    this.finishIfDone();
  }

  /** Gives this guest up, with a reason for the other side. */
  abort(reason: string): void {
    if (!this.isOver) this.finish(this.outcomeOfLoss(reason), reason);
  }

  /** The target has given it up, or the session is over. */
  lose(reason: string): void {
    this.release();
    this.abort(reason);
  }

  returned(bytes: Uint8Array): void {
    if (this.isOver) return;
    this.returnPath.take(bytes);
    if (this.returnPath.hasSucceeded) this.intake.progress.answered();
    this.returnBytes += bytes.length;
    if (this.returnBytes > MAX_RETURN_BYTES) throw this.broken("more than its QEMU takes");
    const taken = (): void => {
      this.returnBytes -= bytes.length;
    };
    Promise.resolve(this.listener.returned(bytes)).then(taken, taken);
    this.finishIfDone();
  }

  /** The QEMU at the target has closed its end. */
  returnEnded(): void {
    this.release();
    if (this.isOver) return;
    this.listener.returnEnded();
    if (this.state !== "committed") {
      this.abort(`${this.name}: QEMU at the target ended the migration before it was complete`);
    } else if (!this.returnPath.hasSucceeded) {
      this.abort(`${this.name}: QEMU at the target has closed its socket without an answer`);
    }
  }

  credited(streamBytes: number): void {
    if (streamBytes > this.intake.addedBytes) throw this.broken(`credit for ${streamBytes} bytes`);
    this.intake.creditedBytes = Math.max(this.intake.creditedBytes, streamBytes);
  }

  /** The target has found a hash. */
  async prepared(mark: StreamMark): Promise<void> {
    if (this.isOver) return;
    const expected = this.prepareMark;
    if (this.state !== "prepared" || !expected) throw this.broken("PREPARED was not asked for");
    this.prepareMark = undefined;
    if (mark.hash !== expected.hash || mark.streamBytes !== expected.streamBytes) {
      throw this.broken(`another hash at byte ${expected.streamBytes}`);
    }
    try {
      await this.listener.commit(mark);
    } catch (error) {
      this.fail(error);
    }
    if (this.isOver) return;
    this.state = "committed";
    this.intake.progress.committed();
    this.host.send(SessionType.COMMIT, this.intake.number);
  }

  private streamEvent(event: StreamEvent): void {
    if (event === "ramEnd" || event === "package") {
      this.intake.isWithheld = this.state === "streaming";
      this.intake.progress.ramEnded(event === "package" ? "postcopy" : "handover");
    } else if (event === "end" || event === "packageEnd") {
      this.prepare();
    }
  }

  /** Everything that decides was sent: asks the target whether it has the same. */
  private prepare(): void {
    if (this.state !== "streaming") return;
    this.state = "prepared";
    const mark = this.intake.mark();
    this.host.afterAll(() => {
      this.prepareMark = mark();
      const head = encodeMark(this.prepareMark);
      this.host.send(SessionType.PREPARE, this.intake.number, head);
    });
  }

  private outcomeOfLoss(reason: string): GuestOutcome {
    const { name, returnPath } = this;
    if (this.state !== "committed") return { kind: "failed", name, reason };
    if (returnPath.hasSucceeded) return this.success();
    // In post-copy it ran there before it failed.
    if (returnPath.shutValue !== undefined && this.phase !== "postcopy") {
      const answer = `QEMU at the target could not load it and answered ${returnPath.shutValue}`;
      return { kind: "failed", name, reason: `${name}: ${answer}` };
    }
    return { kind: "doubt", name, reason, doubtMs: this.doubtMs ?? 0 };
  }

  private success(): GuestOutcome {
    return { kind: "migrated", name: this.name, streamBytes: this.intake.takenBytes };
  }

  private fail(error: unknown): void {
    if (error instanceof PagefoldError) this.abort(error.message);
    else this.abort(`${this.name}: ${error instanceof Error ? error.stack : error}`);
  }

  private finishIfDone(): void {
    const hasEnded = this.state === "committed" && this.hasSaidLast;
    if (hasEnded && this.returnPath.hasSucceeded) this.finish(this.success(), "");
  }

  private finish(outcome: GuestOutcome, reason: string): void {
    this.state = "over";
    this.intake.close();
    // Whoever waits for room to write must not wait for other guests' sake.
    this.host.wake();
    if (!this.hasSaidLast) this.sayLast(SessionType.ABORT, () => encodeReason(reason));
    this.listener.ended(outcome);
  }

  /** Behind all of its batches, so that another migration of the guest may follow. */
  private sayLast(type: SessionType, head: () => Uint8Array): void {
    this.hasSaidLast = true;
    this.host.afterAll(() => this.host.send(type, this.intake.number, head()));
  }

  private broken(what: string): PagefoldError {
    return new PagefoldError("CONNECTION", `session: the target says of ${this.name}: ${what}`);
  }
}
