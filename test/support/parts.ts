// Puts a file together again from the parts that a reader took it apart into, and its memory: the
// obvious way, without the weave.
import type { Part } from "../../src/image/woven.ts";

const PAGE_BYTES = 4096;

export interface Joined {
  readonly file: Buffer;
  /** By block ("" for physical memory) and address: the last content of each page. */
  readonly memory: Map<string, Buffer>;
  /** Pages that stand alone as pages, zero pages, and bytes that are literal. */
  readonly pageCount: number;
  readonly zeroCount: number;
  readonly literalBytes: number;
  readonly hidden: Set<string>;
}

/** Knows parts that are plain or counted; compressed ones are not its business. */
export async function joinParts(parts: AsyncIterable<Part>): Promise<Joined> {
  const pieces: Buffer[] = [];
  const memory = new Map<string, Buffer>();
  const hidden = new Set<string>();
  let pageCount = 0;
  let zeroCount = 0;
  let literalBytes = 0;
  for await (const part of parts) {
    if (part.kind === "literal") {
      if (part.bytes.length === 0) throw new Error("an empty part");
      pieces.push(Buffer.from(part.bytes));
      literalBytes += part.bytes.length;
      if (part.hides !== undefined) hidden.add(part.hides);
      continue;
    }
    const isPages = part.kind === "pages";
    const count = isPages ? part.pages.length / PAGE_BYTES : part.pageCount;
    if (!(count > 0 && Number.isInteger(count))) throw new Error(`a part of ${count} pages`);
    if (isPages) pageCount += count;
    else zeroCount += count;
    for (let i = 0; i < count; i++) {
      if (part.form.as === "counted") pieces.push(be64(part.form.first + i * PAGE_BYTES));
      const page = isPages
        ? Buffer.from(part.pages.subarray(i * PAGE_BYTES, (i + 1) * PAGE_BYTES))
        : Buffer.alloc(PAGE_BYTES);
      if (isPages) pieces.push(page);
      else if (part.form.as === "counted") pieces.push(Buffer.alloc(1));
      if (part.address !== undefined) {
        memory.set(placeOf(part.block, part.address + i * PAGE_BYTES), page);
      }
    }
  }
  return { file: Buffer.concat(pieces), memory, pageCount, zeroCount, literalBytes, hidden };
}

export function placeOf(block: string | undefined, address: number): string {
  return `${block ?? ""}@${address}`;
}

/** Bytes in pieces of random lengths, all in the same buffer as readers of files give them. */
export async function* inPieces(
  bytes: Uint8Array,
  random: { int(limit: number): number },
  longest: number,
): AsyncGenerator<Uint8Array> {
  const piece = new Uint8Array(longest);
  for (let at = 0; at < bytes.length; ) {
    const part = bytes.subarray(at, at + 1 + random.int(longest));
    piece.fill(0xee);
    piece.set(part);
    yield piece.subarray(0, part.length);
    at += part.length;
  }
}

function be64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}
