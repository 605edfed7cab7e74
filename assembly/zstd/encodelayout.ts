// Where the encoder of Zstandard keeps what: offsets in its scratch, which the caller hands in. It
// holds no code. Two Huffman codes and two sets of FSE tables take turns: the one in force and the
// one of the block at work, which is dropped when that block is stored raw.

/** Bytes of input in one block. */
// @ts-ignore: decorator
@inline export const BLOCK_MAX: u32 = 131072;
/** Stores of 8 and 16 bytes may end this far behind what they are for, and reads as well. */
// @ts-ignore: decorator
@inline export const SLACK: usize = 64;

// Huffman code: u64 per byte value, the bits of its code word at the top and their count at the
// bottom; 0 for a value without a code.
// @ts-ignore: decorator
@inline export const HUFFMAN_BYTES: usize = 2048;

// Set of FSE tables. A transform is (u32, i32) per code, see fsetable.ts; states are u16; shares
// are the i16 counts that the table was made from.
// @ts-ignore: decorator
@inline export const SET_TRANSFORM_LITERALS: usize = 0;
// @ts-ignore: decorator
@inline export const SET_TRANSFORM_OFFSETS: usize = 512;
// @ts-ignore: decorator
@inline export const SET_TRANSFORM_MATCHES: usize = 1024;
// @ts-ignore: decorator
@inline export const SET_STATES: usize = 1536;
/** Between the states of one table and those of the next. */
// @ts-ignore: decorator
@inline export const STATES_BYTES: usize = 1024;
// @ts-ignore: decorator
@inline export const SET_SHARES: usize = 4608;
// @ts-ignore: decorator
@inline export const SHARES_BYTES: usize = 128;
/** Per table: u32 bits of its states, u32 whether it may be repeated. */
// @ts-ignore: decorator
@inline export const SET_LOGS: usize = 4992;
// @ts-ignore: decorator
@inline export const SET_BYTES: usize = 5056;

// The state of a frame: four u32 addresses, then two flags of the block at work.
// @ts-ignore: decorator
@inline export const HUFFMAN: usize = 0;
// @ts-ignore: decorator
@inline export const HUFFMAN_NEXT: usize = 4;
// @ts-ignore: decorator
@inline export const SET: usize = 8;
// @ts-ignore: decorator
@inline export const SET_NEXT: usize = 12;
/** Whether there is a code that literals may repeat. */
// @ts-ignore: decorator
@inline export const HUFFMAN_VALID: usize = 16;
/** Whether the block at work made a code of its own, and tables of its own. */
// @ts-ignore: decorator
@inline export const HUFFMAN_FRESH: usize = 20;
// @ts-ignore: decorator
@inline export const SET_FRESH: usize = 24;

// @ts-ignore: decorator
@inline export const HUFFMAN_STORE: usize = 64;
// @ts-ignore: decorator
@inline export const SET_STORE: usize = HUFFMAN_STORE + 2 * HUFFMAN_BYTES;
/** Per literal length below 64 and per match length below 131: see sequencecodes.ts. */
// @ts-ignore: decorator
@inline export const LITERAL_CODES: usize = SET_STORE + 2 * SET_BYTES;
// @ts-ignore: decorator
@inline export const MATCH_CODES: usize = LITERAL_CODES + 64 * 8;
/** What building a code or a table needs in between. */
// @ts-ignore: decorator
@inline export const WORK: usize = MATCH_CODES + 128 * 8;
/** The parts of the block at work, one behind the other. */
// @ts-ignore: decorator
@inline export const PARTS: usize = WORK + 8192;

// Part: u32 address of its records | u32 records | u32 address of its literals | u32 literals
//       | f32 cost in bits | f32 gain of joining the next part | u32 address of the next part, or 0
//       | f32 cost of the two, then counters.
// @ts-ignore: decorator
@inline export const PART_RECORDS: usize = 0;
// @ts-ignore: decorator
@inline export const PART_COUNT: usize = 4;
// @ts-ignore: decorator
@inline export const PART_LITERALS: usize = 8;
// @ts-ignore: decorator
@inline export const PART_LITERAL_COUNT: usize = 12;
// @ts-ignore: decorator
@inline export const PART_COST: usize = 16;
// @ts-ignore: decorator
@inline export const PART_GAIN: usize = 20;
// @ts-ignore: decorator
@inline export const PART_NEXT: usize = 24;
// @ts-ignore: decorator
@inline export const PART_JOINED_COST: usize = 28;
/** u32 per value of a literal. */
// @ts-ignore: decorator
@inline export const PART_BYTE_COUNTS: usize = 32;
/** u32 in 8 bytes per code: literal lengths, offsets, match lengths. */
// @ts-ignore: decorator
@inline export const PART_CODE_COUNTS: usize = PART_BYTE_COUNTS + 1024;
/** Between the counters of one kind of code and the next. */
// @ts-ignore: decorator
@inline export const KIND_BYTES: usize = 512;
// @ts-ignore: decorator
@inline export const PART_BYTES: usize = PART_CODE_COUNTS + 3 * KIND_BYTES;
/** A part covers 4 KiB at least, but for the last one. */
// @ts-ignore: decorator
@inline export const MAX_PARTS: usize = 34;
// @ts-ignore: decorator
@inline export const SEQUENCES: usize = PARTS + MAX_PARTS * PART_BYTES;
/** A block has at most a sequence per 3 bytes, of 12 bytes each. */
// @ts-ignore: decorator
@inline export const LITERALS: usize = SEQUENCES + 4 * <usize>BLOCK_MAX + SLACK;
/** A block that might not fit into the output is written here first. */
// @ts-ignore: decorator
@inline export const STAGED: usize = LITERALS + <usize>BLOCK_MAX + SLACK;
/** The match finder's own, to the end of the scratch. */
// @ts-ignore: decorator
@inline export const FINDER: usize = STAGED + <usize>BLOCK_MAX + 1024;
