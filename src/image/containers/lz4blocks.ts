// The memory of a streaming LZ4 decoder, and its blocks: one block of input, and the output with as
// much before it as matches may reach back to.
//
//   module 64 KiB | one block of input | margin | output …
//
// The output is filled from its start. Where the next block may not fit any more, the window before
// it moves to the start.
import type { Kernels } from "../../kernels/abi.ts";
import { createMemory, instantiateKernels, type KernelModule } from "../../kernels/load.ts";

const INPUT = 65_536;
const WINDOW_BYTES = 65_536;
const MARGIN_BYTES = 64;
/** So that blocks of a few bytes do not move the window each time. */
const MIN_SLACK_BYTES = 1 << 20;

export class Lz4Blocks {
  private readonly module: KernelModule;
  private kernels: Kernels | undefined;
  private bytes = new Uint8Array(0);
  private output = INPUT;
  /** Where matches may begin to reach back to. */
  private start = INPUT;
  private end = INPUT;
  private maxBlockBytes = 0;
  private isLinked = false;

  constructor(module: KernelModule) {
    this.module = module;
  }

  /** Forgets the frame before, and takes more memory if this one needs more. */
  beginFrame(maxStoredBytes: number, maxBlockBytes: number, isLinked: boolean): void {
    this.output = INPUT + maxStoredBytes + MARGIN_BYTES;
    this.maxBlockBytes = maxBlockBytes;
    this.isLinked = isLinked;
    this.start = this.output;
    this.end = this.output;
    const slackBytes = isLinked ? WINDOW_BYTES + Math.max(maxBlockBytes, MIN_SLACK_BYTES) : 0;
    const byteLength = this.output + slackBytes + maxBlockBytes + MARGIN_BYTES;
    if (this.kernels === undefined || byteLength > this.bytes.length) {
      const memory = createMemory(byteLength);
      this.bytes = new Uint8Array(memory.buffer);
      this.kernels = instantiateKernels(this.module, memory);
    }
  }

  /** Where the next block as it is stored goes. */
  input(byteLength: number): Uint8Array {
    return this.bytes.subarray(INPUT, INPUT + byteLength);
  }

  /** The block whose content is the input itself. The view is valid until the next block. */
  raw(byteLength: number): Uint8Array {
    this.makeRoom();
    this.bytes.copyWithin(this.end, INPUT, INPUT + byteLength);
    return this.add(byteLength);
  }

  /** Decodes the input; a negative code of the kernel if it is broken. */
  compressed(byteLength: number): Uint8Array | number {
    this.makeRoom();
    const { kernels, start, end, maxBlockBytes } = this;
    if (kernels === undefined) throw new Error("LZ4: a block before the first frame");
    const result = kernels.lz4DecompressAfter(INPUT, byteLength, start, end, maxBlockBytes);
    return result < 0 ? result : this.add(result);
  }

  private add(byteLength: number): Uint8Array {
    const start = this.end;
    this.end += byteLength;
    return this.bytes.subarray(start, this.end);
  }

  private makeRoom(): void {
    if (!this.isLinked) {
      this.end = this.output;
      return;
    }
    // Distances have 16 bits, so what lies further back is out of reach anyway.
    if (this.end + this.maxBlockBytes + MARGIN_BYTES <= this.bytes.length) return;
    const kept = Math.max(this.output, this.end - WINDOW_BYTES);
    this.bytes.copyWithin(this.output, kept, this.end);
    this.end -= kept - this.output;
  }
}
