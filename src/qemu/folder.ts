// Takes the migration stream of one guest apart: page contents go into the pages of a batch, all
// else into its script (script.ts), from which StreamUnfolder makes the same bytes again. It works
// through pieces of any size and holds no more than a cut page. It decides nothing about pages.
import type { ByteWriter } from "../core/bytes.ts";
import { type RamBlock, RamBlocks } from "./blocks.ts";
import { DescriptionScanner } from "./description.ts";
import { StreamPlace } from "./place.ts";
import { type PageTarget, RamRecords } from "./ramrecords.ts";
import { ScriptWriter } from "./script.ts";
import { Sections } from "./sections.ts";
import { SentFrames } from "./sentframes.ts";
import type { StreamEvent, StreamPhase, Want } from "./wants.ts";

/** What one batch of a guest's stream is made of. */
export interface FoldTarget extends PageTarget {
  /** Where page contents go, one after another; its length is the capacity in pages × 4096. */
  readonly pages: Uint8Array;
  /** Pages that are there. */
  pageCount: number;
  /** For each page its frame; the frames of all RAM blocks are numbered one after another. */
  readonly frames: Uint32Array;
  /** Steps are appended. */
  readonly script: ByteWriter;
  /** Bytes of the stream that script and pages stand for. */
  streamBytes: number;
  /** Set when the script holds a step before which nothing may be put off any more. */
  settles?: boolean;
}

export interface FolderOptions {
  /** Whether a stream that opens no return path is refused. Default: true. */
  isReturnPathRequired?: boolean;
  /** Whether scripts mark the ends of the parts of RAM, for version 2. Default: false. */
  marksRam?: boolean;
}

/** The longest thing that is asked for in one piece: a command's head, a name. */
const HELD_BYTES = 512;
/** What a batch may stand for beside its pages, headers and zeros above all. */
const BESIDE_PAGES_BYTES = 256 << 10;
const NOTHING = new Uint8Array(0);

export class StreamFolder {
  private readonly place: StreamPlace;
  private readonly ramBlocks: RamBlocks;
  private readonly sent = new SentFrames();
  private readonly script = new ScriptWriter();
  private readonly records: RamRecords;
  private readonly sections: Sections;
  private readonly marksRam: boolean;
  private readonly steps: Generator<Want, void, Uint8Array>;
  private readonly scanner = new DescriptionScanner();
  private want: Want = { kind: "pass", count: 0 };
  /** Bytes of `need` and `more` that are not in a script yet. */
  private readonly held = new Uint8Array(HELD_BYTES);
  private heldLength = 0;
  private heldGoal = 0;
  private passLeft = 0;
  private event: StreamEvent | undefined;
  /** Whether the event that is wanted was raised. */
  private isStopped = false;

  /** `name` is the guest's, for messages. */
  constructor(name: string, options: FolderOptions = {}) {
    this.place = new StreamPlace(name);
    this.ramBlocks = new RamBlocks(this.place);
    this.records = new RamRecords(this.place, this.ramBlocks, this.sent, this.script);
    const { isReturnPathRequired = true, marksRam = false } = options;
    this.marksRam = marksRam;
    this.sections = new Sections({
      place: this.place,
      blocks: this.ramBlocks,
      isReturnPathRequired,
      isEndRequired: marksRam,
    });
    this.steps = this.sections.follow();
  }

  /** RAM blocks in the order of the stream; empty before it has listed them. */
  get blocks(): readonly RamBlock[] {
    return this.ramBlocks.list;
  }

  /** Frames of all blocks. */
  get frameCount(): number {
    return this.ramBlocks.frameCount;
  }

  get phase(): StreamPhase {
    return this.sections.phase;
  }

  /** Whether the guest may go over to post-copy: it may ask for any page at any time then. */
  get isPostcopyAdvised(): boolean {
    return this.sections.isPostcopyAdvised;
  }

