// The kernels that look for what is new in changed pages (assembly/windows.ts, pieces.ts), as the
// loader gives them; abi.ts has the others.

export interface WindowKernels {
  /** Hashes (u32) of windows of a page that are not in the older one; see assembly/windows.ts. */
  newWindows(
    olderPtr: number,
    newerPtr: number,
    maskPtr: number,
    outPtr: number,
    capacity: number,
  ): number;
  /** Puts windows into a table of 2^bits places; the place (u32) of each goes to `placesPtr`. */
  insertWindows(
    tablePtr: number,
    bits: number,
    filterPtr: number,
    hashesPtr: number,
    count: number,
    placesPtr: number,
  ): void;
  /** Place and frame (u32 each) of the table's windows that stand in these pages; 4 KiB of scratch
   * for the list. */
  searchWindows(
    pagesPtr: number,
    pageCount: number,
    firstFrame: number,
    tablePtr: number,
    bits: number,
    filterPtr: number,
    seenPtr: number,
    listPtr: number,
    outPtr: number,
    capacity: number,
  ): number;
  /** Fills a table of 2^bits places (u32) with windows of pages; see assembly/pieces.ts. */
  indexPieces(pagesPtr: number, pageCount: number, tablePtr: number, bits: number): void;
  /** Marks (u64 a page) the blocks of indexed pages where new content stands; returns its bytes. */
  findPieces(
    newPtr: number,
    olderPtr: number,
    length: number,
    pagesPtr: number,
    pageCount: number,
    tablePtr: number,
    bits: number,
    marksPtr: number,
  ): number;
}
