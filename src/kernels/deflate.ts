// Pages as the zlib streams that zlib itself makes of them, in a small memory of their own: what
// QEMU and makedumpfile write into kdump files, so that a file can be written again from its pages.
import { ZLIB_SCRATCH_BYTES } from "./abi.ts";
import { createMemory, instantiateKernels, type KernelModule } from "./load.ts";

/** The largest page that is taken. */
export const ZLIB_MAX_PAGE_BYTES = 65_536;

//   module 64 KiB | scratch | lengths | pages, and 8 bytes that are read behind them | streams
const SCRATCH = 65_536;
const LENGTHS = SCRATCH + ZLIB_SCRATCH_BYTES;
const MAX_PAGES = 256;
const PAGES = LENGTHS + 4 * MAX_PAGES;
const BATCH_BYTES = 1 << 18;
const STREAMS = PAGES + BATCH_BYTES + 64;

/** What a stream of a page may take, which the kernel asks for. */
function streamBytes(pageBytes: number): number {
  return pageBytes + Math.ceil(pageBytes / 8) + 64;
}

/** One zlib stream for each page, one after another. */
export interface ZlibStreams {
  readonly bytes: Uint8Array;
  readonly lengths: Uint32Array;
}

export class ZlibPages {
  private readonly kernels;
  private readonly memory: Uint8Array;
  private readonly lengths: Uint32Array;

  constructor(module: KernelModule) {
    const memory = createMemory(STREAMS + streamBytes(BATCH_BYTES) + MAX_PAGES * 64);
    this.kernels = instantiateKernels(module, memory);
    this.memory = new Uint8Array(memory.buffer);
    this.lengths = new Uint32Array(memory.buffer, LENGTHS, MAX_PAGES);
  }

  /** What compress2() of zlib gives at level 1 for each of the pages that lie in `pages`. */
  deflate(pages: Uint8Array, pageBytes: number): ZlibStreams {
    const pageCount = pages.length / pageBytes;
    if (!Number.isInteger(pageCount) || pageBytes > ZLIB_MAX_PAGE_BYTES) {
      throw new RangeError(`zlib: ${pages.length} bytes are no pages of ${pageBytes} bytes`);
    }
    const batchPages = Math.min(MAX_PAGES, Math.floor(BATCH_BYTES / pageBytes));
    const bytes = new Uint8Array(pageCount * streamBytes(pageBytes));
    const lengths = new Uint32Array(pageCount);
    let end = 0;
    for (let page = 0; page < pageCount; page += batchPages) {
      const count = Math.min(batchPages, pageCount - page);
      this.memory.set(pages.subarray(page * pageBytes, (page + count) * pageBytes), PAGES);
      const length = this.kernels.zlibPages(PAGES, pageBytes, count, STREAMS, LENGTHS, SCRATCH);
      bytes.set(this.memory.subarray(STREAMS, STREAMS + length), end);
      lengths.set(this.lengths.subarray(0, count), page);
      end += length;
    }
    return { bytes: bytes.subarray(0, end), lengths };
  }
}