  /**
   * Takes bytes until they end, the batch is full (pages, a script of 64 KiB, or 256 KiB of the
   * stream more than pages), or an event occurs; returns how many it took. The last record may
   * exceed these limits by its length, 64 KiB at most. Every batch is complete in itself: the
   * target may be exchanged after each call. Throws FORMAT for what is not supported and DAMAGED
   * for what QEMU does not write; the guest's stream cannot be gone on with then.
   */
  fold(bytes: Uint8Array, target: FoldTarget): number {
    const { script } = this;
    script.into(target.script, target.pages.length + BESIDE_PAGES_BYTES - target.streamBytes);
    let at = 0;
    while (this.event === undefined) {
      const before = at;
      const { want } = this;
      if (script.room <= 0) break;
      if (want.kind === "need" || want.kind === "more") at = this.collect(bytes, at);
      else if (want.kind === "pass") at = this.pass(bytes, at);
      else if (want.kind === "ram") at = this.takeRam(bytes, at, target);
      else if (want.kind === "devices") at = this.takeDevices(bytes, at);
      else this.stop(want.event, at < bytes.length);
      if (at === before && this.want === want) break;
    }
    script.flush();
    target.streamBytes += script.takeStreamBytes();
    if (script.takeSettles()) target.settles = true;
    this.place.taken += at;
    return at;
  }

  /** The event that stopped `fold`, once. */
  takeEvent(): StreamEvent | undefined {
    const { event } = this;
    this.event = undefined;
    return event;
  }

  /**
   * Frames that were sent as a page earlier and have other content since (zero, XBZRLE): to be
   * applied after the pages of the batch. Only those since the last call.
   */
  takeForgotten(): number[] {
    return this.sent.takeForgotten();
  }

  /**
   * Whether the stream may end with the last byte although no description came: machine types can
   * do without, and then only silence tells the end.
   */
  get mayEndHere(): boolean {
    return this.phase === "device" && this.scanner.isAtMark;
  }

  /** Says that a stream that may end here has ended. */
  endHere(): void {
    if (!this.mayEndHere) this.place.fail("it ended in the middle");
    this.sections.phase = "ended";
  }

  private collect(bytes: Uint8Array, from: number): number {
    const to = Math.min(from + this.heldGoal - this.heldLength, bytes.length);
    this.held.set(bytes.subarray(from, to), this.heldLength);
    this.heldLength += to - from;
    if (this.heldLength === this.heldGoal) this.advance(this.held.subarray(0, this.heldLength));
    return to;
  }

  private pass(bytes: Uint8Array, from: number): number {
    const to = Math.min(from + this.passLeft, this.opaqueEnd(bytes, from));
    this.script.verbatim(bytes, from, to);
    this.passLeft -= to - from;
    if (this.passLeft === 0) this.advance();
    return to;
  }

  private takeRam(bytes: Uint8Array, from: number, target: FoldTarget): number {
    const to = this.records.take(bytes, from, target);
    if (this.records.isEnded) this.advance();
    return to;
  }

  private takeDevices(bytes: Uint8Array, from: number): number {
    const to = this.opaqueEnd(bytes, from);
    if (to === from) return from;
    this.sections.phase = "device";
    this.script.verbatim(bytes, from, to);
    this.scanner.take(bytes, from, to);
    if (to === bytes.length && this.scanner.isAtEnd) {
      this.sections.phase = "ended";
      this.event = "end";
    }
    return to;
  }

  /** How far bytes may be passed before the batch is full. */
  private opaqueEnd(bytes: Uint8Array, from: number): number {
    return Math.min(bytes.length, from + this.script.room);
  }

  /** Goes on behind an event only when there is something to go on with. */
  private stop(event: StreamEvent, hasMore: boolean): void {
    if (!this.isStopped) {
      this.event = event;
      this.isStopped = true;
    } else if (hasMore) {
      this.isStopped = false;
      this.advance();
    }
  }

  /** Gives the sections what they wanted and learns what they want next. */
  private advance(given: Uint8Array = NOTHING): void {
    const { value, done } = this.steps.next(given);
    if (done) throw new Error(`${this.place.guest}: folded on behind an error`);
    this.want = value;
    const isHeld = value.kind === "more" || (value.kind === "event" && value.isHeld);
    if (!isHeld) {
      this.script.verbatim(this.held, 0, this.heldLength);
      this.heldLength = 0;
    }
    if (value.kind === "need" || value.kind === "more") {
      this.heldGoal = this.heldLength + value.count;
    } else if (value.kind === "pass") this.passLeft = value.count;
    else if (value.kind === "ram" && this.marksRam) {
      this.records.endMark = value.isLast ? "last" : "part";
    }
  }
}
