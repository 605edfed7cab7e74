// The slow, obvious delta: a decoder byte by byte, and an encoder that tries every offset of every
// reference. The format is drawn in assembly/delta.ts; the codes are those of its decoder.
import { PAGE_BYTES } from "../../src/core/page.ts";

export const TRUNCATED = -1;
export const BAD_VARINT = -2;
export const ZERO_LENGTH = -3;
export const PAST_PAGE = -4;
export const UNKNOWN_REFERENCE = -5;
export const OUTSIDE_REFERENCE = -6;
export const TRAILING_BYTES = -7;

export type DeltaOp =
  | { op: "insert"; bytes: Uint8Array }
  | { op: "copy"; reference: number; source: number; length: number };

class BrokenDelta extends Error {
  readonly code: number;
  constructor(code: number) {
    super(`broken delta: ${code}`);
    this.code = code;
  }
}

/** The page, or the code of the first broken bound. */
export function decode(delta: Uint8Array, references: Uint8Array[]): Uint8Array | number {
  try {
    return apply(delta, references);
  } catch (error) {
    if (error instanceof BrokenDelta) return error.code;
    throw error;
  }
}

function apply(delta: Uint8Array, references: Uint8Array[]): Uint8Array {
  const page: number[] = [];
  let at = 0;
  function next(): number {
    const byte = delta[at++];
    if (byte === undefined) throw new BrokenDelta(TRUNCATED);
    return byte;
  }
  function varint(): number {
    const bytes: number[] = [];
    do {
      if (bytes.length === 3) throw new BrokenDelta(BAD_VARINT);
      bytes.push(next());
    } while ((bytes.at(-1) ?? 0) >= 128);
    if (bytes.length > 1 && bytes.at(-1) === 0) throw new BrokenDelta(BAD_VARINT);
    return bytes.reduceRight((value, byte) => value * 128 + (byte % 128), 0);
  }
  while (page.length < PAGE_BYTES) {
    const op = varint();
    const length = Math.floor(op / 4);
    if (length === 0) throw new BrokenDelta(ZERO_LENGTH);
    if (page.length + length > PAGE_BYTES) throw new BrokenDelta(PAST_PAGE);
    if (op % 4 === 0) {
      for (let i = 0; i < length; i++) page.push(next());
      continue;
    }
    const reference = references[(op % 4) - 1];
    if (reference === undefined) throw new BrokenDelta(UNKNOWN_REFERENCE);
    const zigzag = varint();
    const distance = zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
    const source = page.length + distance;
    if (source < 0 || source + length > PAGE_BYTES) throw new BrokenDelta(OUTSIDE_REFERENCE);
    page.push(...reference.subarray(source, source + length));
  }
  if (at !== delta.length) throw new BrokenDelta(TRAILING_BYTES);
  return Uint8Array.from(page);
}

/** The bytes of a list of ops, right or wrong. */
export function encodeOps(ops: DeltaOp[]): Uint8Array {
  const bytes: number[] = [];
  let done = 0;
  for (const op of ops) {
    if (op.op === "insert") {
      bytes.push(...varintBytes(op.bytes.length * 4), ...op.bytes);
      done += op.bytes.length;
      continue;
    }
    const distance = op.source - done;
    bytes.push(...varintBytes(op.length * 4 + op.reference));
    bytes.push(...varintBytes(distance < 0 ? -distance * 2 - 1 : distance * 2));
    done += op.length;
  }
  return Uint8Array.from(bytes);
}

/** The shortest LEB128 of a number. */
export function varintBytes(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varintBytes(Math.floor(value / 128))];
}

/** Greedy: at each byte the longest copy from anywhere, if it is at least `minBytes` long. */
export function encode(page: Uint8Array, references: Uint8Array[], minBytes: number): Uint8Array {
  const ops: DeltaOp[] = [];
  let literal = 0;
  let at = 0;
  function flush(): void {
    if (at > literal) ops.push({ op: "insert", bytes: page.subarray(literal, at) });
  }
  while (at < PAGE_BYTES) {
    const copy = longestCopy(page, at, references);
    if (copy.length < minBytes) {
      at++;
      continue;
    }
    flush();
    ops.push(copy);
    at += copy.length;
    literal = at;
  }
  flush();
  return encodeOps(ops);
}

function longestCopy(page: Uint8Array, at: number, references: Uint8Array[]) {
  let best = { op: "copy" as const, reference: 0, source: 0, length: 0 };
  references.forEach((reference, index) => {
    for (let source = 0; source < PAGE_BYTES; source++) {
      let length = 0;
      const limit = PAGE_BYTES - Math.max(at, source);
      while (length < limit && page[at + length] === reference[source + length]) length++;
      if (length > best.length) best = { op: "copy", reference: index + 1, source, length };
    }
  });
  return best;
}
