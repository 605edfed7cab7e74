// What the kernels export, and with it the sizes and codes of layout.ts. It names no WebAssembly
// and instantiates nothing.
import type { ForeignKernels } from "./foreign.ts";
import type { WindowKernels } from "./windows.ts";
import type { ZstdKernels } from "./zstd.ts";

export * from "./layout.ts";

/**
 * The exports of one kernel instance. Pointers are byte offsets into the shared memory, counts are
 * counts of pages or list items, lengths and capacities are bytes. Kernels never allocate and keep
 * no state: everything they need is passed in. Encoders return the bytes written, or 0 when the
 * result would not fit the capacity; decoders return the bytes written, or a negative code on the
 * first broken bound, having written nothing outside their output.
 */
export interface Kernels extends ForeignKernels, WindowKernels, ZstdKernels {
  /** Classifies pages; fills one survey record and one fingerprint each. Returns ordinary pages. */
  survey(pagesPtr: number, pageCount: number, recordsPtr: number, fingerprintsPtr: number): number;
  /** XXH3-128 (seed 0) of each page, as published: 16 bytes each, low 64 bits first. */
  fingerprintPages(pagesPtr: number, pageCount: number, fingerprintsPtr: number): void;
  /**
   * Entropy of the bytes of each surveyed page, u16 in 1/ENTROPY_PER_BIT bit. The table has a u32
   * for each count c of a byte: c × log2(c) × 2^16, rounded (`entropyTable`).
   */
  entropyPages(
    pagesPtr: number,
    recordsPtr: number,
    pageCount: number,
    tablePtr: number,
    scratchPtr: number,
    outPtr: number,
  ): void;
  /** XXH64 (seed 0) of `length` bytes; the result is written as u64 at `outPtr`. */
  checksum(ptr: number, length: number, outPtr: number): void;
  /**
   * BLAKE3-256, keyed, of the listed pages (u32, counted from `pagesPtr`): 32 bytes each, in the
   * order of the list. The key has 32 bytes.
   */
  digestPages(
    pagesPtr: number,
    listPtr: number,
    count: number,
    keyPtr: number,
    scratchPtr: number,
    outPtr: number,
  ): void;
  /** BLAKE3-256 of `length` bytes, 32 bytes at `outPtr`; keyed unless `keyPtr` is 0. */
  blake3(ptr: number, length: number, keyPtr: number, scratchPtr: number, outPtr: number): void;
  /** Compares page pairs (u32 a, u32 b each); writes 1 (equal) or 0 per pair. Returns the equal. */
  compare(pairsPtr: number, pairCount: number, resultsPtr: number): number;
  /** Changed 64-byte blocks: a u64 per page, bit i for block i. Returns the changed pages. */
  diff(oldPtr: number, newPtr: number, pageCount: number, masksPtr: number): number;
  /** As `diff`, for blocks of 64, 128 or 256 bytes. */
  diffBlocks(
    oldPtr: number,
    newPtr: number,
    pageCount: number,
    blockBytes: number,
    masksPtr: number,
  ): number;
  /** Copies the 64-byte blocks that the u64 at `maskPtr` names to `outPtr`. Returns bytes. */
  gatherBlocks(pagePtr: number, maskPtr: number, outPtr: number): number;
  /** The reverse of `gatherBlocks`; negative when `inLength` is not 64 × the bits of the mask. */
  scatterBlocks(inPtr: number, inLength: number, maskPtr: number, pagePtr: number): number;
  /** LZ4 block format (lz4_Block_format.md), inputs up to 64 KiB; 0 when it does not fit. */
  lz4Compress(
    srcPtr: number,
    srcLength: number,
    dstPtr: number,
    dstCapacity: number,
    scratchPtr: number,
  ): number;
  /** Total LZ4 block decoder: returns the bytes written or a negative code. */
  lz4Decompress(srcPtr: number, srcLength: number, dstPtr: number, dstCapacity: number): number;
  /** The same for a block of any size, whose matches may reach back to `windowPtr` before it. */
  lz4DecompressAfter(
    srcPtr: number,
    srcLength: number,
    windowPtr: number,
    dstPtr: number,
    dstCapacity: number,
  ): number;
  /** Encodes a page against 1–3 reference pages (u32 pointers at `refsPtr`); 0 if over capacity. */
  deltaEncode(
    pagePtr: number,
    refsPtr: number,
    refCount: number,
    dstPtr: number,
    dstCapacity: number,
    scratchPtr: number,
  ): number;
  /** Applies a delta to its reference pages, writing one page; 4096 or a negative code. */
  deltaDecode(
    srcPtr: number,
    srcLength: number,
    refsPtr: number,
    refCount: number,
    pagePtr: number,
  ): number;

