// Packs what a batch stores into clusters (docs/format.md §1.3): gathers pages or deltas,
// compresses them, writes header and checksum. The one caller of compressors on the way of a page.
import { checksum } from "./checksum";
import {
  ACTION_STORE,
  CLUSTER_ENTRY_BYTES,
  CLUSTER_IS_DELTAS,
  CLUSTER_IS_RAW,
  COMPRESS_LZ4,
  COMPRESS_NONE,
  COMPRESS_ZSTD,
  OUTCOME_STORED,
  PAGE_BYTES,
} from "./layout";
import { lz4Compress } from "./lz4";
import { zstdCompress } from "./zstd/compress";

// @ts-ignore: decorator
@inline const HEADER_BYTES: u32 = 24;
/** Where the bytes begin that the checksum covers. */
// @ts-ignore: decorator
@inline const COVERED_OFFSET: u32 = 8;
// @ts-ignore: decorator
@inline const CODEC_RAW: u32 = 1;
// @ts-ignore: decorator
@inline const CODEC_LZ4: u32 = 2;
// @ts-ignore: decorator
@inline const CODEC_ZSTD: u32 = 3;
// @ts-ignore: decorator
@inline const KIND_PAGES: u32 = 1;
// @ts-ignore: decorator
@inline const KIND_DELTAS: u32 = 2;
// @ts-ignore: decorator
@inline const MAX_ITEMS: u32 = 256;

/**
 * Packs the pages whose plan says STORE, about equally many and at most `clusterPages` to a
 * cluster, one cluster after another from `outPtr` on. Marks them STORED, fills an entry for each
 * cluster and returns their number.
 */
export function packPages(
  planPtr: usize,
  planStride: u32,
  pagesPtr: usize,
  pageCount: u32,
  clusterPages: u32,
  compress: u32,
  outPtr: usize,
  stagingPtr: usize,
  codecPtr: usize,
  entriesPtr: usize,
): u32 {
  const stored = countStored(planPtr, planStride, pageCount);
  const clusterCount = (stored + clusterPages - 1) / clusterPages;
  const equalShare = (stored + clusterCount - 1) / max<u32>(clusterCount, 1);
  let clusters: u32 = 0;
  let offset: u32 = 0;
  let gathered: u32 = 0;
  let first: u32 = 0;
  let inPlace = true;
  for (let page: u32 = 0; page <= pageCount; page++) {
    const atEnd = page == pageCount;
    if (!atEnd) {
      const plan = planPtr + <usize>(page * planStride);
      if (load<u32>(plan) != ACTION_STORE) continue;
      store<u32>(plan, OUTCOME_STORED, 8);
      if (gathered == 0) {
        first = page;
        inPlace = true;
      } else if (inPlace && page != first + gathered) {
        // A run of pages is compressed from where it lies; the first gap moves it to the staging.
        memory.copy(stagingPtr, pagesPtr + <usize>(first * PAGE_BYTES), gathered * PAGE_BYTES);
        inPlace = false;
      }
      if (!inPlace) {
        const target = stagingPtr + <usize>(gathered * PAGE_BYTES);
        memory.copy(target, pagesPtr + <usize>(page * PAGE_BYTES), PAGE_BYTES);
      }
      gathered++;
    }
    if (gathered == 0 || (!atEnd && gathered < equalShare)) continue;
    const source = inPlace ? pagesPtr + <usize>(first * PAGE_BYTES) : stagingPtr;
    const entry = entriesPtr + <usize>(clusters * CLUSTER_ENTRY_BYTES);
    const bytes = gathered * PAGE_BYTES;
    offset += writeCluster(
      source, bytes, gathered, KIND_PAGES, compress, outPtr, offset, codecPtr, entry,
    );
    clusters++;
    gathered = 0;
  }
  return clusters;
}

function countStored(planPtr: usize, planStride: u32, pageCount: u32): u32 {
  let stored: u32 = 0;
  for (let page: u32 = 0; page < pageCount; page++) {
    if (load<u32>(planPtr + <usize>(page * planStride)) == ACTION_STORE) stored++;
  }
  return stored;
}

/**
 * Packs `count` deltas that lie one after another at `deltasPtr`, with their lengths (u32 each) at
 * `lengthsPtr`, into clusters of at most `clusterBytes` bytes of content where that is possible.
 * The first one is put at `outPtr + offset`. Returns the number of clusters.
 */
export function packDeltas(
  lengthsPtr: usize,
  count: u32,
  deltasPtr: usize,
  clusterBytes: u32,
  compress: u32,
  outPtr: usize,
  offset: u32,
  stagingPtr: usize,
  codecPtr: usize,
  entriesPtr: usize,
): u32 {
  let clusters: u32 = 0;
  let source = deltasPtr;
  let done: u32 = 0;
  while (done < count) {
    let items: u32 = 0;
    let bytes: u32 = 0;
    while (done + items < count && items < MAX_ITEMS) {
      const length = load<u32>(lengthsPtr + <usize>((done + items) * 4));
      if (items > 0 && bytes + length + 2 * (items + 1) > clusterBytes) break;
      store<u16>(stagingPtr + <usize>(items * 2), <u16>length);
      bytes += length;
      items++;
    }
    memory.copy(stagingPtr + <usize>(items * 2), source, bytes);
    source += <usize>bytes;
    done += items;
    const entry = entriesPtr + <usize>(clusters * CLUSTER_ENTRY_BYTES);
    const content = bytes + items * 2;
    offset += writeCluster(
      stagingPtr, content, items, KIND_DELTAS, compress, outPtr, offset, codecPtr, entry,
    );
    clusters++;
  }
  return clusters;
}

/** Writes one cluster at `outPtr + offset` and its entry; returns its bytes with header. */
function writeCluster(
  source: usize,
  contentBytes: u32,
  items: u32,
  kind: u32,
  compress: u32,
  outPtr: usize,
  offset: u32,
  codecPtr: usize,
  entry: usize,
): u32 {
  const start = outPtr + <usize>offset;
  const payload = start + <usize>HEADER_BYTES;
  let length: u32 = 0;
  if (compress == COMPRESS_LZ4) {
    length = lz4Compress(source, contentBytes, payload, contentBytes - 1, codecPtr);
  } else if (compress != COMPRESS_NONE) {
    const level = compress - COMPRESS_ZSTD + 1;
    length = zstdCompress(source, contentBytes, payload, contentBytes - 1, level, codecPtr);
  }
  const isRaw = length == 0;
  const codec = isRaw ? CODEC_RAW : compress == COMPRESS_LZ4 ? CODEC_LZ4 : CODEC_ZSTD;
  if (isRaw) {
    memory.copy(payload, source, contentBytes);
    length = contentBytes;
  }
  store<u32>(start, length, 8);
  store<u32>(start, contentBytes, 12);
  store<u32>(start, codec | (kind << 8) | (items << 16), 16);
  store<u32>(start, 0, 20);
  const byteLength = HEADER_BYTES + length;
  checksum(start + <usize>COVERED_OFFSET, byteLength - COVERED_OFFSET, start);
  store<u32>(entry, offset);
  store<u32>(entry, byteLength, 4);
  store<u32>(entry, items, 8);
  const kindFlag = kind == KIND_DELTAS ? CLUSTER_IS_DELTAS : 0;
  store<u32>(entry, kindFlag | (isRaw ? CLUSTER_IS_RAW : 0), 12);
  return byteLength;
}
