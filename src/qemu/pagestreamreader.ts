// Reads the stream of a guest of pages (pagestream.ts), however it is cut, and holds no more of it
// than a cut record, a run of pages and the state. It comes from a peer: what is not exactly what
// is written there is refused, and nothing is believed that has not come.
import { copyBytes } from "../core/copy.ts";
import { PagefoldError } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import {
  encodeBlockName,
  encodePagesEnd,
  encodePagesHead,
  encodePartEnd,
  encodePartHead,
  encodeStateHead,
  MAX_STATE_BYTES,
} from "./pagestream.ts";
import { RAM_FLAGS, RAM_HEADER_BYTES, Ram } from "./stream.ts";
import { read32, read64 } from "./wants.ts";

/** What a stream brings, in its order. Bytes are valid until the next is asked for. */
export type PagesEvent =
  /** The guest has so many frames; comes first. */
  | { readonly kind: "head"; readonly frameCount: number }
  | { readonly kind: "pages"; readonly frame: number; readonly pages: Uint8Array }
  | { readonly kind: "zeros"; readonly frame: number; readonly count: number }
  /** All has come. */
  | { readonly kind: "end"; readonly state: Uint8Array };

const RUN_PAGES = 256;
/** Frame numbers have 32 bits. */
const MAX_FRAMES = 2 ** 32 - 1;
const NOTHING = new Uint8Array(0);
const BLOCK_NAME = encodeBlockName();
const PART_HEAD = encodePartHead(false);
const LAST_HEAD = encodePartHead(true);
const PART_END = encodePartEnd();
/** Of a part: what its last record, which has no more than a header, leaves. */
const FOOTER = PART_END.subarray(RAM_HEADER_BYTES);
const STATE_HEAD_BYTES = encodeStateHead(0).length;
const END = encodePagesEnd();
const HEAD_BYTES = encodePagesHead(1).length;
/** The number of bytes of the block stands in front of the end of the part and its footer. */
const FRAMES_AT = HEAD_BYTES - PART_END.length - 8;

/** Says how many bytes it needs and is given them, or what they mean. */
type Steps<T> = Generator<number | PagesEvent, T, Uint8Array>;

export class PageStreamReader {
  private readonly name: string;
  private readonly steps: Steps<void>;
  /** Bytes that the next step needs, and those of them that have come if they were cut. */
  private wanted = 0;
  private cut = new Uint8Array(64);
  private cutLength = 0;
  private takenBytes = 0;
  private frameCount = 0;
  // A run of pages or of zeros that may go on.
  private readonly pages = new Uint8Array(RUN_PAGES * PAGE_BYTES);
  private frame = 0;
  private pageCount = 0;
  private zeroCount = 0;

  /** `name` is the guest's, for messages. */
  constructor(name: string) {
    this.name = name;
    this.steps = this.follow();
  }

  /** What the next bytes bring. They must stay as they are until the last of it was taken. */
  *take(bytes: Uint8Array): Generator<PagesEvent, void, void> {
    for (let at = 0; ; ) {
      let given: Uint8Array | undefined = NOTHING;
      if (this.wanted > 0) {
        const from = at;
        at = Math.min(bytes.length, from + this.wanted - this.cutLength);
        given = this.collect(bytes.subarray(from, at));
        if (!given) break;
        this.takenBytes += given.length;
      }
      const { value } = this.steps.next(given);
      this.wanted = typeof value === "number" ? value : 0;
      if (typeof value === "object") yield value;
    }
    // What is there need not wait for more.
    const run = this.takeRun();
    if (run) yield run;
  }

  private *follow(): Steps<void> {
    const head = yield HEAD_BYTES;
    const frameCount = read64(head.subarray(FRAMES_AT)) / PAGE_BYTES;
    const isPossible = Number.isInteger(frameCount) && frameCount <= MAX_FRAMES;
    if (!isPossible || !isSame(head, encodePagesHead(frameCount))) {
      throw new PagefoldError("FORMAT", `${this.name}: what comes is no stream of pages`);
    }
    this.frameCount = frameCount;
    yield { kind: "head", frameCount };
    while (yield* this.part());
    const stateHead = yield STATE_HEAD_BYTES;
    const length = read32(stateHead, STATE_HEAD_BYTES - 4);
    if (length > MAX_STATE_BYTES) this.fail(`a state of ${length} bytes`);
    this.expect(stateHead, encodeStateHead(length));
    const state = (yield length).slice();
    this.expect(yield END.length, END);
    yield { kind: "end", state };
    yield 1;
    this.fail("it goes on behind its end");
  }

