// Snappy in small memories of its own: pages as the blocks that libsnappy itself makes of them, so
// that a dump can be written again from its pages; and blocks decoded.
import * as abi from "./abi.ts";
import { createMemory, instantiateKernels, type KernelModule } from "./load.ts";
import { PageCompressor, type PageStreams } from "./pagestreams.ts";

/** The releases of libsnappy that make different blocks of the same page, frequent ones first. */
export const SNAPPY_RELEASES = {
  "1.1.9": abi.SNAPPY_AS_1_1_9,
  "1.2": abi.SNAPPY_AS_1_2,
  "1.1.8": abi.SNAPPY_AS_1_1_8,
  "1.1.10 with crc": abi.SNAPPY_AS_1_1_10_CRC,
  "1.2 with crc": abi.SNAPPY_AS_1_2_CRC,
  "1.1.3": abi.SNAPPY_AS_1_1_3,
} as const;
/** One of them, as a number. */
export type SnappyRelease = (typeof SNAPPY_RELEASES)[keyof typeof SNAPPY_RELEASES];

export class SnappyPages {
  private readonly compressor: PageCompressor;

  constructor(module: KernelModule) {
    this.compressor = new PageCompressor(module, abi.SNAPPY_SCRATCH_BYTES);
  }

  /** What libsnappy gives for each of the pages that lie in `pages`. */
  compress(pages: Uint8Array, pageBytes: number, release: SnappyRelease): PageStreams {
    return this.compressor.compress(pages, pageBytes, (kernels, places, bytes, count) =>
      kernels.snappyPages(
        places.pages,
        bytes,
        count,
        places.streams,
        places.lengths,
        release,
        places.scratch,
      ),
    );
  }
}

/** The most that a block that is decoded may hold, and that it may take: 1 literal in 2 bytes. */
export const SNAPPY_MAX_CONTENT_BYTES = 65_536;
export const SNAPPY_MAX_BLOCK_BYTES = 2 * SNAPPY_MAX_CONTENT_BYTES + 16;

//   module 64 KiB | tables of CRC-32C | block | margin | content
const TABLES = 65_536;
const INPUT = TABLES + abi.CRC32C_TABLE_BYTES;
const MARGIN_BYTES = 64;
const OUTPUT = INPUT + SNAPPY_MAX_BLOCK_BYTES + MARGIN_BYTES;

export class SnappyBlocks {
  private readonly kernels: abi.Kernels;
  private readonly bytes: Uint8Array;

  constructor(module: KernelModule) {
    const memory = createMemory(OUTPUT + SNAPPY_MAX_CONTENT_BYTES + MARGIN_BYTES);
    this.kernels = instantiateKernels(module, memory);
    this.kernels.crc32cInit(TABLES);
    this.bytes = new Uint8Array(memory.buffer);
  }

  /** Decodes a block to `into`. Returns the bytes of its content, or a negative SNAPPY_*. */
  decode(block: Uint8Array, into: Uint8Array): number {
    if (block.length > SNAPPY_MAX_BLOCK_BYTES) return -abi.SNAPPY_OVER_CAPACITY;
    this.input(block.length).set(block);
    const content = this.compressed(block.length, into.length);
    if (typeof content === "number") return content;
    into.set(content);
    return content.length;
  }

  /** Where a block goes that is to be decoded, of at most SNAPPY_MAX_BLOCK_BYTES. */
  input(byteLength: number): Uint8Array {
    return this.bytes.subarray(INPUT, INPUT + byteLength);
  }

  /** The content of the block in the input, or a negative SNAPPY_*. Valid until the next one. */
  compressed(byteLength: number, capacity = SNAPPY_MAX_CONTENT_BYTES): Uint8Array | number {
    const limit = Math.min(capacity, SNAPPY_MAX_CONTENT_BYTES);
    const result = this.kernels.snappyDecompress(INPUT, byteLength, OUTPUT, limit);
    return result < 0 ? result : this.bytes.subarray(OUTPUT, OUTPUT + result);
  }

  /** CRC-32C of the input or of the content that was decoded, whichever `bytes` is a view of. */
  checksum(bytes: Uint8Array): number {
    return this.kernels.crc32c(bytes.byteOffset, bytes.length, TABLES) >>> 0;
  }
}
