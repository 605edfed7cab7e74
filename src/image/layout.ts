// Where memory stands in a file, whatever the format: ranges of memory become segments, so that the
// pages of the archive are the pages of the memory. What is between them is kept as well.
import type { Segment } from "../core/extent.ts";
import { MAX_SEGMENTS } from "../core/limits.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { rawSegments } from "./raw.ts";

/** Half of what the archive allows: their lengths then fit into the head of an image. */
const MAX_PIECES = MAX_SEGMENTS / 2;

/** Fills `into` from the file; returns the bytes there were, fewer only at the end of the file. */
export type ReadAt = (byteOffset: number, into: Uint8Array) => Promise<number>;

/** Where the first byte of a segment lay in the captured address space. */
export interface Region {
  readonly segmentIndex: number;
  readonly address: bigint;
}

export interface MemoryLayout {
  readonly segments: Segment[];
  readonly regions: Region[];
}

/** Memory as bytes [start, end) of the file. */
export interface MemoryRange {
  readonly start: number;
  readonly end: number;
  readonly address: bigint;
}

/** The file in one piece. */
export function unstructured(byteLength: number): MemoryLayout {
  return { segments: rawSegments(byteLength), regions: [] };
}

/**
 * Cuts a file at its ranges of memory, as far as they lie in it; where they overlap, the range that
 * begins first keeps the bytes. A file with more pieces than an archive can describe is one piece.
 */
export function partition(ranges: readonly MemoryRange[], byteLength: number): MemoryLayout {
  const segments: Segment[] = [];
  const regions: Region[] = [];
  let at = 0;
  const cutTo = (end: number) => {
    if (end > at) segments.push({ byteOffset: at, byteLength: end - at });
    at = end;
  };
  for (const { address: first, ...range } of ranges.toSorted((a, b) => a.start - b.start)) {
    const end = Math.min(range.end, byteLength);
    if (end <= at || range.start >= end) continue;
    if (range.start > at) cutTo(range.start);
    let address = first + BigInt(at - range.start);
    // Pages are cut from the start of a segment. A range that begins inside a page gives up its
    // first piece, so that all later pages are the pages of the captured memory.
    const lead = Number(BigInt.asUintN(64, -address) % BigInt(PAGE_BYTES));
    if (lead > 0 && lead < end - at) {
      regions.push({ segmentIndex: segments.length, address });
      cutTo(at + lead);
      address += BigInt(lead);
    }
    regions.push({ segmentIndex: segments.length, address: BigInt.asUintN(64, address) });
    cutTo(end);
  }
  cutTo(byteLength);
  return segments.length > MAX_PIECES ? unstructured(byteLength) : { segments, regions };
}
