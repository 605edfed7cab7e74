// The sizes and record shapes that kernels and TypeScript agree on (src/kernels/layout.ts mirrors
// this file; a test compares the two). Nothing here is computed.

/** Bytes of one page of guest memory. */
// @ts-ignore: decorator
@inline export const PAGE_BYTES: u32 = 4096;
/** Bytes of one block, the unit of the diff. */
// @ts-ignore: decorator
@inline export const BLOCK_BYTES: u32 = 64;

// Survey record, one per page (32 bytes):
//    0  u32  kind: 1 zero, 2 uniform, 3 ordinary
//    4  u32  0
//    8  u64  the word a uniform page repeats (0 for the other kinds)
//   16  u32  sketch features, 4 of them (0 unless ordinary)
// @ts-ignore: decorator
@inline export const SURVEY_RECORD_BYTES: u32 = 32;
// @ts-ignore: decorator
@inline export const SURVEY_ZERO: u32 = 1;
// @ts-ignore: decorator
@inline export const SURVEY_UNIFORM: u32 = 2;
// @ts-ignore: decorator
@inline export const SURVEY_ORDINARY: u32 = 3;
/** Bytes of one fingerprint: XXH3-128, low 64 bits first. */
// @ts-ignore: decorator
@inline export const FINGERPRINT_BYTES: u32 = 16;
/** Features in one sketch. */
// @ts-ignore: decorator
@inline export const SKETCH_FEATURES: u32 = 4;

/** Bytes of one digest: BLAKE3-256. */
// @ts-ignore: decorator
@inline export const DIGEST_BYTES: u32 = 32;

// Scratch sizes, handed in by the caller.
/** Words in four lanes, and one level for each bit that a count of chunks can have. */
// @ts-ignore: decorator
@inline export const BLAKE3_SCRATCH_BYTES: u32 = 2688;
/** LZ4 hash table, u16 positions, for inputs up to 64 KiB. */
// @ts-ignore: decorator
@inline export const LZ4_SCRATCH_BYTES: u32 = 32768;
/** Anchor table of the delta encoder. */
// @ts-ignore: decorator
@inline export const DELTA_SCRATCH_BYTES: u32 = 65536;
/** Reference pages a delta may name. */
// @ts-ignore: decorator
@inline export const DELTA_MAX_REFERENCES: u32 = 3;

// Entry of the fingerprint table (40 bytes):
//    0  u64 u64  fingerprint, low then high
//   16  u64      place: where the content can be read again (meaning is the caller's)
//   24  u64      slot: where the content is stored (0 until the caller knows it)
//   32  u32      next entry of the same bucket + 1, 0 at the end
//   36  u32      0
// @ts-ignore: decorator
@inline export const TABLE_ENTRY_BYTES: u32 = 40;
// What a look-up in the fingerprint table says of a page.
// @ts-ignore: decorator
@inline export const LOOKUP_NONE: u32 = 0;
// @ts-ignore: decorator
@inline export const LOOKUP_FOUND: u32 = 1;
// @ts-ignore: decorator
@inline export const LOOKUP_INSERTED: u32 = 2;
// @ts-ignore: decorator
@inline export const LOOKUP_FULL: u32 = 3;
/** Candidates that the sketch table names for one page. */
// @ts-ignore: decorator
@inline export const SKETCH_CANDIDATES: u32 = 3;
/** Anchors of one page at most. */
// @ts-ignore: decorator
@inline export const ANCHORS_MAX: u32 = 64;
/** Parts of a bit in which the entropy of a page is told. */
// @ts-ignore: decorator
@inline export const ENTROPY_PER_BIT: u32 = 4096;
/** Four histograms of the bytes of a page, u16. */
// @ts-ignore: decorator
@inline export const ENTROPY_SCRATCH_BYTES: u32 = 2048;
/** Marks an empty place in a list of entries. */
// @ts-ignore: decorator
@inline export const NO_ENTRY: u32 = 0xffffffff;

