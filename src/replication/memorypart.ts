// A part of an epoch's memory on the wire: an index of what has changed, and the new blocks, which
// follow what both ends have: the old content of the same blocks, then pieces of other memory that
// the index names. In a full epoch there is no old content.
//
//   varint bytes of the index, varint bytes of it here: a Zstandard frame unless they are as many
//   the index
//   blocks of 64 bytes by frame and by bit: a Zstandard frame behind the prefix, or as they are
//
// The index:
//   varint pages n ≥ 1; n × varint: frame, less the one before it and 1
//   n × u64: bit i says that block i of 64 bytes is there; at least one
//   varint pieces r; r × (varint first block, less the end of the piece before; varint blocks
//   less 1)
import { ByteReader, ByteWriter } from "../core/bytes.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { BLOCK_BYTES, bitsOf, eachRun } from "./patch.ts";

export const BLOCKS_PER_PAGE = PAGE_BYTES / BLOCK_BYTES;
export const MAX_PART_BLOCKS = (1 << 20) / BLOCK_BYTES;
/** Pieces so near to each other become one: naming one costs bytes, its content does not. */
const MAX_GAP_BLOCKS = 8;
/** All pieces together have as many blocks at most as a part. */
const MAX_PIECES = 8192;
const HEAD_BYTES = 16;
const PAGE_INDEX_BYTES = 16;
const PIECE_INDEX_BYTES = 12;
/** More than any index takes. */
export const MAX_INDEX_BYTES =
  HEAD_BYTES + MAX_PART_BLOCKS * PAGE_INDEX_BYTES + MAX_PIECES * PIECE_INDEX_BYTES;

/** Blocks of memory one after another, counted over all frames. */
export interface Piece {
  readonly firstBlock: number;
  readonly blockCount: number;
}

/** A part as it goes over the wire. */
export interface EncodedPart {
  /** Bytes of its content; as many as the body has when it is not compressed. */
  readonly contentBytes: number;
  readonly body: Uint8Array;
}

/** The page of a frame. */
export type PageOf = (frame: number) => Uint8Array;

export interface ChangedPages {
  /** Ascending. */
  readonly frames: Uint32Array;
  /** Two for each frame: blocks 0–31, then blocks 32–63. */
  readonly masks: Uint32Array;
}

export interface PartIndex extends ChangedPages {
  /** Ascending, apart from each other. */
  readonly pieces: readonly Piece[];
}

export function encodeIndex({ frames, masks, pieces }: PartIndex): Uint8Array {
  const out = new ByteWriter(HEAD_BYTES + frames.length * PAGE_INDEX_BYTES);
  out.varint(frames.length);
  let next = 0;
  for (const frame of frames) {
    out.varint(frame - next);
    next = frame + 1;
  }
  for (const word of masks) out.u32(word);
  out.varint(pieces.length);
  let end = 0;
  for (const { firstBlock, blockCount } of pieces) {
    out.varint(firstBlock - end);
    out.varint(blockCount - 1);
    end = firstBlock + blockCount;
  }
  return out.take();
}

/** Of a memory of `frameCount` frames; DAMAGED, naming `what`. */
export function decodeIndex(bytes: Uint8Array, frameCount: number, what: string): PartIndex {
  const reader = new ByteReader(bytes, what);
  const pageCount = reader.varint(MAX_PART_BLOCKS);
  if (pageCount === 0) reader.fail("no pages");
  const frames = new Uint32Array(pageCount);
  let next = 0;
  for (let i = 0; i < pageCount; i++) {
    const frame = next + reader.varint();
    if (frame >= frameCount) reader.fail(`frame ${frame} of ${frameCount}`);
    frames[i] = frame;
    next = frame + 1;
  }
  const masks = new Uint32Array(2 * pageCount);
  let blockCount = 0;
  for (let i = 0; i < 2 * pageCount; i += 2) {
    masks[i] = reader.u32();
    masks[i + 1] = reader.u32();
    if ((masks[i] | masks[i + 1]) === 0) reader.fail(`frame ${frames[i / 2]} without blocks`);
    blockCount += bitsOf(masks[i]) + bitsOf(masks[i + 1]);
  }
  if (blockCount > MAX_PART_BLOCKS) reader.fail(`${blockCount} blocks, at most ${MAX_PART_BLOCKS}`);
  const pieces = readPieces(reader, frameCount);
  reader.end();
  return { frames, masks, pieces };
}

