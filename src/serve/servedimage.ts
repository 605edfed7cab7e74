// One image as a server gives it out: bytes of its file at any place, and which of them are zero.
import { segmentsOf } from "../archive/image.ts";
import type { ArchiveIndex } from "../archive/index.ts";
import { FrameMap } from "../core/extent.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { recompress } from "../image/recompress.ts";
import { type ReadContent, WovenFile } from "../image/wovenfile.ts";
import { RecordKind } from "../wire/records.ts";
import { clipRuns } from "../wire/slotruns.ts";
import { BLOCK_FRAMES, type Blocks } from "./blocks.ts";

const SECTOR_BYTES = 512;
/** Of pieces that sockets take without a word when they were sent. */
const SHORT_BYTES = 1 << 16;

/** Bytes from some place on, all zero or not known to be. */
export interface ZeroExtent {
  byteLength: number;
  readonly isZero: boolean;
}

export class ServedImage {
  readonly name: string;
  readonly format: string;
  readonly byteLength: number;
  readonly mtimeMs: number;
  /** Hexadecimal, of all its bytes. */
  readonly checksum: string;
  readonly sha256: string | undefined;
  private readonly index: ArchiveIndex;
  private readonly number: number;
  private readonly blocks: Blocks;
  private readonly map: FrameMap;
  private readonly contentBytes: number;
  private readonly isWoven: boolean;
  private woven: WovenFile | undefined;

  constructor(index: ArchiveIndex, number: number, blocks: Blocks) {
    const indexed = index.images[number];
    const { head, end, byteLength, fileBytes } = indexed;
    this.name = head.name;
    this.format = head.format;
    this.byteLength = fileBytes ?? byteLength;
    this.contentBytes = byteLength;
    this.isWoven = fileBytes !== undefined;
    this.mtimeMs = Number(head.mtimeNs / 1_000_000n);
    this.checksum = Buffer.from(end?.checksum ?? []).toString("hex");
    const digest = end?.digests.find(([algorithm]) => algorithm === "sha256")?.[1];
    this.sha256 = digest && Buffer.from(digest).toString("hex");
    this.index = index;
    this.number = number;
    this.blocks = blocks;
    this.map = new FrameMap(segmentsOf(indexed));
  }

  /**
   * Bytes [offset, offset + byteLength), which are inside of it, in pieces of a block at most. A
   * piece is valid until the next one is asked for; a short one for good. `followBytes`: how many
   * of those behind them will be asked for next. DAMAGED, BASE.
   */
  read(
    offset: number,
    byteLength: number,
    followBytes = 0,
  ): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    if (this.isWoven) return this.readWoven(offset, byteLength);
    return this.readContent(offset, byteLength, followBytes);
  }

  /** Bytes of the file that a woven image was made of. */
  private async *readWoven(offset: number, byteLength: number) {
    const read: ReadContent = async (at, into) => {
      let done = 0;
      for await (const piece of this.readContent(at, into.length, 0)) {
        into.set(piece, done);
        done += piece.length;
      }
    };
    this.woven ??= await WovenFile.open(read, this.contentBytes, this.name, recompress);
    for (let done = 0; done < byteLength; ) {
      const piece = new Uint8Array(Math.min(BLOCK_FRAMES * PAGE_BYTES, byteLength - done));
      await this.woven.read(offset + done, piece);
      yield piece;
      done += piece.length;
    }
  }

  private async *readContent(
    offset: number,
    byteLength: number,
    followBytes: number,
  ): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const end = offset + byteLength;
    for (let at = offset; at < end; ) {
      const { frame, skipBytes } = this.map.frameAt(at);
      const toBlockEnd = BLOCK_FRAMES - (frame % BLOCK_FRAMES);
      const wanted = Math.min(toBlockEnd, Math.ceil((skipBytes + end - at) / PAGE_BYTES));
      const [run] = this.map.runs(frame, wanted);
      const rest = end - at - (run.byteLength - skipBytes) + followBytes;
      const follows = Math.max(0, Math.ceil(rest / PAGE_BYTES));
      const { frameCount } = this.map;
      const { number, blocks } = this;
      const lent = await blocks.read(number, frame, run.frameCount, frameCount, follows);
      try {
        const piece = lent.pages.subarray(skipBytes, run.byteLength).subarray(0, end - at);
        at += piece.length;
        yield piece.length < SHORT_BYTES ? piece.slice() : piece;
      } finally {
        lent.release();
      }
    }
  }

  /**
   * What is known to be zero of [offset, offset + byteLength), as `most` extents at most; fewer
   * bytes when those are not enough. Nothing is decoded.
   */
  async zeroExtents(offset: number, byteLength: number, most: number): Promise<ZeroExtent[]> {
    if (this.isWoven) return [{ byteLength, isZero: false }];
    const end = offset + byteLength;
    const extents = new ExtentList(offset, end, most);
    const { frame: first, skipBytes } = this.map.frameAt(offset);
    let at = offset;
    for (let frame = first; at < end; ) {
      for (const { isZero, frameCount } of await this.kindsFrom(frame)) {
        for (const part of this.map.runs(frame, frameCount)) {
          const skipped = part.frame === first ? skipBytes : 0;
          const stop = Math.min(at + part.byteLength - skipped, end);
          if (!extents.add(isZero, at, stop) || stop === end) return extents.list;
          at = stop;
        }
        frame += frameCount;
      }
    }
    return extents.list;
  }

  /** Runs of frames to the end of the leaf that covers `frame`. A lost leaf may hold anything. */
  private async kindsFrom(frame: number): Promise<{ isZero: boolean; frameCount: number }[]> {
    const leaf = await this.index.leafAt(this.number, frame);
    const end = leaf.firstFrame + leaf.frameCount;
    if (leaf.lost !== undefined) return [{ isZero: false, frameCount: end - frame }];
    return [...clipRuns(leaf.runs, leaf.firstFrame, frame, end)].map(({ kind, length }) => {
      return { isZero: kind === RecordKind.ZERO, frameCount: length };
    });
  }
}

/**
 * Extents that follow one another. Zeros begin and end at sectors, unless that is where the request
 * does: qemu-img rounds what it is told up to whole ones, and would lose what is beside them.
 */
class ExtentList {
  readonly list: ZeroExtent[] = [];
  private readonly start: number;
  private readonly end: number;
  private readonly most: number;

  constructor(start: number, end: number, most: number) {
    this.start = start;
    this.end = end;
    this.most = most;
  }

  /** Adds bytes [from, to). False when there is no room for more. */
  add(isZero: boolean, from: number, to: number): boolean {
    if (!isZero) return this.push(false, to - from);
    const first = from === this.start ? from : Math.ceil(from / SECTOR_BYTES) * SECTOR_BYTES;
    const last = to === this.end ? to : Math.floor(to / SECTOR_BYTES) * SECTOR_BYTES;
    if (first >= last) return this.push(false, to - from);
    return (
      this.push(false, first - from) && this.push(true, last - first) && this.push(false, to - last)
    );
  }

  private push(isZero: boolean, byteLength: number): boolean {
    if (byteLength === 0) return true;
    const last = this.list.at(-1);
    if (last?.isZero === isZero) last.byteLength += byteLength;
    else if (this.list.length === this.most) return false;
    else this.list.push({ byteLength, isZero });
    return true;
  }
}
