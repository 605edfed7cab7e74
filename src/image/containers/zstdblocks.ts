// The memory of a streaming Zstandard decoder, and its blocks: context of the kernel, one block of
// input, and the output with as much before it as matches may reach back to.
//
//   module 64 KiB | context | one block of input between margins | output …
//
// The output is filled from its start. Where the next block may not fit any more, the window before
// it moves to the start: once per half a window or per MiB, whichever is more.

import { ZSTD_MAX_BLOCK_BYTES, type ZstdFrameHead } from "../../core/zstdframe.ts";
import { type Kernels, ZSTD_DECODE_BYTES } from "../../kernels/abi.ts";
import { createMemory, instantiateKernels, type KernelModule } from "../../kernels/load.ts";

const CONTEXT = 65_536;
/** More than the kernel reads before and behind its input. */
const MARGIN_BYTES = 64;
const INPUT = CONTEXT + ZSTD_DECODE_BYTES + MARGIN_BYTES;
const OUTPUT = INPUT + ZSTD_MAX_BLOCK_BYTES + MARGIN_BYTES;
const MIN_SLACK_BYTES = 1 << 20;

export class ZstdBlocks {
  private readonly module: KernelModule;
  private kernels: Kernels | undefined;
  private bytes = new Uint8Array(0);
  private windowBytes = 0;
  private maxBlockBytes = 0;
  private end = OUTPUT;

  constructor(module: KernelModule) {
    this.module = module;
  }

  /** Forgets the frame before, and takes more memory if this one needs more. */
  beginFrame(head: ZstdFrameHead): void {
    const { windowBytes, contentBytes, maxBlockBytes } = head;
    this.windowBytes = windowBytes;
    this.maxBlockBytes = maxBlockBytes;
    this.end = OUTPUT;
    const slackBytes = Math.max(windowBytes / 2, MIN_SLACK_BYTES);
    // Nothing moves in a frame that is known to be small.
    const outputBytes = Math.min(windowBytes + slackBytes, contentBytes ?? Infinity);
    const byteLength = OUTPUT + Math.ceil(outputBytes) + maxBlockBytes;
    if (this.kernels === undefined || byteLength > this.bytes.length) {
      const memory = createMemory(byteLength);
      this.bytes = new Uint8Array(memory.buffer);
      this.kernels = instantiateKernels(this.module, memory);
    }
    this.kernels.zstdDecodeInit(CONTEXT);
  }

  /** Where the content of the next block goes, `byteLength` (at most 128 KiB) of it. */
  input(byteLength: number): Uint8Array {
    return this.bytes.subarray(INPUT, INPUT + byteLength);
  }

  /** The block whose content is the input itself. The view is valid until the next block. */
  raw(byteLength: number): Uint8Array {
    this.makeRoom();
    this.bytes.copyWithin(this.end, INPUT, INPUT + byteLength);
    return this.add(byteLength);
  }

  /** The block that repeats the first byte of the input. */
  repeated(byteLength: number): Uint8Array {
    this.makeRoom();
    this.bytes.fill(this.bytes[INPUT], this.end, this.end + byteLength);
    return this.add(byteLength);
  }

  /** Decodes the input as a compressed block; a negative code of the kernel if it is broken. */
  compressed(byteLength: number): Uint8Array | number {
    this.makeRoom();
    const { kernels, end, maxBlockBytes } = this;
    if (kernels === undefined) throw new Error("zstd: a block before the first frame");
    const windowStart = Math.max(OUTPUT, end - this.windowBytes);
    const result = kernels.zstdDecodeBlock(
      CONTEXT,
      INPUT,
      byteLength,
      windowStart,
      end,
      maxBlockBytes,
    );
    return result < 0 ? result : this.add(result);
  }

  private add(byteLength: number): Uint8Array {
    const start = this.end;
    this.end += byteLength;
    return this.bytes.subarray(start, this.end);
  }

  private makeRoom(): void {
    if (this.end + this.maxBlockBytes <= this.bytes.length) return;
    const start = Math.max(OUTPUT, this.end - this.windowBytes);
    this.bytes.copyWithin(OUTPUT, start, this.end);
    this.end -= start - OUTPUT;
  }
}