function readPieces(reader: ByteReader, frameCount: number): Piece[] {
  const pieces: Piece[] = [];
  let end = 0;
  let total = 0;
  for (let left = reader.varint(MAX_PIECES); left > 0; left--) {
    const firstBlock = end + reader.varint();
    const blockCount = 1 + reader.varint(MAX_PART_BLOCKS);
    end = firstBlock + blockCount;
    total += blockCount;
    if (total > MAX_PART_BLOCKS) reader.fail(`pieces of more than ${MAX_PART_BLOCKS} blocks`);
    if (end > frameCount * BLOCKS_PER_PAGE) {
      reader.fail(`a piece up to block ${end} of ${frameCount * BLOCKS_PER_PAGE}`);
    }
    pieces.push({ firstBlock, blockCount });
  }
  return pieces;
}

/** In order and apart from each other, as many as an index takes. */
export function inOrder(pieces: readonly Piece[]): Piece[] {
  const sorted = [...pieces].sort((a, b) => a.firstBlock - b.firstBlock);
  const joined: Piece[] = [];
  let [end, left] = [-Infinity, MAX_PART_BLOCKS];
  for (const { firstBlock, blockCount } of sorted) {
    const first = firstBlock - end <= MAX_GAP_BLOCKS ? end : firstBlock;
    const count = Math.min(firstBlock + blockCount - first, left);
    if (count <= 0) continue;
    left -= count;
    const last = joined.at(-1);
    if (last && first === end) {
      joined[joined.length - 1] = { ...last, blockCount: last.blockCount + count };
    } else if (joined.length < MAX_PIECES) joined.push({ firstBlock: first, blockCount: count });
    else break;
    end = first + count;
  }
  return joined;
}

/** Frames in which pieces lie, and those that change if `withChanged`: ascending. */
export function framesOf({ pieces, frames }: PartIndex, withChanged: boolean): Uint32Array {
  const wanted = new Set<number>(withChanged ? frames : []);
  for (const { firstBlock, blockCount } of pieces) {
    const last = frameOf(firstBlock + blockCount - 1);
    for (let frame = frameOf(firstBlock); frame <= last; frame++) wanted.add(frame);
  }
  return Uint32Array.from(wanted).sort();
}

/** The content of pieces, page by page. */
export function gatherPieces(pieces: readonly Piece[], pageOf: PageOf): Uint8Array[] {
  const gathered: Uint8Array[] = [];
  for (const { firstBlock, blockCount } of pieces) {
    const end = firstBlock + blockCount;
    for (let block = firstBlock; block < end; ) {
      const pageEnd = Math.min((frameOf(block) + 1) * BLOCKS_PER_PAGE, end);
      const from = (block % BLOCKS_PER_PAGE) * BLOCK_BYTES;
      const length = (pageEnd - block) * BLOCK_BYTES;
      gathered.push(pageOf(frameOf(block)).subarray(from, from + length));
      block = pageEnd;
    }
  }
  return gathered;
}

/** The blocks that masks name, out of their pages, one after another. */
export function gatherBlocks({ frames, masks }: ChangedPages, pageOf: PageOf): Uint8Array {
  let blockCount = 0;
  for (const word of masks) blockCount += bitsOf(word);
  const blocks = new Uint8Array(blockCount * BLOCK_BYTES);
  let at = 0;
  frames.forEach((frame, i) => {
    const page = pageOf(frame);
    eachRun(masks[2 * i], masks[2 * i + 1], (block, count) => {
      const from = block * BLOCK_BYTES;
      blocks.set(page.subarray(from, from + count * BLOCK_BYTES), at);
      at += count * BLOCK_BYTES;
    });
  });
  return blocks;
}

function frameOf(block: number): number {
  return Math.floor(block / BLOCKS_PER_PAGE);
}
