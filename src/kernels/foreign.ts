// The kernels for what other programs compressed (assembly/deflate, assembly/snappy), as the loader
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

  /**
   * Compresses pages of 1 … 65536 bytes into snappy blocks, as the release of libsnappy does that
   * `as` names (SNAPPY_AS_*). As above, but the output has 7 bytes for each 6 of a page and 64
   * more, and 16 bytes behind the pages are read.
   */
  snappyPages(
    pagesPtr: number,
    pageBytes: number,
    pageCount: number,
    dstPtr: number,
    lengthsPtr: number,
    as: number,
    scratchPtr: number,
  ): number;
  /** Total decoder of a snappy block: returns the bytes of its content, or a negative SNAPPY_*. */
  snappyDecompress(srcPtr: number, srcLength: number, dstPtr: number, dstCapacity: number): number;
  /** Makes the tables of `crc32c`, CRC32C_TABLE_BYTES in all. */
  crc32cInit(tablesPtr: number): void;
  /** CRC-32C of `length` bytes. */
  crc32c(ptr: number, length: number, tablesPtr: number): number;
}
