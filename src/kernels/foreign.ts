// The kernels that write what other programs wrote (assembly/deflate), byte for byte, as the loader
// gives them; abi.ts has the others.

export interface ForeignKernels {
  /**
   * Compresses pages of 1 … 65536 bytes into zlib streams, as compress2() of zlib does at level 1.
   * The streams lie one after another, their bytes (u32 each) go to `lengthsPtr`; returns the bytes
   * of all. The output has 9 bytes for each 8 of a page and 64 more; 8 bytes behind the pages are
   * read.
   */
  zlibPages(
    pagesPtr: number,
    pageBytes: number,
    pageCount: number,
    dstPtr: number,
    lengthsPtr: number,
    scratchPtr: number,
  ): number;
}