// Plan of a page: its first words (the candidates behind them are the workers' alone).
//    0  u32  action      4  u32  candidates      8  u32  outcome
// @ts-ignore: decorator
@inline export const ACTION_NONE: u32 = 1;
// @ts-ignore: decorator
@inline export const ACTION_STORE: u32 = 3;
// @ts-ignore: decorator
@inline export const OUTCOME_NONE: u32 = 1;
// @ts-ignore: decorator
@inline export const OUTCOME_EQUAL: u32 = 2;
// @ts-ignore: decorator
@inline export const OUTCOME_STORED: u32 = 3;
// @ts-ignore: decorator
@inline export const OUTCOME_DELTA: u32 = 4;
// @ts-ignore: decorator
@inline export const OUTCOME_NAMED: u32 = 5;

// How clusters are compressed. Zstandard comes in levels: COMPRESS_ZSTD is the first.
// @ts-ignore: decorator
@inline export const COMPRESS_NONE: u32 = 0;
// @ts-ignore: decorator
@inline export const COMPRESS_LZ4: u32 = 1;
// @ts-ignore: decorator
@inline export const COMPRESS_ZSTD: u32 = 2;
// @ts-ignore: decorator
@inline export const COMPRESS_ZSTD_SMALL: u32 = 3;

// Encoded cluster (16 bytes): u32 offset, u32 bytes with header, u32 items, u32 flags
// @ts-ignore: decorator
@inline export const CLUSTER_ENTRY_BYTES: u32 = 16;
// @ts-ignore: decorator
@inline export const CLUSTER_IS_DELTAS: u32 = 1;
// @ts-ignore: decorator
@inline export const CLUSTER_IS_RAW: u32 = 2;

// Slot of a table entry: u32 cluster, then u32 state with the item in its low 8 bits
// @ts-ignore: decorator
@inline export const SLOT_KNOWN: u32 = 0x80000000;
// @ts-ignore: decorator
@inline export const SLOT_DELTAS: u32 = 0x40000000;
// @ts-ignore: decorator
@inline export const SLOT_BASE: u32 = 0x20000000;

// Run of pages that were coded alike (24 bytes): u32 kind, u32 pages, u32 cluster, u32 state,
// u64 word (uniform) or ordinal of the first page's owner (equal). Kinds:
// @ts-ignore: decorator
@inline export const RUN_BYTES: u32 = 24;
// @ts-ignore: decorator
@inline export const RUN_ZERO: u32 = 1;
// @ts-ignore: decorator
@inline export const RUN_UNIFORM: u32 = 2;
// @ts-ignore: decorator
@inline export const RUN_STORED: u32 = 3;
// @ts-ignore: decorator
@inline export const RUN_DELTA: u32 = 4;
// @ts-ignore: decorator
@inline export const RUN_EQUAL: u32 = 5;
// @ts-ignore: decorator
@inline export const RUN_NAMED: u32 = 6;

/** All that compressing a Zstandard frame needs: assembly/zstd/encodelayout.ts says what for. */
// @ts-ignore: decorator
@inline export const ZSTD_COMPRESS_SCRATCH_BYTES: u32 = 2621440;
/** All that compressing one behind a prefix needs. */
// @ts-ignore: decorator
@inline export const ZSTD_AFTER_SCRATCH_BYTES: u32 = 4194304;

