// Why the decoding kernel refuses a Zstandard block, in words.
import * as abi from "../../kernels/abi.ts";

const REASONS: Readonly<Record<number, string>> = {
  [abi.ZSTD_OVER_CAPACITY]: "it is larger than the frame allows",
  [abi.ZSTD_BAD_BLOCK]: "the lengths in it do not fit",
  [abi.ZSTD_BAD_CODES]: "its Huffman codes are broken",
  [abi.ZSTD_LONG_CODES]: "its Huffman codes have more than 11 bits",
  [abi.ZSTD_BAD_LITERALS]: "its literals do not end where they must",
  [abi.ZSTD_NO_TABLE]: "it repeats a table that no block before has",
  [abi.ZSTD_BAD_TABLE]: "an FSE table of it is broken",
  [abi.ZSTD_BAD_BITS]: "its sequences do not end where they must",
  [abi.ZSTD_BAD_SEQUENCE]: "a sequence reaches outside of the window",
};

/** The reason behind a negative result of the kernel. */
export function zstdReason(result: number): string {
  return REASONS[-result] ?? `the kernel refuses it with ${result}`;
}
