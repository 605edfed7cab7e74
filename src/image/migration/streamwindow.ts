// A window on a stream that is taken apart forwards: bytes in one piece, how far the parser has
// come, and how much of that was given away as parts. It asks for more by a word, so that parsers
// are plain generators and the stream may come in pieces of any size.
import type { PieceReader } from "../../core/piecereader.ts";
import type { Part } from "../woven.ts";

/** A part, or the wish for more bytes. */
export type Step = Part | "more";

export class StreamWindow {
  /** What was passed may be moved about in here before it is given away. */
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Everything before was given away. */
  start = 0;
  /** Where the parser is. */
  at = 0;
  /** Bytes that are there. */
  end = 0;
  /** Whether nothing comes behind `end`. */
  isLast = false;

  constructor(byteLength: number) {
    this.bytes = new Uint8Array(byteLength);
    this.view = new DataView(this.bytes.buffer);
  }

  get left(): number {
    return this.end - this.at;
  }

  /** Answers "more". Views of the window are void then. */
  async fill(reader: PieceReader): Promise<void> {
    this.bytes.copyWithin(0, this.start, this.end);
    this.end -= this.start;
    this.at -= this.start;
    this.start = 0;
    const room = this.bytes.subarray(this.end);
    const there = await reader.takeInto(room);
    this.end += there;
    if (there < room.length) this.isLast = true;
  }

  /** Whether the stream has so many bytes more; then they are there, all that are left if not. */
  *need(count: number): Generator<Step, boolean> {
    while (this.left < count && !this.isLast) {
      yield* this.give();
      yield "more";
    }
    return this.left >= count;
  }

  /** Passes so many bytes, or those that are left. */
  *pass(count: number): Generator<Step> {
    for (let left = count; left > 0; ) {
      if (!(yield* this.need(1))) return;
      const passed = Math.min(left, this.left);
      this.at += passed;
      left -= passed;
    }
  }

  /** Gives away what was passed, as it stands. */
  *give(): Generator<Step> {
    if (this.start < this.at) yield { kind: "literal", bytes: this.take() };
  }

  /** What was passed and not given away; it is, with this. */
  take(): Uint8Array {
    const taken = this.bytes.subarray(this.start, this.at);
    this.start = this.at;
    return taken;
  }
}
