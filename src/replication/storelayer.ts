// A redo or undo file laid over the memory file without writing to it: which pages it changes, by
// frame, and where in the file their blocks are.
import { PAGE_BYTES } from "../core/page.ts";
import { BLOCK_BYTES, placeBlocks } from "./patch.ts";
import { EpochFileReader, type EpochKind } from "./storeepoch.ts";
import type { StoreFiles } from "./storefiles.ts";

interface Entry {
  readonly frame: number;
  readonly maskLow: number;
  readonly maskHigh: number;
  readonly blocksAt: number;
  readonly byteLength: number;
}

export class Layer {
  private readonly file: EpochFileReader;
  /** In frame order. */
  private readonly entries: readonly Entry[];

  private constructor(file: EpochFileReader, entries: readonly Entry[]) {
    this.file = file;
    this.entries = entries;
  }

  /** Reads the file once, and checks all of it. */
  static async open(
    files: StoreFiles,
    epoch: number,
    kind: EpochKind,
    frameCount: number,
  ): Promise<Layer> {
    const file = await EpochFileReader.open(files, epoch, kind);
    try {
      const entries: Entry[] = [];
      for await (const { patch, blocksAt } of file.patches(frameCount)) {
        for (let i = 0; i < patch.pageCount; i++) {
          const [first, end] = [patch.firstBlocks[i], patch.firstBlocks[i + 1]];
          entries.push({
            frame: patch.frames[i],
            maskLow: patch.masks[2 * i],
            maskHigh: patch.masks[2 * i + 1],
            blocksAt: blocksAt + first * BLOCK_BYTES,
            byteLength: (end - first) * BLOCK_BYTES,
          });
        }
      }
      entries.sort((a, b) => a.frame - b.frame);
      return new Layer(file, entries);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Puts its blocks into the pages of frames [frame, frame + count). */
  async apply(frame: number, count: number, pages: Uint8Array): Promise<void> {
    for (let i = this.indexOf(frame); i < this.entries.length; i++) {
      const entry = this.entries[i];
      if (entry.frame >= frame + count) break;
      const blocks = await this.file.bytes(entry.blocksAt, entry.byteLength);
      const at = (entry.frame - frame) * PAGE_BYTES;
      placeBlocks(blocks, entry.maskLow, entry.maskHigh, pages, at);
    }
  }

  close(): Promise<void> {
    return this.file.close();
  }

  /** The first entry of `frame` or behind it. */
  private indexOf(frame: number): number {
    let low = 0;
    let high = this.entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.entries[middle].frame < frame) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
