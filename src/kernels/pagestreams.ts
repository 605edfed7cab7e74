// Pages compressed by a kernel, in a small memory of its own: batches of pages go in, what becomes
// of each comes out. deflate.ts and snappy.ts say which kernel.
import type { Kernels } from "./abi.ts";
import { createMemory, instantiateKernels, type KernelModule } from "./load.ts";

/** What each page became, one after another. */
export interface PageStreams {
  readonly bytes: Uint8Array;
  readonly lengths: Uint32Array;
}

/** Compresses `pageCount` pages; returns the bytes of all. */
export type CompressPages = (
  kernels: Kernels,
  places: { pages: number; streams: number; lengths: number; scratch: number },
  pageBytes: number,
  pageCount: number,
) => number;

/** The largest page that is taken. */
export const MAX_STREAM_PAGE_BYTES = 65_536;
const MAX_PAGES = 256;
const BATCH_BYTES = 1 << 18;
/** More than kernels read behind the pages. */
const MARGIN_BYTES = 64;

/** What a page may become, and be wild by: kernels of this folder ask for no more. */
function streamBytes(pageBytes: number): number {
  return pageBytes + Math.ceil(pageBytes / 6) + 64;
}

export class PageCompressor {
  private readonly kernels: Kernels;
  private readonly memory: Uint8Array;
  private readonly places;

  constructor(module: KernelModule, scratchBytes: number) {
    //   module 64 KiB | scratch | lengths | pages | margin | streams
    const scratch = 65_536;
    const lengths = scratch + scratchBytes;
    const pages = lengths + 4 * MAX_PAGES;
    const streams = pages + BATCH_BYTES + MARGIN_BYTES;
    this.places = { scratch, lengths, pages, streams };
    const memory = createMemory(streams + streamBytes(BATCH_BYTES) + MAX_PAGES * streamBytes(0));
    this.kernels = instantiateKernels(module, memory);
    this.memory = new Uint8Array(memory.buffer);
  }

  /** `pages` are whole ones, one after another. */
  compress(pages: Uint8Array, pageBytes: number, compress: CompressPages): PageStreams {
    const pageCount = pages.length / pageBytes;
    if (!Number.isInteger(pageCount) || pageBytes > MAX_STREAM_PAGE_BYTES) {
      throw new RangeError(`${pages.length} bytes are no pages of ${pageBytes} bytes`);
    }
    const { kernels, memory, places } = this;
    const batchPages = Math.min(MAX_PAGES, Math.floor(BATCH_BYTES / pageBytes));
    const bytes = new Uint8Array(pageCount * streamBytes(pageBytes));
    const lengths = new Uint32Array(pageCount);
    let end = 0;
    for (let page = 0; page < pageCount; page += batchPages) {
      const count = Math.min(batchPages, pageCount - page);
      const batch = pages.subarray(page * pageBytes, (page + count) * pageBytes);
      memory.set(batch, places.pages);
      const length = compress(kernels, places, pageBytes, count);
      bytes.set(memory.subarray(places.streams, places.streams + length), end);
      lengths.set(new Uint32Array(memory.buffer, places.lengths, count), page);
      end += length;
    }
    return { bytes: bytes.subarray(0, end), lengths };
  }
}
