// Makes patches of the parts of an epoch that came over the wire, with what this side holds of the
// memory before. Nothing that comes is trusted; what is damaged is said in one line.
import { ByteReader } from "../core/bytes.ts";
import { PAGE_BYTES } from "../core/page.ts";
import {
  decodeIndex,
  type EncodedPart,
  framesOf,
  gatherBlocks,
  gatherPieces,
  MAX_INDEX_BYTES,
  type PartIndex,
} from "./memorypart.ts";
import { PartCodec } from "./partcodec.ts";
import { BLOCK_BYTES, bitsOf, encodePatch, MAX_PATCH_PAGES } from "./patch.ts";

/** What there is before a part comes. */
export interface HeldMemory {
  readonly frameCount: number;
  /** Whether it is what this epoch has brought so far, instead of the epoch before. */
  readonly isFull: boolean;
  /** Pages of frames, which ascend, one after another. */
  read(frames: Uint32Array): Promise<Uint8Array>;
}

export class EpochDecoder {
  private readonly codec: PartCodec;

  constructor(wasm?: Uint8Array | URL) {
    this.codec = new PartCodec(wasm);
  }

  /** The patches that a part of memory stands for, in frame order. */
  async memory(
    { body, contentBytes }: EncodedPart,
    held: HeldMemory,
    what: string,
  ): Promise<Uint8Array<ArrayBuffer>[]> {
    const reader = new ByteReader(body, what);
    const indexBytes = reader.varint(MAX_INDEX_BYTES);
    const indexBody = reader.counted(indexBytes);
    const plain = this.codec.decompress(indexBody, indexBytes, `${what}: its index`);
    const index = decodeIndex(plain, held.frameCount, `${what}: its index`);
    const blockCount = index.masks.reduce((sum, word) => sum + bitsOf(word), 0);
    if (contentBytes !== blockCount * BLOCK_BYTES) {
      reader.fail(`${contentBytes} bytes of content for ${blockCount} blocks`);
    }
    const coded = reader.raw(reader.remaining);
    const pieces = coded.length === contentBytes ? [] : await prefixOf(index, held);
    const olderAt = 0; // the encoder's business
    const blocks = this.codec.decompress(coded, contentBytes, what, { pieces, olderAt });
    return patchesOf(index, blocks);
  }

  /** A piece of the state of the devices; `before` is that of the epoch before. */
  devices(
    { body, contentBytes }: EncodedPart,
    before: Uint8Array | undefined,
    what: string,
  ): Uint8Array {
    const prefix = { pieces: before ? [before] : [], olderAt: 0 };
    return this.codec.decompress(body, contentBytes, what, prefix);
  }
}

/** What the blocks of a part follow. */
async function prefixOf(index: PartIndex, held: HeldMemory): Promise<Uint8Array[]> {
  const frames = framesOf(index, !held.isFull);
  const pages = await held.read(frames);
  const places = new Map<number, number>();
  for (const [i, frame] of frames.entries()) places.set(frame, i * PAGE_BYTES);
  const pageAt = (frame: number): Uint8Array => {
    const at = places.get(frame) ?? 0;
    return pages.subarray(at, at + PAGE_BYTES);
  };
  const pieces = gatherPieces(index.pieces, pageAt);
  return held.isFull ? pieces : [gatherBlocks(index, pageAt), ...pieces];
}

/** Patches of all blocks of a part, each of as many pages as a patch may have. */
function patchesOf({ frames, masks }: PartIndex, blocks: Uint8Array): Uint8Array<ArrayBuffer>[] {
  const patches: Uint8Array<ArrayBuffer>[] = [];
  let at = 0;
  for (let first = 0; first < frames.length; first += MAX_PATCH_PAGES) {
    const end = Math.min(first + MAX_PATCH_PAGES, frames.length);
    const some = masks.subarray(2 * first, 2 * end);
    const length = some.reduce((sum, word) => sum + bitsOf(word), 0) * BLOCK_BYTES;
    patches.push(encodePatch(frames.subarray(first, end), some, blocks.subarray(at, at + length)));
    at += length;
  }
  return patches;
}
