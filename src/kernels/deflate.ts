// Pages as the zlib streams that zlib itself makes of them: what QEMU and makedumpfile write into
// kdump files, so that a file can be written again from its pages.
import { ZLIB_SCRATCH_BYTES } from "./abi.ts";
import type { KernelModule } from "./load.ts";
import { type CompressPages, PageCompressor, type PageStreams } from "./pagestreams.ts";

const zlibPages: CompressPages = (kernels, places, pageBytes, pageCount) => {
  const { pages, streams, lengths, scratch } = places;
  return kernels.zlibPages(pages, pageBytes, pageCount, streams, lengths, scratch);
};

export class ZlibPages {
  private readonly compressor: PageCompressor;

  constructor(module: KernelModule) {
    this.compressor = new PageCompressor(module, ZLIB_SCRATCH_BYTES);
  }

  /** What compress2() of zlib gives at level 1 for each of the pages that lie in `pages`. */
  deflate(pages: Uint8Array, pageBytes: number): PageStreams {
    return this.compressor.compress(pages, pageBytes, zlibPages);
  }
}
