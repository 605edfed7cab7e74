// The sketch table: finds pages that share sketch features with a page. It forgets (the newest page
// of a feature's place wins) and it names candidates only; the delta encoder says what they save.
//
//   header   8 bytes            u32 bits | u32 0
//   feature 0 … 3               2^bits places each: u32 tag (the feature) | u32 entry
//                               tag 0 is an empty place, and feature 0 means the page has none
import {
  NO_ENTRY,
  SKETCH_CANDIDATES,
  SKETCH_FEATURES,
  SURVEY_ORDINARY,
  SURVEY_RECORD_BYTES,
} from "./layout";

// @ts-ignore: decorator
@inline const HEADER_BYTES: usize = 8;
// @ts-ignore: decorator
@inline const PLACE_BYTES: usize = 8;
/** Where the entry stands in a place. */
// @ts-ignore: decorator
@inline const ENTRY: usize = 4;
/** Where the features stand in a survey record. */
// @ts-ignore: decorator
@inline const FEATURES: usize = 16;

/** Bytes of a table of 2^bits places per feature, or 0 when 32-bit memory cannot hold it. */
export function sketchBytes(bits: u32): u32 {
  if (bits > 26) return 0;
  return <u32>(HEADER_BYTES + ((<usize>SKETCH_FEATURES * PLACE_BYTES) << bits));
}

/** Makes an empty table; this touches all of its memory. */
export function sketchInit(sketchPtr: usize, bits: u32): void {
  memory.fill(sketchPtr, 0, sketchBytes(bits));
  store<u32>(sketchPtr, bits);
}

/** Makes the ordinary pages that have an entry findable by their features. */
export function sketchInsert(
  sketchPtr: usize,
  recordsPtr: usize,
  entriesPtr: usize,
  pageCount: u32,
): void {
  const bits = load<u32>(sketchPtr);
  for (let i: u32 = 0; i < pageCount; i++) {
    const recordPtr = recordsPtr + i * SURVEY_RECORD_BYTES;
    const entry = load<u32>(entriesPtr + i * 4);
    if (entry == NO_ENTRY || load<u32>(recordPtr) != SURVEY_ORDINARY) continue;
    for (let f: u32 = 0; f < SKETCH_FEATURES; f++) {
      const feature = load<u32>(recordPtr + f * 4, FEATURES);
      if (feature == 0) continue;
      const placePtr = placeOf(sketchPtr, bits, f, feature);
      store<u32>(placePtr, feature);
      store<u32>(placePtr, entry, ENTRY);
    }
  }
}

/** Writes SKETCH_CANDIDATES entries per page; pages that are not ordinary get none. */
export function sketchLookup(
  sketchPtr: usize,
  recordsPtr: usize,
  pageCount: u32,
  candidatesPtr: usize,
): void {
  const bits = load<u32>(sketchPtr);
  for (let i: u32 = 0; i < pageCount; i++) {
    const recordPtr = recordsPtr + i * SURVEY_RECORD_BYTES;
    const outPtr = candidatesPtr + i * (SKETCH_CANDIDATES * 4);
    if (load<u32>(recordPtr) != SURVEY_ORDINARY) {
      rank(outPtr, NO_ENTRY, NO_ENTRY, NO_ENTRY, NO_ENTRY);
      continue;
    }
    const a = entryOf(sketchPtr, bits, 0, load<u32>(recordPtr, FEATURES));
    const b = entryOf(sketchPtr, bits, 1, load<u32>(recordPtr, FEATURES + 4));
    const c = entryOf(sketchPtr, bits, 2, load<u32>(recordPtr, FEATURES + 8));
    const d = entryOf(sketchPtr, bits, 3, load<u32>(recordPtr, FEATURES + 12));
    rank(outPtr, a, b, c, d);
  }
}

/** Writes the distinct entries among four: those named most often first, then the first named. */
// @ts-ignore: decorator
@inline
function rank(outPtr: usize, a: u32, b: u32, c: u32, d: u32): void {
  // How often each is named, counted where it is named first and 0 elsewhere.
  const aVotes = a == NO_ENTRY ? 0 : 1 + i32(a == b) + i32(a == c) + i32(a == d);
  const bVotes = b == NO_ENTRY || b == a ? 0 : 1 + i32(b == c) + i32(b == d);
  const cVotes = c == NO_ENTRY || c == a || c == b ? 0 : 1 + i32(c == d);
  const dVotes = d == NO_ENTRY || d == a || d == b || d == c ? 0 : 1;
  let placed: u32 = 0;
  for (let votes = 4; votes > 0; votes--) {
    if (aVotes == votes) placed = put(outPtr, placed, a);
    if (bVotes == votes) placed = put(outPtr, placed, b);
    if (cVotes == votes) placed = put(outPtr, placed, c);
    if (dVotes == votes) placed = put(outPtr, placed, d);
  }
  while (placed < SKETCH_CANDIDATES) placed = put(outPtr, placed, NO_ENTRY);
}

/** Writes candidate number `index` unless there are enough; returns the next number. */
// @ts-ignore: decorator
@inline
function put(outPtr: usize, index: u32, entry: u32): u32 {
  if (index < SKETCH_CANDIDATES) store<u32>(outPtr + index * 4, entry);
  return index + 1;
}

/** The newest entry that has this feature, or NO_ENTRY. */
// @ts-ignore: decorator
@inline
function entryOf(sketchPtr: usize, bits: u32, index: u32, feature: u32): u32 {
  if (feature == 0) return NO_ENTRY;
  const placePtr = placeOf(sketchPtr, bits, index, feature);
  return load<u32>(placePtr) == feature ? load<u32>(placePtr, ENTRY) : NO_ENTRY;
}

/** The one place where feature number `index` may stand. Features are spread again, because a
 * feature is the extreme of many hashes: neither its high nor its low bits are even. */
// @ts-ignore: decorator
@inline
function placeOf(sketchPtr: usize, bits: u32, index: u32, feature: u32): usize {
  const spread = <usize>(<u64>(feature * 0x9e3779b1) >> (32 - bits));
  return sketchPtr + HEADER_BYTES + (((<usize>index << bits) + spread) * PLACE_BYTES);
}
