// The delta of a page: what must be said to make it from one to three reference pages. Which pages
// are worth trying, and whether the result pays, is decided elsewhere.
//
// A delta is a sequence of ops that together produce exactly 4096 bytes. Numbers are LEB128:
//
//   varint  length << 2 | 0          INSERT  `length` bytes follow; they are the output
//   varint  length << 2 | reference  COPY    from reference 1, 2 or 3
//   varint  zigzag(source - output)          offset in the reference less offset in the page
//
// Lengths are 1 … 4096, sources stay inside their page, varints are the shortest ones and nothing
// follows the op that completes the page. INSERTs are compressed later, many deltas at once.
import { DELTA_MAX_REFERENCES, PAGE_BYTES } from "./layout";
import {
  equalBehind,
  findAnchor,
  GOOD_MATCH,
  indexAnchors,
  MAX_BEHIND_BYTES,
  matchAnchored,
  matchInPlace,
  NO_POSITION,
  OFFSET_BITS,
  POSITION_BITS,
  WORD_BYTES,
} from "./match";

// The decoder's answers to a broken delta.
/** The source ends inside an op. */
// @ts-ignore: decorator
@inline const TRUNCATED: i32 = -1;
/** A varint that is not the shortest one, or longer than three bytes. */
// @ts-ignore: decorator
@inline const BAD_VARINT: i32 = -2;
// @ts-ignore: decorator
@inline const ZERO_LENGTH: i32 = -3;
/** An op that leads past the end of the page. */
// @ts-ignore: decorator
@inline const PAST_PAGE: i32 = -4;
// @ts-ignore: decorator
@inline const UNKNOWN_REFERENCE: i32 = -5;
/** A COPY of bytes that do not lie in the reference. */
// @ts-ignore: decorator
@inline const OUTSIDE_REFERENCE: i32 = -6;
/** Bytes after the op that completes the page. */
// @ts-ignore: decorator
@inline const TRAILING_BYTES: i32 = -7;

/** Literals accepted before paying for the anchor table: most new versions of a page need none. */
// @ts-ignore: decorator
@inline const PATIENCE_BYTES: u32 = 16;

/** Encodes a page; see src/kernels/abi.ts. The scratch may hold anything. */
export function deltaEncode(
  pagePtr: usize,
  refsPtr: usize,
  refCount: u32,
  dstPtr: usize,
  dstCapacity: u32,
  scratchPtr: usize,
): u32 {
  assert(refCount >= 1 && refCount <= DELTA_MAX_REFERENCES);
  const end = dstPtr + dstCapacity;
  const first = <usize>load<u32>(refsPtr);
  const second = refCount > 1 ? <usize>load<u32>(refsPtr, 4) : first;
  const third = refCount > 2 ? <usize>load<u32>(refsPtr, 8) : first;
  let out = dstPtr;
  let indexed = false;
  let at: u32 = 0;
  // The first byte of the page that no op produces yet.
  let literal: u32 = 0;
  while (at + WORD_BYTES <= PAGE_BYTES) {
    // The hot path: bytes that stand in no reference, told with few branches.
    const word = load<u64>(pagePtr + at);
    let equal = u32(load<u64>(first + at) == word);
    equal |= u32(load<u64>(second + at) == word);
    equal |= u32(load<u64>(third + at) == word);
    if (equal == 0) {
      if (!indexed && at - literal == PATIENCE_BYTES) {
        indexAnchors(scratchPtr, refsPtr, refCount);
        indexed = true;
        at = literal;
        continue;
      }
      if (!indexed || findAnchor(scratchPtr, word) == NO_POSITION) {
        at++;
        if (at - literal > <u32>(end - out) + MAX_BEHIND_BYTES) return 0;
        continue;
      }
    }
    let match = matchInPlace(pagePtr, at, refsPtr, refCount);
    if (indexed && match < GOOD_MATCH) {
      const anchored = matchAnchored(pagePtr, at, literal, refsPtr, scratchPtr);
      if (anchored >> POSITION_BITS > match >> POSITION_BITS) match = anchored;
    }
    if (match == 0) {
      at++;
      continue;
    }
    const reference = (match >> OFFSET_BITS) & 3;
    const source = match & (PAGE_BYTES - 1);
    const refPtr = <usize>load<u32>(refsPtr + reference * 4);
    const behind = equalBehind(pagePtr + at, refPtr + source, min(at - literal, source));
    out = putInsert(out, end, pagePtr + literal, at - behind - literal);
    if (out == 0) return 0;
    const length = (match >> POSITION_BITS) + behind;
    out = putCopy(out, end, length, reference + 1, <i32>source - <i32>at);
    if (out == 0) return 0;
    at += length - behind;
    literal = at;
  }
  out = putInsert(out, end, pagePtr + literal, PAGE_BYTES - literal);
  return out == 0 ? 0 : <u32>(out - dstPtr);
}

