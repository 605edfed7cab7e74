// Makes the parts of an epoch: of what has changed in the memory of a guest, and of the state of
// its devices. It sends nothing, and knows no epoch but the one it is given.
import { ByteWriter } from "../core/bytes.ts";
import type { EpochChanges, Granularity } from "./changes.ts";
import {
  BLOCKS_PER_PAGE,
  type ChangedPages,
  type EncodedPart,
  encodeIndex,
  gatherBlocks,
  gatherPieces,
  inOrder,
  MAX_PART_BLOCKS,
  type PartIndex,
  type Piece,
} from "./memorypart.ts";
import { MAX_PART_BYTES, PartCodec } from "./partcodec.ts";
import { bitsOf, eachRun } from "./patch.ts";
import { PieceFinder } from "./piecefinder.ts";
import type { Shadow } from "./shadow.ts";

export interface EpochEncoding {
  /** Bytes that are sent together when one of them has changed. Default: 64. */
  readonly granularity?: Granularity | undefined;
  /** Say what blocks were before instead of only what they are. Default: true. */
  readonly delta?: boolean | undefined;
  /** Look for new content in other memory. Default: true. */
  readonly sharing?: boolean | undefined;
  /** Default: true. Without it there is neither delta nor sharing. */
  readonly compression?: boolean | undefined;
}

interface Options {
  readonly granularity: Granularity;
  readonly delta: boolean;
  readonly compression: boolean;
}

export class EpochEncoder {
  private readonly options: Options;
  private readonly codec: PartCodec;
  private readonly finder: PieceFinder | undefined;

  constructor(encoding: EpochEncoding = {}, wasm?: Uint8Array | URL) {
    const { granularity = 64, delta = true, sharing = true, compression = true } = encoding;
    this.options = { granularity, delta, compression };
    this.codec = new PartCodec(wasm);
    if (sharing && compression) this.finder = new PieceFinder(wasm);
  }

  /** The changed memory, in frame order; the shadow must not change meanwhile. */
  *memory(shadow: Shadow, changes: EpochChanges): Generator<EncodedPart> {
    changes.widen(this.options.granularity);
    const { delta } = this.options;
    this.finder?.begin(changes);
    for (const pages of chosen(changes)) {
      const fresh = gatherBlocks(pages, (frame) => shadow.page(frame));
      const older = delta ? olderBlocks(pages, changes) : undefined;
      const pieces = this.finder
        ? inOrder([
            ...this.finder.find(pages.frames[0], fresh, older),
            ...samePieces(pages, shadow, changes),
          ])
        : [];
      const shared = gatherPieces(pieces, (frame) => changes.oldPage(frame) ?? shadow.page(frame));
      yield this.memoryPart({ ...pages, pieces }, fresh, older, shared);
    }
  }

  /** The state of the devices; `before` is what the backup has of the epoch before. */
  *devices(state: Uint8Array, before?: Uint8Array): Generator<EncodedPart> {
    for (let at = 0; at < state.length; at += MAX_PART_BYTES) {
      const content = state.subarray(at, at + MAX_PART_BYTES);
      const older = before?.subarray(at, at + MAX_PART_BYTES);
      yield { contentBytes: content.length, body: this.compressed(content, older, []) };
    }
  }

  private memoryPart(
    index: PartIndex,
    fresh: Uint8Array,
    older: Uint8Array | undefined,
    shared: readonly Uint8Array[],
  ): EncodedPart {
    const indexBytes = encodeIndex(index);
    const indexBody = this.compressed(indexBytes, undefined, []);
    const blocks = this.compressed(fresh, older, shared);
    const out = new ByteWriter(16 + indexBody.length + blocks.length);
    out.varint(indexBytes.length);
    out.varint(indexBody.length);
    out.raw(indexBody);
    out.raw(blocks);
    return { contentBytes: fresh.length, body: out.take() };
  }

  private compressed(
    content: Uint8Array,
    older: Uint8Array | undefined,
    shared: readonly Uint8Array[],
  ): Uint8Array {
    if (!this.options.compression) return content;
    if (!older) return this.codec.compress(content, { pieces: shared, olderAt: 0 });
    const olderAt = shared.reduce((sum, { length }) => sum + length, older.length);
    return this.codec.compress(content, { pieces: [older, ...shared], olderAt });
  }
}

/** Changed pages in frame order, as many as a part takes. */
function* chosen({ masks, frameCount }: EpochChanges): Generator<ChangedPages> {
  const frames = new Uint32Array(MAX_PART_BLOCKS);
  const taken = new Uint32Array(2 * MAX_PART_BLOCKS);
  let [pageCount, left] = [0, MAX_PART_BLOCKS];
  const part = (): ChangedPages => ({
    frames: frames.slice(0, pageCount),
    masks: taken.slice(0, 2 * pageCount),
  });
  for (let frame = 0; frame < frameCount; frame++) {
    const [low, high] = [masks[2 * frame], masks[2 * frame + 1]];
    if ((low | high) === 0) continue;
    if (left < BLOCKS_PER_PAGE) {
      yield part();
      [pageCount, left] = [0, MAX_PART_BLOCKS];
    }
    frames[pageCount] = frame;
    taken[2 * pageCount] = low;
    taken[2 * pageCount + 1] = high;
    pageCount++;
    left -= bitsOf(low) + bitsOf(high);
  }
  if (pageCount > 0) yield part();
}

/** The changed blocks as the backup has them; undefined if it has nothing. */
function olderBlocks(pages: ChangedPages, changes: EpochChanges): Uint8Array | undefined {
  if (changes.isFull) return undefined;
  return gatherBlocks(pages, (frame) => {
    const page = changes.oldPage(frame);
    if (!page) throw new Error(`frame ${frame} changed without an older version`);
    return page;
  });
}

/** Where pages of a part stand that the backup has elsewhere, as wholes. */
function samePieces({ frames, masks }: ChangedPages, shadow: Shadow, changes: EpochChanges) {
  const pieces: Piece[] = [];
  frames.forEach((frame, i) => {
    const other = shadow.sameAs(frame);
    if (other === undefined) return;
    // A full epoch has brought what comes before its part; another one leads from what stays.
    const isHeld = changes.isFull ? other < frames[0] : !changes.has(other);
    if (!isHeld) return;
    eachRun(masks[2 * i], masks[2 * i + 1], (block, blockCount) => {
      pieces.push({ firstBlock: other * BLOCKS_PER_PAGE + block, blockCount });
    });
  });
  return pieces;
}
