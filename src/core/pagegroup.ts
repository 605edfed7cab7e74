// Pages that are kept for other hosts, compressed together.
import { DIGEST_BYTES } from "./page.ts";

export interface PageGroup {
  /** BLAKE3 digests of its pages, one after another. */
  readonly digests: Uint8Array;
  /** The bytes of their cluster (docs/format.md §1.3). */
  readonly cluster: Uint8Array;
}

export function pagesOf({ digests }: PageGroup): number {
  return digests.length / DIGEST_BYTES;
}

/** A page and the hash that stands for it in proofs: two words. Both are borrowed. */
export interface HashedPage {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  readonly hashAt: number;
}

/** Is told of page i of `digests`, valid during the call; of none where it has not that digest. */
export type PageVisitor = (digests: Uint8Array, i: number, page: HashedPage | undefined) => void;
