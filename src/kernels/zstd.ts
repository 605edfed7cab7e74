// The kernels of Zstandard (assembly/zstd), as the loader gives them; abi.ts has the others.

export interface ZstdKernels {
  /** A Zstandard frame of up to 1 MiB; level 1 is balanced, 2 small. 0 when it does not fit. */
  zstdCompress(
    srcPtr: number,
    srcLength: number,
    dstPtr: number,
    dstCapacity: number,
    level: number,
    scratchPtr: number,
  ): number;
  /**
   * A frame for content right behind a prefix of 8 bytes or more that the reader has too; most
   * matches will be `home` bytes back (0: nobody knows). 0 when it does not fit.
   */
  zstdCompressAfter(
    prefixPtr: number,
    prefixLength: number,
    srcLength: number,
    home: number,
    dstPtr: number,
    dstCapacity: number,
    scratchPtr: number,
  ): number;
  /** Makes a decoding context of Zstandard in ZSTD_DECODE_BYTES; a frame begins. */
  zstdDecodeInit(contextPtr: number): void;
  /**
   * Decodes the content of a compressed block (RFC 8878 §3.1.1.3) of at most `dstCapacity` bytes;
   * matches reach back to `windowPtr`, in one piece with the output. Bytes, or a negative ZSTD_*.
   * Up to 8 bytes before and 32 behind the input are read.
   */
  zstdDecodeBlock(
    contextPtr: number,
    srcPtr: number,
    srcLength: number,
    windowPtr: number,
    dstPtr: number,
    dstCapacity: number,
  ): number;
  /** Decodes all Zstandard frames of the input; bytes, or a negative ZSTD_*. Reads as above. */
  zstdDecompress(
    srcPtr: number,
    srcLength: number,
    dstPtr: number,
    dstCapacity: number,
    contextPtr: number,
  ): number;
  /** Decodes one frame to right behind a prefix, to which its matches may reach. Reads as above. */
  zstdDecompressAfter(
    srcPtr: number,
    srcLength: number,
    prefixPtr: number,
    prefixLength: number,
    dstCapacity: number,
    contextPtr: number,
  ): number;
}
