// A run of frames of a shadow, in a linear memory of its own together with room for pages that
// come: they are compared where they lie. Memory is taken as it is written to.
import { PAGE_BYTES } from "../core/page.ts";
import { FINGERPRINT_BYTES, type Kernels } from "../kernels/abi.ts";
import { createMemory, instantiateKernels, type KernelModule } from "../kernels/load.ts";
import type { PageRoom } from "./capture.ts";

const ROOM_PAGES = 256;
/** 1 GiB: a linear memory has 4 GiB at most. */
export const CHUNK_PAGES = 1 << 18;
/** The first 64 KiB belong to the kernel module. */
const ROOM_PTR = 65536;
const MASKS_PTR = ROOM_PTR + ROOM_PAGES * PAGE_BYTES;
const SUM_PTR = MASKS_PTR + ROOM_PAGES * 8;
const PAGES_PTR = SUM_PTR + PAGE_BYTES;

/** Told of a changed page: masks of its blocks, and its content until now, a view. */
export type OnChange = (frame: number, low: number, high: number, before: Uint8Array) => void;

export class ShadowChunk {
  readonly firstFrame: number;
  readonly room: PageRoom;
  private readonly kernels: Kernels;
  private readonly bytes: Uint8Array;
  private readonly masks: Uint32Array;

  constructor(module: KernelModule, firstFrame: number, frameCount: number) {
    const memory = createMemory(PAGES_PTR + frameCount * PAGE_BYTES);
    this.firstFrame = firstFrame;
    this.kernels = instantiateKernels(module, memory);
    this.bytes = new Uint8Array(memory.buffer);
    this.masks = new Uint32Array(memory.buffer, MASKS_PTR, ROOM_PAGES * 2);
    this.room = {
      pages: this.bytes.subarray(ROOM_PTR, ROOM_PTR + ROOM_PAGES * PAGE_BYTES),
      frames: new Uint32Array(ROOM_PAGES),
    };
  }

  /** A view. */
  page(frame: number): Uint8Array {
    const ptr = this.ptrOf(frame);
    return this.bytes.subarray(ptr, ptr + PAGE_BYTES);
  }

  /** Compares pages of the room, from `index` on, with those from `frame` on; takes them over. */
  compare(index: number, frame: number, count: number, onChange: OnChange): void {
    const { bytes, kernels, masks } = this;
    const newPtr = ROOM_PTR + index * PAGE_BYTES;
    if (kernels.diff(this.ptrOf(frame), newPtr, count, MASKS_PTR) === 0) return;
    for (let i = 0; i < count; i++) {
      if ((masks[2 * i] | masks[2 * i + 1]) === 0) continue;
      onChange(frame + i, masks[2 * i], masks[2 * i + 1], this.page(frame + i));
      const from = newPtr + i * PAGE_BYTES;
      bytes.copyWithin(this.ptrOf(frame + i), from, from + PAGE_BYTES);
    }
  }

  /** Of a page: a view until the next call. */
  fingerprint(frame: number): Uint8Array {
    this.kernels.fingerprintPages(this.ptrOf(frame), 1, SUM_PTR);
    return this.bytes.subarray(SUM_PTR, SUM_PTR + FINGERPRINT_BYTES);
  }

  private ptrOf(frame: number): number {
    return PAGES_PTR + (frame - this.firstFrame) * PAGE_BYTES;
  }
}