  /**
   * Packs the pages that a plan wants stored into clusters; returns how many. `compress` is one of
   * COMPRESS_NONE …, whose scratch is at `codecPtr`.
   */
  packPages(
    planPtr: number,
    planStride: number,
    pagesPtr: number,
    pageCount: number,
    clusterPages: number,
    compress: number,
    outPtr: number,
    stagingPtr: number,
    codecPtr: number,
    entriesPtr: number,
  ): number;
  /** Packs deltas that lie one after another (lengths u32) into clusters; returns how many. */
  packDeltas(
    lengthsPtr: number,
    count: number,
    deltasPtr: number,
    clusterBytes: number,
    compress: number,
    outPtr: number,
    offset: number,
    stagingPtr: number,
    codecPtr: number,
    entriesPtr: number,
  ): number;
  /** Plans pages that need no decision, lists the others (u32); returns how many are listed. */
  planPages(
    planPtr: number,
    planStride: number,
    codesPtr: number,
    similarPtr: number,
    pageCount: number,
    all: number,
    listPtr: number,
  ): number;
  /** Describes an encoded batch as runs and gives table entries their slots; returns the runs. */
  describePages(
    recordsPtr: number,
    fingerprintsPtr: number,
    planPtr: number,
    planStride: number,
    codesPtr: number,
    entriesPtr: number,
    pageCount: number,
    tablePtr: number,
    clustersPtr: number,
    firstCluster: number,
    gatheredPtr: number,
    plainPtr: number,
    runsPtr: number,
  ): number;

  /** Bytes that a table of this shape takes: header, 2^bucketBits buckets (u32), entries. */
  tableBytes(bucketBits: number, entryCapacity: number): number;
  /** Makes an empty fingerprint table in fresh or used memory. */
  tableInit(tablePtr: number, bucketBits: number, entryCapacity: number): void;
  /**
   * For each page whose survey record says ordinary, in order: finds the entry with its fingerprint
   * or inserts one with `places[i]` (u64). Writes the entry (u32) and a LOOKUP code (u8) per page.
   */
  tableLookup(
    tablePtr: number,
    recordsPtr: number,
    fingerprintsPtr: number,
    placesPtr: number,
    pageCount: number,
    entriesPtr: number,
    codesPtr: number,
  ): void;
  /** Address of entry `index` (see layout: fingerprint, place, slot). */
  tableEntry(tablePtr: number, index: number): number;
  /** Entries in the table. */
  tableCount(tablePtr: number): number;

  /** Anchors (u32) of ordinary pages one after another, their number per page (u8); returns all. */
  anchorPages(
    recordsPtr: number,
    pagesPtr: number,
    pageCount: number,
    anchorsPtr: number,
    countsPtr: number,
    sampleBits: number,
  ): number;
  /** Bytes of an anchor table of 3 segments of 2^bits places. */
  anchorBytes(bits: number): number;
  anchorInit(tablePtr: number, bits: number): void;
  /** Goes on with the next segment, emptied; returns its number. */
  anchorTurn(tablePtr: number): number;
  /** Inserts the anchors of pages with an entry (u32); returns how many the segment holds. */
  anchorInsert(
    tablePtr: number,
    anchorsPtr: number,
    countsPtr: number,
    entriesPtr: number,
    pageCount: number,
  ): number;
  /** Up to 3 entries (u32, NO_ENTRY fills up) below `entryLimit` per page, most anchors first. */
  anchorLookup(
    tablePtr: number,
    segment: number,
    entryLimit: number,
    minVotes: number,
    anchorsPtr: number,
    countsPtr: number,
    pageCount: number,
    votesPtr: number,
    candidatesPtr: number,
  ): void;

  /** Bytes of a sketch table of 2^bits places per feature. */
  sketchBytes(bits: number): number;
  sketchInit(sketchPtr: number, bits: number): void;
  /** Makes pages findable by their sketches; `entries` are u32, NO_ENTRY is skipped. */
  sketchInsert(sketchPtr: number, recordsPtr: number, entriesPtr: number, pageCount: number): void;
  /** Up to 3 entries (u32, NO_ENTRY fills up) per ordinary page, most shared features first. */
  sketchLookup(
    sketchPtr: number,
    recordsPtr: number,
    pageCount: number,
    candidatesPtr: number,
  ): void;
  /** Counts pages by what is known of them, six u32 (see assembly/findings.ts), and inserts. */
  inspectPages(
    tablePtr: number,
    sketchPtr: number,
    recordsPtr: number,
    fingerprintsPtr: number,
    pageCount: number,
    image: number,
    placesPtr: number,
    entriesPtr: number,
    codesPtr: number,
    similarPtr: number,
    findingsPtr: number,
  ): void;
}
