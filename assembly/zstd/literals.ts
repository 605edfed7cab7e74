// The literals section of a block (RFC 8878 §3.1.1.3.1): raw, a run, or Huffman-coded with a new
// code or that of the block before, whichever takes the fewest bytes.
import {
  HUFFMAN,
  HUFFMAN_FRESH,
  HUFFMAN_NEXT,
  HUFFMAN_VALID,
  PART_BYTE_COUNTS,
  PART_LITERAL_COUNT,
  PART_LITERALS,
  WORK,
} from "./encodelayout";
import { largestCount } from "./histogram";
import { buildHuffmanCode } from "./huffmancode";
import { encodeStream } from "./huffmanstream";
import { writeTree } from "./huffmantree";

// @ts-ignore: decorator
@inline const RAW: u32 = 0;
// @ts-ignore: decorator
@inline const RUN: u32 = 1;
// @ts-ignore: decorator
@inline const CODED: u32 = 2;
// @ts-ignore: decorator
@inline const TREELESS: u32 = 3;
/** Fewer literals do not pay for the description of a code, fewer still not for any code. */
// @ts-ignore: decorator
@inline const MIN_CODED: u32 = 40;
// @ts-ignore: decorator
@inline const MIN_TREELESS: u32 = 8;
/** From here on four streams, which a reader decodes side by side, are worth 6 bytes more. */
// @ts-ignore: decorator
@inline const FOUR_STREAMS: u32 = 1024;

/**
 * Writes the section of a part's literals and returns its bytes, or 0 when it would end behind
 * `stop`; 512 bytes behind that may be written. A new code goes to HUFFMAN_NEXT and sets
 * HUFFMAN_FRESH.
 */
export function writeLiterals(scratch: usize, part: usize, dst: usize, stop: usize): u32 {
  const literals = <usize>load<u32>(part, PART_LITERALS);
  const count = load<u32>(part, PART_LITERAL_COUNT);
  store<u32>(scratch, 0, HUFFMAN_FRESH);
  const valid = load<u32>(scratch, HUFFMAN_VALID) != 0;
  const least = valid ? MIN_TREELESS : MIN_CODED;
  if (count < least) return writePlain(RAW, literals, count, dst, stop);
  const counts = part + PART_BYTE_COUNTS;
  const largest = largestCount(counts);
  if (largest == count) return writePlain(RUN, literals, count, dst, stop);
  // Too evenly spread to be worth a closer look.
  if (largest <= (count >> 7) + 4) return writePlain(RAW, literals, count, dst, stop);
  let code = <usize>load<u32>(scratch, HUFFMAN);
  let kind = TREELESS;
  let treeBytes: u32 = 0;
  let bits = valid ? bitsWith(counts, code) : u32.MAX_VALUE;
  const headBytes: u32 = 3 + <u32>(count >= 1024) + <u32>(count >= 16384);
  if (count >= MIN_CODED) {
    const next = <usize>load<u32>(scratch, HUFFMAN_NEXT);
    const longest = buildHuffmanCode(counts, count, largest, scratch + WORK, next);
    const bytes = writeTree(next, longest, dst + headBytes, scratch + WORK);
    const nextBits = bitsWith(counts, next);
    if (bytes != 0 && nextBits + bytes * 8 < bits) {
      code = next;
      kind = CODED;
      treeBytes = bytes;
      bits = nextBits;
    }
  }
  if (bits == u32.MAX_VALUE) return writePlain(RAW, literals, count, dst, stop);
  // Each stream ends with a mark and a part of a byte.
  const rest: u32 = count < FOUR_STREAMS ? 1 : 10;
  const most = headBytes + treeBytes + (bits >> 3) + rest;
  if (most + (count >> 7) + 2 > count) return writePlain(RAW, literals, count, dst, stop);
  if (dst + most > stop) return 0;
  const body = dst + headBytes + treeBytes;
  const end =
    count < FOUR_STREAMS
      ? encodeStream(literals, count, code, body)
      : writeStreams(literals, count, code, body);
  writeHead(kind, count, <u32>(end - dst) - headBytes, headBytes, dst);
  store<u32>(scratch, <u32>(kind == CODED), HUFFMAN_FRESH);
  return <u32>(end - dst);
}

/** Bits that the literals take in a code; all bits set if one of them has no word. */
function bitsWith(counts: usize, code: usize): u32 {
  let bits: u32 = 0;
  for (let symbol: u32 = 0; symbol < 256; symbol++) {
    const count = load<u32>(counts + (symbol << 2));
    const length = <u32>load<u8>(code + (symbol << 3));
    if (count != 0 && length == 0) return u32.MAX_VALUE;
    bits += count * length;
  }
  return bits;
}

/** Raw literals, or the one that all of them are. */
function writePlain(kind: u32, literals: usize, count: u32, dst: usize, stop: usize): u32 {
  const headBytes: u32 = 1 + <u32>(count >= 32) + <u32>(count >= 4096);
  if (kind == RAW && dst + headBytes + count > stop) return 0;
  if (headBytes == 1) store<u8>(dst, <u8>(kind | (count << 3)));
  else {
    store<u16>(dst, <u16>(kind | (headBytes == 2 ? 4 : 12) | (count << 4)));
    if (headBytes == 3) store<u8>(dst, <u8>(count >> 12), 2);
  }
  if (kind == RUN) {
    store<u8>(dst + headBytes, load<u8>(literals));
    return headBytes + 1;
  }
  memory.copy(dst + headBytes, literals, count);
  return headBytes + count;
}

/** Four streams behind a table with the sizes of three. */
function writeStreams(literals: usize, count: u32, code: usize, dst: usize): usize {
  const part = (count + 3) >> 2;
  let op = dst + 6;
  for (let i: u32 = 0; i < 3; i++) {
    const end = encodeStream(literals + i * part, part, code, op);
    store<u16>(dst + (i << 1), <u16>(end - op));
    op = end;
  }
  return encodeStream(literals + 3 * part, count - 3 * part, code, op);
}

/** Bits: kind (2), form (2), literals and bytes (10, 14 or 18 each). */
function writeHead(kind: u32, count: u32, bytes: u32, headBytes: u32, dst: usize): void {
  const form: u32 = count < FOUR_STREAMS ? 0 : headBytes - 2;
  const head = <u64>(kind | (form << 2) | (count << 4));
  const all = head | (<u64>bytes << <u64>(4 * headBytes + 2));
  for (let i: u32 = 0; i < headBytes; i++) store<u8>(dst + i, <u8>(all >> <u64>(8 * i)));
}
