// The unit of everything: a page of guest memory.

/** Bytes of a page. */
export const PAGE_BYTES = 4096;

/** Pages needed to hold `byteLength` bytes. */
export function pagesFor(byteLength: number): number {
  return Math.ceil(byteLength / PAGE_BYTES);
}

/** A BLAKE3-256: what a page is called where its bytes are not at hand. */
export const DIGEST_BYTES = 32;
