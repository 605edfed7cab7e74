// The fingerprint table: finds pages whose 128-bit fingerprint was seen before. It names candidates
// only; whether two pages are equal is decided by `compare`. Its size is fixed at the start.
//
//   header  16 bytes   u32 mask of the buckets | u32 capacity | u32 count | u32 0
//   heads   2^bits u32, padded to 8 bytes      index of the newest entry + 1, 0 when empty
//   entries capacity × 40 bytes (layout.ts)    never cleared: `count` says which are alive
import {
  FINGERPRINT_BYTES,
  LOOKUP_FOUND,
  LOOKUP_FULL,
  LOOKUP_INSERTED,
  LOOKUP_NONE,
  NO_ENTRY,
  SURVEY_ORDINARY,
  SURVEY_RECORD_BYTES,
  TABLE_ENTRY_BYTES,
} from "./layout";

// @ts-ignore: decorator
@inline const HEADER_BYTES: usize = 16;
// @ts-ignore: decorator
@inline const CAPACITY: usize = 4;
// @ts-ignore: decorator
@inline const COUNT: usize = 8;
// Fields of an entry.
// @ts-ignore: decorator
@inline const HIGH: usize = 8;
// @ts-ignore: decorator
@inline const PLACE: usize = 16;
// @ts-ignore: decorator
@inline const SLOT: usize = 24;
// @ts-ignore: decorator
@inline const NEXT: usize = 32;

/**
 * Entries that one bucket may chain. Fingerprints are not keyed, so a guest can craft pages that
 * share a bucket; with at most one entry per bucket on average, honest ones never chain that far.
 */
// @ts-ignore: decorator
@inline const CHAIN_LIMIT: u32 = 16;

/** Bytes that a table of this shape takes, or 0 when 32-bit memory cannot hold it. */
export function tableBytes(bucketBits: u32, entryCapacity: u32): u32 {
  if (bucketBits > 28) return 0;
  const heads = headsBytes(<u32>1 << bucketBits);
  const bytes = <u64>HEADER_BYTES + heads + <u64>entryCapacity * TABLE_ENTRY_BYTES;
  return bytes > <u64>u32.MAX_VALUE ? 0 : <u32>bytes;
}

/** Clears the heads alone: the memory of the entries stays untouched until they are used. */
export function tableInit(tablePtr: usize, bucketBits: u32, entryCapacity: u32): void {
  const buckets = <u32>1 << bucketBits;
  store<u32>(tablePtr, buckets - 1);
  store<u32>(tablePtr, entryCapacity, CAPACITY);
  store<u64>(tablePtr, 0, COUNT);
  memory.fill(tablePtr + HEADER_BYTES, 0, headsBytes(buckets));
}

/** Finds or inserts each ordinary page in order; see src/kernels/abi.ts. */
export function tableLookup(
  tablePtr: usize,
  recordsPtr: usize,
  fingerprintsPtr: usize,
  placesPtr: usize,
  pageCount: u32,
  entriesPtr: usize,
  codesPtr: usize,
): void {
  for (let i: u32 = 0; i < pageCount; i++) {
    let code = LOOKUP_NONE;
    let entry = NO_ENTRY;
    const recordPtr = recordsPtr + i * SURVEY_RECORD_BYTES;
    if (load<u32>(recordPtr) == SURVEY_ORDINARY) {
      const fingerprintPtr = fingerprintsPtr + i * FINGERPRINT_BYTES;
      const low = load<u64>(fingerprintPtr);
      const high = load<u64>(fingerprintPtr, HIGH);
      const count = load<u32>(tablePtr, COUNT);
      entry = findOrInsert(tablePtr, low, high, placesPtr + i * 8);
      if (entry == NO_ENTRY) code = LOOKUP_FULL;
      else code = load<u32>(tablePtr, COUNT) == count ? LOOKUP_FOUND : LOOKUP_INSERTED;
    }
    store<u32>(entriesPtr + i * 4, entry);
    store<u8>(codesPtr + i, <u8>code);
  }
}

/** Index of the entry with this fingerprint, a new one if there is none, NO_ENTRY if none fits. */
// @ts-ignore: decorator
@inline
function findOrInsert(tablePtr: usize, low: u64, high: u64, placePtr: usize): u32 {
  const mask = load<u32>(tablePtr);
  const headPtr = tablePtr + HEADER_BYTES + (<usize>(<u32>low & mask) << 2);
  const entries = tablePtr + HEADER_BYTES + headsBytes(mask + 1);
  const head = load<u32>(headPtr);
  let steps: u32 = 0;
  for (let link = head; link != 0; steps++) {
    const entryPtr = entries + (link - 1) * TABLE_ENTRY_BYTES;
    if (load<u64>(entryPtr) == low && load<u64>(entryPtr, HIGH) == high) return link - 1;
    link = load<u32>(entryPtr, NEXT);
  }
  const count = load<u32>(tablePtr, COUNT);
  // A full chain takes no more, so that the walk above always ends within the limit.
  if (steps == CHAIN_LIMIT || count == load<u32>(tablePtr, CAPACITY)) return NO_ENTRY;
  const entryPtr = entries + count * TABLE_ENTRY_BYTES;
  store<u64>(entryPtr, low);
  store<u64>(entryPtr, high, HIGH);
  store<u64>(entryPtr, load<u64>(placePtr), PLACE);
  store<u64>(entryPtr, 0, SLOT);
  store<u64>(entryPtr, head, NEXT);
  store<u32>(headPtr, count + 1);
  store<u32>(tablePtr, count + 1, COUNT);
  return count;
}

/** Address of entry `index`, which must be below the count. */
export function tableEntry(tablePtr: usize, index: u32): usize {
  assert(index < tableCount(tablePtr));
  const heads = headsBytes(load<u32>(tablePtr) + 1);
  return tablePtr + HEADER_BYTES + heads + index * TABLE_ENTRY_BYTES;
}

/** Entries in the table. */
export function tableCount(tablePtr: usize): u32 {
  return load<u32>(tablePtr, COUNT);
}

/** Bytes of the heads: a single bucket is padded, so that the entries keep their alignment. */
// @ts-ignore: decorator
@inline
function headsBytes(buckets: u32): u32 {
  return (buckets * 4 + 7) & ~7;
}