  /** One part; whether another one follows. */
  private *part(): Steps<boolean> {
    const head = yield PART_HEAD.length;
    const isLast = isSame(head, LAST_HEAD);
    if (!isLast) this.expect(head, PART_HEAD);
    for (let count = 0; ; count++) {
      const header = yield RAM_HEADER_BYTES;
      const low = read32(header, 4);
      const page = read32(header, 0) * 0x10_0000 + (low >>> 12);
      const flags = low & RAM_FLAGS;
      if (flags === Ram.EOS && page === 0) break;
      const kind = flags & ~Ram.CONTINUE;
      if (kind !== Ram.PAGE && kind !== Ram.ZERO) this.fail(`a record with flags ${flags}`);
      if (page >= this.frameCount) this.fail(`frame ${page}, there are ${this.frameCount}`);
      const isNamed = (flags & Ram.CONTINUE) === 0;
      if (isNamed !== (count === 0)) this.fail(`record ${count} of a part with flags ${flags}`);
      if (isNamed) this.expect(yield BLOCK_NAME.length, BLOCK_NAME);
      const content = yield kind === Ram.PAGE ? PAGE_BYTES : 1;
      if (kind === Ram.ZERO && content[0] !== 0) this.fail(`zeros of ${content[0]}`);
      const run = this.goesOn(page, kind) ? undefined : this.takeRun();
      // The pages of a run lie where this one will.
      if (run) yield run;
      this.add(page, kind, content);
    }
    this.expect(yield FOOTER.length, FOOTER);
    const run = this.takeRun();
    if (run) yield run;
    return !isLast;
  }

  /** Whether a record goes on with the run. */
  private goesOn(page: number, kind: number): boolean {
    const { pageCount, zeroCount } = this;
    if (page !== this.frame + pageCount + zeroCount) return false;
    return kind === Ram.ZERO ? pageCount === 0 : zeroCount === 0 && pageCount < RUN_PAGES;
  }

  private add(page: number, kind: number, content: Uint8Array): void {
    if (this.pageCount + this.zeroCount === 0) this.frame = page;
    if (kind === Ram.ZERO) this.zeroCount++;
    else copyBytes(content, 0, this.pages, this.pageCount++ * PAGE_BYTES, PAGE_BYTES);
  }

  /** Ends the run, if there is one. */
  private takeRun(): PagesEvent | undefined {
    const { frame, pageCount, zeroCount } = this;
    this.pageCount = 0;
    this.zeroCount = 0;
    if (zeroCount > 0) return { kind: "zeros", frame, count: zeroCount };
    if (pageCount === 0) return undefined;
    return { kind: "pages", frame, pages: this.pages.subarray(0, pageCount * PAGE_BYTES) };
  }

  /** What was wanted, if it is complete with this piece. */
  private collect(piece: Uint8Array): Uint8Array | undefined {
    if (piece.length === this.wanted) return piece;
    const length = this.cutLength + piece.length;
    if (length > this.cut.length) {
      // As long as what has come: what was announced may never come.
      const larger = new Uint8Array(Math.max(length, 2 * this.cut.length));
      larger.set(this.cut.subarray(0, this.cutLength));
      this.cut = larger;
    }
    this.cut.set(piece, this.cutLength);
    this.cutLength = length < this.wanted ? length : 0;
    return length < this.wanted ? undefined : this.cut.subarray(0, length);
  }

  private expect(found: Uint8Array, expected: Uint8Array): void {
    if (!isSame(found, expected)) this.fail(`not what follows there: ${hexOf(found)}`);
  }

  private fail(reason: string): never {
    throw new PagefoldError(
      "DAMAGED",
      `${this.name}: stream of pages, in front of byte ${this.takenBytes}: ${reason}`,
    );
  }
}

function isSame(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.subarray(0, 32)).toString("hex");
}
