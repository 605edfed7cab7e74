// The RAM blocks of a guest, in the order in which its stream lists them. All their frames are
// numbered one after another.
import { PAGE_BYTES } from "../core/page.ts";
import type { StreamPlace } from "./place.ts";

/** One block of guest memory, like "pc.ram" or "pc.bios". */
export interface RamBlock {
  readonly name: string;
  readonly byteLength: number;
  readonly firstFrame: number;
}

/** A block as the folder uses it. */
export interface NumberedBlock extends RamBlock {
  readonly number: number;
  readonly nameBytes: Uint8Array;
  readonly frameCount: number;
}

/** Steps of a script may name no more. */
export const MAX_BLOCKS = 4096;
/** 16 TiB of memory: frame numbers have 32 bits. */
const MAX_FRAMES = 2 ** 32 - 1;

const text = new TextDecoder();

export class RamBlocks {
  readonly list: NumberedBlock[] = [];
  frameCount = 0;
  private readonly place: StreamPlace;

  constructor(place: StreamPlace) {
    this.place = place;
  }

  add(name: Uint8Array, byteLength: number): void {
    const number = this.list.length;
    if (number === MAX_BLOCKS) this.place.fail(`more than ${MAX_BLOCKS} blocks of RAM`);
    if (byteLength % PAGE_BYTES !== 0) {
      this.place.fail(`block ${text.decode(name)} has ${byteLength} bytes, not whole pages`);
    }
    const frameCount = byteLength / PAGE_BYTES;
    if (this.frameCount + frameCount > MAX_FRAMES) {
      this.place.refuse(`its memory has more than ${MAX_FRAMES} pages`);
    }
    this.list.push({
      name: text.decode(name),
      byteLength,
      firstFrame: this.frameCount,
      number,
      nameBytes: name.slice(),
      frameCount,
    });
    this.frameCount += frameCount;
  }

  /** The block whose name stands at `from` … `to`. */
  find(bytes: Uint8Array, from: number, to: number): NumberedBlock {
    const found = this.list.find(({ nameBytes }) => {
      if (nameBytes.length !== to - from) return false;
      return nameBytes.every((byte, i) => byte === bytes[from + i]);
    });
    return found ?? this.place.fail(`no block is named ${text.decode(bytes.slice(from, to))}`);
  }
}
