// Pages that are there already on their way into a sink: out of memory that was copied while a
// guest stood still, or held back until it went on.
import { copyBytes } from "../core/copy.ts";
import { PAGE_BYTES } from "../core/page.ts";
import type { CapturedBatch, CaptureSink, PageRoom, ZeroRun } from "./capture.ts";

const ZERO_PAGE = Buffer.alloc(PAGE_BYTES);
const HELD_PAGES = 256;

export function isZeroPage(page: Uint8Array): boolean {
  return page[0] === 0 && ZERO_PAGE.equals(page);
}

/** Hands out consecutive frames whose pages lie in `pieces`, zero pages as such. */
export async function handOut(
  sink: CaptureSink,
  firstFrame: number,
  pieces: readonly Uint8Array[],
  signal?: AbortSignal,
): Promise<void> {
  const way = new PageWay(sink);
  let frame = firstFrame;
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; at += PAGE_BYTES, frame++) {
      const page = piece.subarray(at, at + PAGE_BYTES);
      if (isZeroPage(page)) way.zero({ frame, count: 1 });
      else if (!way.put(frame, page)) {
        signal?.throwIfAborted();
        await way.open();
        way.put(frame, page);
      }
    }
  }
  await way.close();
}

/** Fills one room after another. */
class PageWay {
  private readonly sink: CaptureSink;
  private room: PageRoom | undefined;
  private pageCount = 0;
  private zeros: ZeroRun[] = [];

  constructor(sink: CaptureSink) {
    this.sink = sink;
  }

  async open(): Promise<void> {
    this.deliver();
    this.room = await this.sink.room();
  }

  /** False: another room has to be opened first. */
  put(frame: number, page: Uint8Array): boolean {
    const { room, pageCount } = this;
    if (!room || (pageCount + 1) * PAGE_BYTES > room.pages.length) return false;
    copyBytes(page, 0, room.pages, pageCount * PAGE_BYTES, PAGE_BYTES);
    room.frames[pageCount] = frame;
    this.pageCount++;
    return true;
  }

  zero({ frame, count }: ZeroRun): void {
    const last = this.zeros.at(-1);
    if (last && last.frame + last.count === frame) {
      this.zeros[this.zeros.length - 1] = { frame: last.frame, count: last.count + count };
    } else this.zeros.push({ frame, count });
  }

  /** What is left, zero pages at least. */
  async close(): Promise<void> {
    if (!this.room && this.zeros.length > 0) this.room = await this.sink.room();
    this.deliver();
  }

  private deliver(): void {
    const { room, pageCount, zeros } = this;
    if (room) this.sink.take({ room, pageCount, zeros });
    this.room = undefined;
    this.pageCount = 0;
    if (room) this.zeros = [];
  }
}

/** Keeps what it is given until somebody has time for it. */
export class HeldPages implements CaptureSink {
  private batches: CapturedBatch[] = [];

  begin(): void {
    // Whoever takes the pages is told when they are handed out.
  }

  room(): PageRoom {
    const pages = new Uint8Array(HELD_PAGES * PAGE_BYTES);
    return { pages, frames: new Uint32Array(HELD_PAGES) };
  }

  take(batch: CapturedBatch): void {
    this.batches.push(batch);
  }

  /** Hands everything on, in the order in which it came. */
  async handOut(sink: CaptureSink, signal?: AbortSignal): Promise<void> {
    const way = new PageWay(sink);
    for (const { room, pageCount, zeros } of this.batches) {
      for (const run of zeros) way.zero(run);
      for (let i = 0; i < pageCount; i++) {
        const page = room.pages.subarray(i * PAGE_BYTES, (i + 1) * PAGE_BYTES);
        if (way.put(room.frames[i], page)) continue;
        signal?.throwIfAborted();
        await way.open();
        way.put(room.frames[i], page);
      }
    }
    await way.close();
    this.batches = [];
  }
}