/** Writes an INSERT unless it is empty; returns where the next op goes, or 0 if it does not fit. */
// @ts-ignore: decorator
@inline
function putInsert(out: usize, end: usize, from: usize, length: u32): usize {
  if (length == 0) return out;
  if (varintBytes(length << 2) + length > <u32>(end - out)) return 0;
  const literals = putVarint(out, length << 2);
  memory.copy(literals, from, length);
  return literals + length;
}

/** Writes a COPY; returns where the next op goes, or 0 if it does not fit. */
// @ts-ignore: decorator
@inline
function putCopy(out: usize, end: usize, length: u32, reference: u32, distance: i32): usize {
  const op = (length << 2) | reference;
  const zigzag = <u32>((distance << 1) ^ (distance >> 31));
  if (varintBytes(op) + varintBytes(zigzag) > <u32>(end - out)) return 0;
  return putVarint(putVarint(out, op), zigzag);
}

// @ts-ignore: decorator
@inline
function varintBytes(value: u32): u32 {
  return value < 1 << 7 ? 1 : value < 1 << 14 ? 2 : 3;
}

// @ts-ignore: decorator
@inline
function putVarint(out: usize, value: u32): usize {
  for (; value >= 1 << 7; value >>= 7) store<u8>(out++, value | (1 << 7));
  store<u8>(out, value);
  return out + 1;
}

/** Applies a delta; 4096, or the code of the first broken bound. Only the page is written. */
export function deltaDecode(
  srcPtr: usize,
  srcLength: u32,
  refsPtr: usize,
  refCount: u32,
  pagePtr: usize,
): i32 {
  const end = srcPtr + srcLength;
  let at = srcPtr;
  let done: u32 = 0;
  while (done < PAGE_BYTES) {
    const op = readVarint(at, end);
    if (op < 0) return op;
    at += varintBytes(op);
    const length = <u32>op >> 2;
    const reference = <u32>op & 3;
    if (length == 0) return ZERO_LENGTH;
    if (length > PAGE_BYTES - done) return PAST_PAGE;
    let from = at;
    if (reference == 0) {
      if (length > <u32>(end - at)) return TRUNCATED;
      at += length;
    } else {
      if (reference > refCount) return UNKNOWN_REFERENCE;
      const zigzag = readVarint(at, end);
      if (zigzag < 0) return zigzag;
      at += varintBytes(zigzag);
      const source = <i32>done + ((zigzag >> 1) ^ -(zigzag & 1));
      if (source < 0 || <u32>source + length > PAGE_BYTES) return OUTSIDE_REFERENCE;
      from = <usize>load<u32>(refsPtr + (reference - 1) * 4) + source;
    }
    memory.copy(pagePtr + done, from, length);
    done += length;
  }
  return at == end ? PAGE_BYTES : TRAILING_BYTES;
}

/** A varint of at most three bytes, or a negative code. As it is the shortest one, its value tells
 * how many bytes it took. */
// @ts-ignore: decorator
@inline
function readVarint(at: usize, end: usize): i32 {
  let value: u32 = 0;
  for (let shift: u32 = 0; shift < 21; shift += 7) {
    if (at == end) return TRUNCATED;
    const byte = <u32>load<u8>(at++);
    value |= (byte & 127) << shift;
    if (byte < 128) return byte == 0 && shift > 0 ? BAD_VARINT : <i32>value;
  }
  return BAD_VARINT;
}
