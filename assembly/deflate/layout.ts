// Where the compressor of zlib streams keeps what: offsets in its scratch, which the caller hands
// in, and the numbers of the DEFLATE format (RFC 1951). It holds no code.

/** The farthest match that zlib looks for; the format allows 32768. */
// @ts-ignore: decorator
@inline export const MAX_DISTANCE: u32 = 32506;
// @ts-ignore: decorator
@inline export const MIN_MATCH: u32 = 3;
// @ts-ignore: decorator
@inline export const MAX_MATCH: u32 = 258;
/** Positions in a window: what a u16 can name. */
// @ts-ignore: decorator
@inline export const WINDOW_MAX: u32 = 65536;
/** A block ends with this symbol: zlib's memLevel 8. */
// @ts-ignore: decorator
@inline export const BLOCK_SYMBOLS: u32 = 16383;

/** Literals, the end of a block, lengths. */
// @ts-ignore: decorator
@inline export const LITERAL_CODES: u32 = 286;
// @ts-ignore: decorator
@inline export const END_OF_BLOCK: u32 = 256;
// @ts-ignore: decorator
@inline export const FIRST_LENGTH: u32 = 257;
// @ts-ignore: decorator
@inline export const DISTANCE_CODES: u32 = 30;
/** Codes that the lengths of the other codes are written with. */
// @ts-ignore: decorator
@inline export const LENGTH_CODES: u32 = 19;

// The state of a stream: address of the next byte (u32), bits that do not fill a byte yet (u64,
// below 8 of them) and their number (u32), symbols of the block (u32).
// @ts-ignore: decorator
@inline export const OUT: usize = 0;
// @ts-ignore: decorator
@inline export const BITS: usize = 8;
// @ts-ignore: decorator
@inline export const BIT_COUNT: usize = 16;
// @ts-ignore: decorator
@inline export const SYMBOL_COUNT: usize = 20;

// Work of making a code (huffman.ts): nodes are symbols, then what joins two nodes.
/** u32 weight << 15 | depth << 10 | node, from place 1. */
// @ts-ignore: decorator
@inline export const HEAP: usize = 64;
/** u16 each: the nodes in the order in which they were taken from the heap. */
// @ts-ignore: decorator
@inline export const ORDER: usize = 2368;
/** u16 each: the node that a node hangs from. */
// @ts-ignore: decorator
@inline export const PARENTS: usize = 3520;
/** u8 each: the bits of a node. */
// @ts-ignore: decorator
@inline export const DEPTHS: usize = 4672;
/** u32 for each number of bits: symbols that have it, then the next word. */
// @ts-ignore: decorator
@inline export const BY_LENGTH: usize = 5248;

// Symbols counted in the block (u32 each), and their words: u32 bits << 16 | word, 0 for none.
// @ts-ignore: decorator
@inline export const LITERAL_COUNTS: usize = 5376;
// @ts-ignore: decorator
@inline export const DISTANCE_COUNTS: usize = 6528;
// @ts-ignore: decorator
@inline export const LENGTH_COUNTS: usize = 6656;
// @ts-ignore: decorator
@inline export const LITERAL_WORDS: usize = 6784;
// @ts-ignore: decorator
@inline export const DISTANCE_WORDS: usize = 7936;
// @ts-ignore: decorator
@inline export const LENGTH_WORDS: usize = 8064;
/** The words that the format fixes. */
// @ts-ignore: decorator
@inline export const FIXED_LITERAL_WORDS: usize = 8192;
// @ts-ignore: decorator
@inline export const FIXED_DISTANCE_WORDS: usize = 9344;
/** u16 each: how the lengths of a block's codes are told (lengths.ts). */
// @ts-ignore: decorator
@inline export const TOLD: usize = 9472;
/** u32 each: distance << 8 | length - 3 of a match, or a literal. */
// @ts-ignore: decorator
@inline export const SYMBOLS: usize = 10240;
/** u16 each: the last position with a hash, and the one before a position. */
// @ts-ignore: decorator
@inline export const HEADS: usize = 75776;
// @ts-ignore: decorator
@inline export const HEADS_BYTES: usize = 65536;
// @ts-ignore: decorator
@inline export const BEFORE: usize = 141312; // … ZLIB_SCRATCH_BYTES
