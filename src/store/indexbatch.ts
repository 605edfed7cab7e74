// Batches of digests as the index script takes them: sorted by bucket, packed into one argument, so
// that the server parses nothing. A bucket belongs to a shard: what one call of a script touches
// lies on one server of a cluster, and calls for several shards run at the same time.
import { DIGEST_BYTES } from "../core/page.ts";
import { ITEM_BYTES, MAX_ITEMS } from "./indexscript.ts";

/**
 * A power of two. More of them would make fewer digests of a batch share a command; with fewer one
 * of them, which a server frees in one go, would be larger.
 */
export const BUCKETS = 32;
const SIZE_BYTES = 2;
const HANDLE_AT = DIGEST_BYTES + 4;

/** What entries hold when they are ours. */
export interface Ours {
  readonly token: number;
  readonly handles?: Uint32Array | undefined;
}

/** What one call of the script is about. */
export interface IndexBatch {
  readonly shard: number;
  readonly buckets: readonly number[];
  /** u16 count for each bucket. */
  readonly sizes: Buffer;
  /** `ITEM_BYTES` of each, bucket after bucket. */
  readonly items: Buffer;
  /** Where each of them stood in what was asked. */
  readonly places: Uint32Array;
}

/** Splits by shard, and into calls that do not keep a server for long. */
export function batchesOf(digests: Uint8Array, ours: Ours, shards: number): IndexBatch[] {
  const batches: IndexBatch[] = [];
  const count = digests.length / DIGEST_BYTES;
  for (let first = 0; first < count; first += MAX_ITEMS) {
    const length = Math.min(MAX_ITEMS, count - first);
    const sorted = sortByBucket(digests, first, length, shards);
    for (let shard = 0; shard < shards; shard++) {
      const batch = packShard(digests, ours, sorted, shard, shards);
      if (batch) batches.push(batch);
    }
  }
  return batches;
}

interface Sorted {
  /** Places in the order of their slots; slots are buckets in the order of their shards. */
  readonly places: Uint32Array;
  /** Where each slot begins; one more for the end. */
  readonly starts: Uint32Array;
}

/** Counting sort. */
function sortByBucket(digests: Uint8Array, first: number, length: number, shards: number): Sorted {
  const perShard = BUCKETS / shards;
  const slotOf = (i: number) => {
    const bucket = digests[i * DIGEST_BYTES] % BUCKETS;
    return (bucket % shards) * perShard + Math.floor(bucket / shards);
  };
  const starts = new Uint32Array(BUCKETS + 1);
  for (let i = first; i < first + length; i++) starts[slotOf(i) + 1]++;
  for (let slot = 0; slot < BUCKETS; slot++) starts[slot + 1] += starts[slot];
  const places = new Uint32Array(length);
  const next = starts.slice();
  for (let i = first; i < first + length; i++) places[next[slotOf(i)]++] = i;
  return { places, starts };
}

function packShard(
  digests: Uint8Array,
  { token, handles }: Ours,
  { places, starts }: Sorted,
  shard: number,
  shards: number,
): IndexBatch | undefined {
  const perShard = BUCKETS / shards;
  const [from, to] = [starts[shard * perShard], starts[(shard + 1) * perShard]];
  if (from === to) return undefined;
  const buckets: number[] = [];
  const counts: number[] = [];
  for (let slot = shard * perShard; slot < (shard + 1) * perShard; slot++) {
    const count = starts[slot + 1] - starts[slot];
    if (count === 0) continue;
    buckets.push((slot - shard * perShard) * shards + shard);
    counts.push(count);
  }
  const sizes = Buffer.alloc(SIZE_BYTES * counts.length);
  for (const [k, count] of counts.entries()) sizes.writeUInt16LE(count, SIZE_BYTES * k);
  const items = Buffer.alloc((to - from) * ITEM_BYTES);
  for (let n = from; n < to; n++) {
    const place = places[n];
    const at = (n - from) * ITEM_BYTES;
    items.set(digests.subarray(place * DIGEST_BYTES, (place + 1) * DIGEST_BYTES), at);
    items.writeUInt32LE(token, at + DIGEST_BYTES);
    if (handles) items.writeUInt32LE(handles[place], at + HANDLE_AT);
  }
  return { shard, buckets, sizes, items, places: places.subarray(from, to) };
}
