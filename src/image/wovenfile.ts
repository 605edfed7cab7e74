// The file of a woven image, read from the content of the image: any bytes of it, at its best from
// the beginning to the end. Nothing of it is kept but where operations begin, now and then.
import { PagefoldError } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { WeaveOp } from "../wire/weave.ts";
import {
  beginWeave,
  decodeWeaveTrailer,
  MAX_WEAVE_OP_BYTES,
  MAX_WEAVE_TRAILER_BYTES,
  readWeaveOp,
  type WeavePlace,
  type WeaveState,
  type WeaveStep,
} from "../wire/weaveops.ts";

/** Fills `into` from the content of an image; there are as many bytes. */
export type ReadContent = (byteOffset: number, into: Uint8Array) => Promise<void>;

/** Compresses pages as another program does, and as its release, if that matters (weave.ts). */
export type Recompress = (
  codec: "zlib" | "snappy",
  pages: Uint8Array,
  pageBytes: number,
  release?: number,
) => { bytes: Uint8Array; lengths: ArrayLike<number> };

/** Bytes of operations that are read at a time. */
const WINDOW_BYTES = 1 << 16;
/** Operations between two places from which reading can begin. */
const STATE_EVERY = 256;
/** Pages that are put behind their counts at a time. */
const COUNTED_PAGES = 256;
const COUNTED_BYTES = 8 + PAGE_BYTES;

export class WovenFile {
  readonly byteLength: number;
  private readonly last: Layer;
  /** Reads follow one another: they share what was read last. */
  private running: Promise<void> = Promise.resolve();

  private constructor(last: Layer, byteLength: number) {
    this.last = last;
    this.byteLength = byteLength;
  }

  /** `name` is for messages. DAMAGED when the content is not that of a woven image. */
  static async open(
    read: ReadContent,
    contentBytes: number,
    name: string,
    recompress: Recompress,
  ): Promise<WovenFile> {
    const tail = new Uint8Array(Math.min(contentBytes, MAX_WEAVE_TRAILER_BYTES));
    await read(contentBytes - tail.length, tail);
    const places = decodeWeaveTrailer(tail, contentBytes, name);
    let source = read;
    let layer: Layer | undefined;
    for (const place of places) {
      const made = new Layer(read, source, place, name, recompress);
      source = (offset, into) => made.read(offset, into);
      layer = made;
    }
    return new WovenFile(layer as Layer, places[places.length - 1].madeBytes);
  }

  /** Fills `into` with the bytes from `byteOffset` on, which are all inside of the file. */
  async read(byteOffset: number, into: Uint8Array): Promise<void> {
    const before = this.running;
    const reading = before.then(() => this.last.read(byteOffset, into));
    this.running = reading.catch(() => undefined);
    await reading;
  }
}

class Layer {
  private readonly content: ReadContent;
  private readonly source: ReadContent;
  private readonly place: WeavePlace;
  private readonly name: string;
  private readonly recompress: Recompress;
  private readonly states: WeaveState[] = [beginWeave()];
  private steps = 0;
  private step: WeaveStep | undefined;
  private next: WeaveState = beginWeave();
  private window = new Uint8Array(0);
  private windowOffset = 0;
  private counted = new Uint8Array(0);
  /** What the step makes, where it is compressed. */
  private compressed: { step: WeaveStep; bytes: Uint8Array } | undefined;

  constructor(
    content: ReadContent,
    source: ReadContent,
    place: WeavePlace,
    name: string,
    recompress: Recompress,
  ) {
    this.content = content;
    this.source = source;
    this.place = place;
    this.name = name;
    this.recompress = recompress;
  }

  async read(byteOffset: number, into: Uint8Array): Promise<void> {
    for (let done = 0; done < into.length; ) {
      const step = await this.stepAt(byteOffset + done);
      const skip = byteOffset + done - step.made;
      const part = into.subarray(done, done + step.madeBytes - skip);
      await this.fill(step, skip, part);
      done += part.length;
    }
  }

  /** The operation that makes the byte at `offset`. */
  private async stepAt(offset: number): Promise<WeaveStep> {
    if (this.step === undefined || offset < this.step.made) this.goBefore(offset);
    else if (offset >= this.next.made) this.goBefore(offset, this.next.made);
    for (;;) {
      if (this.step && offset >= this.step.made && offset < this.next.made) return this.step;
      await this.advance();
    }
  }

