// One compressed block (RFC 8878 §3.1.1.3): literals, then sequences that are decoded and executed
// in turns. What the next blocks of a frame may repeat stays in the context (decodecontext.ts).
import {
  HAS_CODES,
  LITERAL_COUNT,
  LITERALS,
  LITERALS_AT,
  LITERALS_END,
  OFFSETS,
  OUTPUT_AT,
  SEQUENCES_LEFT,
  TABLES,
} from "./decodecontext";
import { decodeLiterals } from "./decodeliterals";
import { decodeBatch, openSequences } from "./decodesequences";
import { initTables } from "./decodetables";
import { executeBatch, executeLast } from "./execute";
import { ZSTD_BAD_BITS } from "../layout";

/** Makes a context in fresh or used memory; a frame begins. */
export function zstdDecodeInit(context: usize): void {
  initTables(context);
  beginFrame(context);
}

/** Forgets the blocks of the frame before. */
export function beginFrame(context: usize): void {
  store<u32>(context, 1, OFFSETS);
  store<u32>(context, 4, OFFSETS + 4);
  store<u32>(context, 8, OFFSETS + 8);
  store<u32>(context, 0, HAS_CODES);
  memory.fill(context + TABLES, 0, 12);
}

/**
 * Decodes the content of a compressed block to `dst`; bytes, or a negative code. `dstCapacity` is
 * the largest block of the frame or less. Matches reach back to `windowStart`, which must be in
 * one piece with `dst`.
 */
export function zstdDecodeBlock(
  context: usize,
  src: usize,
  srcLength: u32,
  windowStart: usize,
  dst: usize,
  dstCapacity: u32,
): i32 {
  const end = src + <usize>srcLength;
  const dstEnd = dst + <usize>dstCapacity;
  const taken = decodeLiterals(context, src, end, dstCapacity);
  if (taken < 0) return taken;
  const literals = load<u32>(context, LITERALS);
  store<u32>(context, literals, LITERALS_AT);
  store<u32>(context, literals + load<u32>(context, LITERAL_COUNT), LITERALS_END);
  store<u32>(context, <u32>dst, OUTPUT_AT);
  let fault = openSequences(context, src + <usize>taken, end);
  if (fault != 0) return fault;
  while (load<u32>(context, SEQUENCES_LEFT) != 0) {
    const batchEnd = decodeBatch(context);
    if (batchEnd == 0) return -<i32>ZSTD_BAD_BITS;
    fault = executeBatch(context, batchEnd, windowStart, dstEnd);
    if (fault != 0) return fault;
  }
  fault = executeLast(context, dstEnd);
  if (fault != 0) return fault;
  return <i32>(<usize>load<u32>(context, OUTPUT_AT) - dst);
}
