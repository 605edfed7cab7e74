// Writes bits, the first one lowest (RFC 1951 §3.1.1). The state lies in the scratch between calls;
// loops of many symbols keep it in variables (block.ts).
import { BIT_COUNT, BITS, OUT } from "./layout";

/** Writes the `count` (at most 32) lowest bits of `bits`, whose others are 0. Wild by 8 bytes. */
// @ts-ignore: decorator
@inline
export function writeBits(bits: u32, count: u32, scratch: usize): void {
  const held = load<u32>(scratch, BIT_COUNT);
  keepBits(load<u64>(scratch, BITS) | (<u64>bits << held), held + count, scratch);
}

/** Stores the whole bytes of `bits` and keeps the rest. */
// @ts-ignore: decorator
@inline
export function keepBits(bits: u64, count: u32, scratch: usize): void {
  const out = <usize>load<u32>(scratch, OUT);
  store<u64>(out, bits);
  store<u32>(scratch, <u32>out + (count >>> 3), OUT);
  store<u64>(scratch, bits >> <u64>(count & ~7), BITS);
  store<u32>(scratch, count & 7, BIT_COUNT);
}

/** Fills the last byte with zeros. */
export function endByte(scratch: usize): void {
  const held = load<u32>(scratch, BIT_COUNT);
  writeBits(0, (8 - held) & 7, scratch);
}