  /** Goes to the last known operation that begins at `offset` or before, but behind `least`. */
  private goBefore(offset: number, least = -1): void {
    let low = 0;
    let high = this.states.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.states[middle].made <= offset) low = middle;
      else high = middle - 1;
    }
    if (this.states[low].made <= least) return;
    this.next = this.states[low];
    this.steps = low * STATE_EVERY;
    this.step = undefined;
  }

  private async advance(): Promise<void> {
    const { place, name } = this;
    const { op } = this.next;
    if (op >= place.opBytes) {
      const reason = `its operations make ${this.next.made} bytes of ${place.madeBytes}`;
      throw new PagefoldError("DAMAGED", `${name}: ${reason}`);
    }
    const wanted = Math.min(MAX_WEAVE_OP_BYTES, place.opBytes - op);
    const end = this.windowOffset + this.window.length;
    if (op < this.windowOffset || op + wanted > end) {
      // It counts only once it is read: whoever asks again after a failure reads it anew.
      const window = new Uint8Array(Math.min(WINDOW_BYTES, place.opBytes - op));
      await this.content(place.opsOffset + op, window);
      this.window = window;
      this.windowOffset = op;
    }
    const window = this.window.subarray(op - this.windowOffset);
    const { step, next } = readWeaveOp(window, this.next, place, name);
    this.step = step;
    this.next = next;
    this.steps++;
    if (this.steps % STATE_EVERY === 0 && this.steps / STATE_EVERY === this.states.length) {
      this.states.push(next);
    }
  }

  /** Fills `into` with bytes of what an operation makes, from `skip` on. */
  private async fill(step: WeaveStep, skip: number, into: Uint8Array): Promise<void> {
    switch (step.kind) {
      case WeaveOp.LITERAL:
        return this.content(this.place.literalsOffset + step.literal + skip, into);
      case WeaveOp.COPY:
        return this.source(step.source + skip, into);
      case WeaveOp.COUNTED:
        return this.fillCounted(step, skip, into);
      case WeaveOp.COUNTED_ZEROS:
        return fillZeros(step, skip, into);
      case WeaveOp.ROWS:
        into.set(step.rows.subarray(skip, skip + into.length));
        return;
      default:
        return this.fillCompressed(step, skip, into);
    }
  }

  private async fillCounted(step: WeaveStep, skip: number, into: Uint8Array): Promise<void> {
    for (let done = 0; done < into.length; ) {
      const first = Math.floor((skip + done) / COUNTED_BYTES);
      const wanted = Math.ceil((skip + into.length) / COUNTED_BYTES) - first;
      const pageCount = Math.min(COUNTED_PAGES, wanted);
      if (this.counted.length === 0) this.counted = new Uint8Array(COUNTED_PAGES * COUNTED_BYTES);
      // The pages are read where they end up, the last one first moved to its place.
      const bytes = this.counted.subarray(0, pageCount * COUNTED_BYTES);
      const pages = bytes.subarray(0, pageCount * PAGE_BYTES);
      await this.source(step.source + first * PAGE_BYTES, pages);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      for (let i = pageCount - 1; i >= 0; i--) {
        bytes.copyWithin(i * COUNTED_BYTES + 8, i * PAGE_BYTES, (i + 1) * PAGE_BYTES);
        setCount(view, i * COUNTED_BYTES, step.count + (first + i) * PAGE_BYTES);
      }
      const part = bytes.subarray(skip + done - first * COUNTED_BYTES);
      const taken = part.subarray(0, into.length - done);
      into.set(taken, done);
      done += taken.length;
    }
  }

  private async fillCompressed(step: WeaveStep, skip: number, into: Uint8Array): Promise<void> {
    if (this.compressed?.step !== step) {
      const pages = new Uint8Array(step.length * step.pageBytes);
      await this.source(step.source, pages);
      const codec = step.kind === WeaveOp.ZLIB ? "zlib" : "snappy";
      const { bytes, lengths } = this.recompress(codec, pages, step.pageBytes, step.release);
      const wrong = step.lengths.findIndex((length, i) => length !== lengths[i]);
      if (wrong >= 0) {
        const sizes = `${lengths[wrong]} bytes, not ${step.lengths[wrong]}`;
        const what = `page ${wrong} of those at byte ${step.source}`;
        throw new PagefoldError("DAMAGED", `${this.name}: ${codec} makes of ${what} ${sizes}`);
      }
      this.compressed = { step, bytes: bytes.slice() };
    }
    into.set(this.compressed.bytes.subarray(skip, skip + into.length));
  }
}

function fillZeros(step: WeaveStep, skip: number, into: Uint8Array): void {
  const record = new Uint8Array(9);
  const view = new DataView(record.buffer);
  for (let done = 0; done < into.length; ) {
    const index = Math.floor((skip + done) / 9);
    setCount(view, 0, step.count + index * PAGE_BYTES);
    const part = record.subarray(skip + done - index * 9).subarray(0, into.length - done);
    into.set(part, done);
    done += part.length;
  }
}

function setCount(view: DataView, at: number, count: number): void {
  view.setUint32(at, Math.floor(count / 2 ** 32));
  view.setUint32(at + 4, count % 2 ** 32);
}
