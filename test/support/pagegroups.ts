// Groups of pages for tests that compress nothing: a cluster is its pages one after another.
import { CLUSTER_HEADER_BYTES, CODEC_RAW, KIND_PAGES } from "../../src/core/cluster.ts";
import { digestAt } from "../../src/core/digests.ts";
import { DIGEST_BYTES } from "../../src/core/page.ts";
import type { HashedPage, PageGroup, PageVisitor } from "../../src/core/pagegroup.ts";

/** All pages have one size. */
export function groupOf(digests: Uint8Array, pages: readonly Uint8Array[]): PageGroup {
  return { digests, cluster: Buffer.concat(pages) };
}

export function hashed(bytes: Uint8Array): HashedPage {
  return { bytes, words: new Uint32Array(2), hashAt: 0 };
}

/** What unpacking does for who can tell whether a page has its digest. */
export function unpackPlainly(
  groups: readonly PageGroup[],
  isRight: (digest: Uint8Array, page: Uint8Array) => boolean,
  visit: PageVisitor,
): void {
  for (const { digests, cluster } of groups) {
    const count = digests.length / DIGEST_BYTES;
    const size = cluster.length / count;
    for (let i = 0; i < count; i++) {
      const page = cluster.subarray(i * size, (i + 1) * size);
      visit(digests, i, isRight(digestAt(digests, i), page) ? hashed(page) : undefined);
    }
  }
}

/** A group as others unpack it, whose pages are not compressed. */
export function rawGroup(digests: Uint8Array, pages: readonly Uint8Array[]): PageGroup {
  const content = Buffer.concat(pages);
  const header = Buffer.alloc(CLUSTER_HEADER_BYTES);
  // Its checksum is not read: groups are sealed.
  header.writeUInt32LE(content.length, 8);
  header.writeUInt32LE(content.length, 12);
  header[16] = CODEC_RAW;
  header[17] = KIND_PAGES;
  header.writeUInt16LE(pages.length, 18);
  return { digests, cluster: Buffer.concat([header, content]) };
}
