// The checksum of an image (docs/format.md §3): a tree of fingerprints with 256 children to a node,
// fed in frame order and kept as one unfinished node per level. It reads no page itself.
import { PAGE_BYTES } from "../core/page.ts";
import { FINGERPRINT_BYTES, type Kernels } from "../kernels/abi.ts";

/** Linear memory that a checksum needs between its calls: one node and its fingerprint. */
export const IMAGE_CHECKSUM_SCRATCH_BYTES = PAGE_BYTES + FINGERPRINT_BYTES;

interface Level {
  /** The values that wait for their node to fill up. */
  readonly node: Uint8Array;
  pendingBytes: number;
  /** Values seen on this level. */
  valueCount: number;
}

export class ImageChecksum {
  private readonly levels: Level[] = [];
  private readonly kernels: Kernels;
  private readonly memory: { readonly buffer: ArrayBufferLike };
  private readonly scratchPtr: number;

  /** The scratch may be shared with others: it holds nothing between two calls. */
  constructor(kernels: Kernels, memory: { readonly buffer: ArrayBufferLike }, scratchPtr: number) {
    this.kernels = kernels;
    this.memory = memory;
    this.scratchPtr = scratchPtr;
  }

  /** Frames fed so far. */
  get frameCount(): number {
    return this.levels[0]?.valueCount ?? 0;
  }

  /** Takes the fingerprints (16 bytes each) of the next frames. */
  add(fingerprints: Uint8Array): void {
    this.push(0, fingerprints);
  }

  /** The checksum, 16 bytes of its own. Ends the tree: nothing may be added afterwards. */
  finish(byteLength: number, frameCount: number): Uint8Array<ArrayBuffer> {
    if (frameCount !== this.frameCount) {
      throw new Error(`image checksum: ${this.frameCount} of ${frameCount} frames were fed`);
    }
    const last = new Uint8Array(PAGE_BYTES);
    last.set(this.root(), 0);
    const view = new DataView(last.buffer);
    view.setBigUint64(FINGERPRINT_BYTES, BigInt(byteLength), true);
    view.setBigUint64(FINGERPRINT_BYTES + 8, BigInt(frameCount), true);
    return this.fingerprint(last);
  }

  private root(): Uint8Array {
    for (let height = 0; height < this.levels.length; height++) {
      const level = this.levels[height];
      if (level.valueCount === 1) return level.node.subarray(0, FINGERPRINT_BYTES);
      if (level.pendingBytes > 0) {
        level.node.fill(0, level.pendingBytes);
        this.push(height + 1, this.fingerprint(level.node));
      }
    }
    return new Uint8Array(FINGERPRINT_BYTES);
  }

  private push(height: number, values: Uint8Array): void {
    if (height === this.levels.length) {
      this.levels.push({ node: new Uint8Array(PAGE_BYTES), pendingBytes: 0, valueCount: 0 });
    }
    const level = this.levels[height];
    level.valueCount += values.length / FINGERPRINT_BYTES;
    for (let at = 0; at < values.length; ) {
      const part = values.subarray(at, at + PAGE_BYTES - level.pendingBytes);
      level.node.set(part, level.pendingBytes);
      level.pendingBytes += part.length;
      at += part.length;
      if (level.pendingBytes === PAGE_BYTES) {
        level.pendingBytes = 0;
        this.push(height + 1, this.fingerprint(level.node));
      }
    }
  }

  private fingerprint(page: Uint8Array): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.memory.buffer);
    const resultPtr = this.scratchPtr + PAGE_BYTES;
    bytes.set(page, this.scratchPtr);
    this.kernels.fingerprintPages(this.scratchPtr, 1, resultPtr);
    // Copied, not viewed: the memory is shared and the scratch is used again.
    return new Uint8Array(bytes.subarray(resultPtr, resultPtr + FINGERPRINT_BYTES));
  }
}