/** A decoding context of Zstandard, which assembly/zstd/decodecontext.ts draws. */
// @ts-ignore: decorator
@inline export const ZSTD_DECODE_BYTES: u32 = 153888;
/** The largest window that is decoded: what the zstd command takes without being told more. */
// @ts-ignore: decorator
@inline export const ZSTD_MAX_WINDOW_BYTES: u32 = 134217728;
// Why a decoder of Zstandard refuses, as negative results:
/** The input ends early. */
// @ts-ignore: decorator
@inline export const ZSTD_TRUNCATED: u32 = 1;
/** The output does not fit. */
// @ts-ignore: decorator
@inline export const ZSTD_OVER_CAPACITY: u32 = 2;
/** No Zstandard frame begins here. */
// @ts-ignore: decorator
@inline export const ZSTD_BAD_MAGIC: u32 = 3;
/** A reserved bit of the frame header is set. */
// @ts-ignore: decorator
@inline export const ZSTD_BAD_HEADER: u32 = 4;
/** A dictionary is asked for. */
// @ts-ignore: decorator
@inline export const ZSTD_DICTIONARY: u32 = 5;
/** The window is larger than ZSTD_MAX_WINDOW_BYTES. */
// @ts-ignore: decorator
@inline export const ZSTD_WINDOW: u32 = 6;
/** A block of a reserved kind, of broken lengths, or larger than the frame allows. */
// @ts-ignore: decorator
@inline export const ZSTD_BAD_BLOCK: u32 = 7;
/** The weights of the Huffman codes are broken. */
// @ts-ignore: decorator
@inline export const ZSTD_BAD_CODES: u32 = 8;
/** Huffman codes of more than 11 bits. */
// @ts-ignore: decorator
@inline export const ZSTD_LONG_CODES: u32 = 9;
/** A stream of literals does not end where it must. */
// @ts-ignore: decorator
@inline export const ZSTD_BAD_LITERALS: u32 = 10;
/** A table of the block before is asked for, and there is none. */
// @ts-ignore: decorator
@inline export const ZSTD_NO_TABLE: u32 = 11;
/** The shares of an FSE table are broken. */
// @ts-ignore: decorator
@inline export const ZSTD_BAD_TABLE: u32 = 12;
/** The sequences do not end where their stream does, or reserved bits are set. */
// @ts-ignore: decorator
@inline export const ZSTD_BAD_BITS: u32 = 13;
/** A sequence reaches outside of the literals or of the window. */
// @ts-ignore: decorator
@inline export const ZSTD_BAD_SEQUENCE: u32 = 14;
/** The content has another size than the header says. */
// @ts-ignore: decorator
@inline export const ZSTD_BAD_SIZE: u32 = 15;
/** The content has another checksum than the frame says. */
// @ts-ignore: decorator
@inline export const ZSTD_BAD_CHECKSUM: u32 = 16;

/** All that compressing pages as zlib does needs: assembly/deflate/layout.ts says what for. */
// @ts-ignore: decorator
@inline export const ZLIB_SCRATCH_BYTES: u32 = 272384;

/** The tables of CRC-32C, for assembly/crc32c.ts. */
// @ts-ignore: decorator
@inline export const CRC32C_TABLE_BYTES: u32 = 8192;
/** All that compressing pages as snappy does needs: tables of CRC-32C, table of 2^15 places. */
// @ts-ignore: decorator
@inline export const SNAPPY_SCRATCH_BYTES: u32 = 73728;
// The releases of libsnappy whose blocks differ, by the first or the last of each kind; with _CRC
// where it was compiled for processors that have an instruction for CRC-32C.
/** Up to 1.1.3. */
// @ts-ignore: decorator
@inline export const SNAPPY_AS_1_1_3: u32 = 1;
/** 1.1.4 to 1.1.8. */
// @ts-ignore: decorator
@inline export const SNAPPY_AS_1_1_8: u32 = 2;
/** 1.1.9 and 1.1.10. */
// @ts-ignore: decorator
@inline export const SNAPPY_AS_1_1_9: u32 = 3;
// @ts-ignore: decorator
@inline export const SNAPPY_AS_1_1_10_CRC: u32 = 4;
/** From 1.2.0 on. */
// @ts-ignore: decorator
@inline export const SNAPPY_AS_1_2: u32 = 5;
// @ts-ignore: decorator
@inline export const SNAPPY_AS_1_2_CRC: u32 = 6;
// Why the decoder of snappy refuses, as negative results:
/** The input ends early. */
// @ts-ignore: decorator
@inline export const SNAPPY_TRUNCATED: u32 = 1;
/** The content does not fit. */
// @ts-ignore: decorator
@inline export const SNAPPY_OVER_CAPACITY: u32 = 2;
/** A copy from before the content. */
// @ts-ignore: decorator
@inline export const SNAPPY_BAD_DISTANCE: u32 = 3;
/** The content has another size than is stated, or none that can be. */
// @ts-ignore: decorator
@inline export const SNAPPY_BAD_SIZE: u32 = 4;
