// What a Zstandard decoder remembers from block to block, as offsets into memory that the caller
// hands in (ZSTD_DECODE_BYTES, layout.ts): the last offsets, the entropy tables, and room to work.
//
//       0  u32 ×3  the last three offsets, newest first
//      12  u32     1 if there are Huffman codes to repeat
//      16  u32 ×3  where the tables of literal lengths, offsets and match lengths lie (from the
//                  context; 0: none yet), then u32 ×3 the logarithms of their sizes
//      40  u32     literals of this block: address, then count
//      48  u32 ×6  states of the sequence decoder: addresses of three entries, bits left, address
//                  of the stream, sequences left
//      72  u32 ×3  states of the execution: literals, their end, output
//      84  u32     where the frame goes on in the input; u64 size of its content
//     160  u32     its largest block, then u32 not 0 if it has a checksum
// The rest are arrays, named below.

// @ts-ignore: decorator
@inline export const OFFSETS: usize = 0;
// @ts-ignore: decorator
@inline export const HAS_CODES: usize = 12;
// @ts-ignore: decorator
@inline export const TABLES: usize = 16;
// @ts-ignore: decorator
@inline export const TABLE_LOGS: usize = 28;
// @ts-ignore: decorator
@inline export const LITERALS: usize = 40;
// @ts-ignore: decorator
@inline export const LITERAL_COUNT: usize = 44;
// @ts-ignore: decorator
@inline export const LENGTH_STATE: usize = 48;
// @ts-ignore: decorator
@inline export const OFFSET_STATE: usize = 52;
// @ts-ignore: decorator
@inline export const MATCH_STATE: usize = 56;
// @ts-ignore: decorator
@inline export const BITS_LEFT: usize = 60;
// @ts-ignore: decorator
@inline export const STREAM: usize = 64;
// @ts-ignore: decorator
@inline export const SEQUENCES_LEFT: usize = 68;
// @ts-ignore: decorator
@inline export const LITERALS_AT: usize = 72;
// @ts-ignore: decorator
@inline export const LITERALS_END: usize = 76;
// @ts-ignore: decorator
@inline export const OUTPUT_AT: usize = 80;
// @ts-ignore: decorator
@inline export const FRAME_AT: usize = 84;
// @ts-ignore: decorator
@inline export const FRAME_SIZE: usize = 88;
// @ts-ignore: decorator
@inline export const FRAME_BLOCK_BYTES: usize = 160;
// @ts-ignore: decorator
@inline export const FRAME_CHECKSUM: usize = 164;
/** Four streams of literals: bits (u64), address of them and output of each. */
// @ts-ignore: decorator
@inline export const FOUR_BITS: usize = 96;
// @ts-ignore: decorator
@inline export const FOUR_INPUTS: usize = 128;
// @ts-ignore: decorator
@inline export const FOUR_OUTPUTS: usize = 144;

/** Shares of an FSE table (i16, -1 stands for less than one), up to 64. */
// @ts-ignore: decorator
@inline export const SHARES: usize = 256;
/** The next state of each symbol while a table is built (u16), up to 64. */
// @ts-ignore: decorator
@inline export const NEXT_STATES: usize = 384;
/** What an entry of a sequence table says of a code: 36 + 32 + 53 u64. */
// @ts-ignore: decorator
@inline export const LENGTH_CODES: usize = 512;
// @ts-ignore: decorator
@inline export const OFFSET_CODES: usize = 800;
// @ts-ignore: decorator
@inline export const MATCH_CODES: usize = 1056;
/** Weights of the Huffman codes (u8), 256 and 8 for wild writes. */
// @ts-ignore: decorator
@inline export const WEIGHTS: usize = 1536;
/** Symbols of each weight, then the place of the next one (u32), weights 0 … 11. */
// @ts-ignore: decorator
@inline export const WEIGHT_COUNTS: usize = 1800;
/** FSE table of Huffman weights: 64 entries of 8 bytes. */
// @ts-ignore: decorator
@inline export const WEIGHT_TABLE: usize = 2056;
/** Huffman table: 2048 × (length u8, symbol u8). */
// @ts-ignore: decorator
@inline export const CODES: usize = 4096;
/** Tables that the format predefines: 64, 32 and 64 entries. */
// @ts-ignore: decorator
@inline export const DEFAULT_LENGTHS: usize = 8192;
// @ts-ignore: decorator
@inline export const DEFAULT_OFFSETS: usize = 8704;
// @ts-ignore: decorator
@inline export const DEFAULT_MATCHES: usize = 8960;
/** Tables of the blocks: 512, 256 and 512 entries. */
// @ts-ignore: decorator
@inline export const OWN_LENGTHS: usize = 9472;
// @ts-ignore: decorator
@inline export const OWN_OFFSETS: usize = 13568;
// @ts-ignore: decorator
@inline export const OWN_MATCHES: usize = 15616;
/** Sequences between decoding and execution: SEQUENCE_BATCH × 12 bytes. */
// @ts-ignore: decorator
@inline export const SEQUENCES: usize = 19712;
// @ts-ignore: decorator
@inline export const SEQUENCE_BATCH: u32 = 256;
// @ts-ignore: decorator
@inline export const SEQUENCE_BYTES: usize = 12;
/** Literals that are not read straight from the input: 128 KiB and 32 for wild reads. */
// @ts-ignore: decorator
@inline export const LITERAL_BUFFER: usize = 22784;
