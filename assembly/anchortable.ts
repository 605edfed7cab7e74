// The anchor table: which entries hold the content of an anchor. Workers look up while the main
// thread inserts, and yet what they find does not depend on who was faster: a place is written
// once, and entries from the reader's limit on, which may be there or not, count as absent.
//
//   header   64 bytes     u32 bits | u32 segment that takes insertions | u32 anchors in it | 0
//   segment  3 × 2^bits   u64 places: entry + 1 (low), anchor (high); 0 is an empty place
//
// A full table forgets its older half: a reader looks into the segment of its time and the one
// before; the third is what nobody reads any more, or what the next turn will clear.
import { ANCHORS_MAX, NO_ENTRY, SKETCH_CANDIDATES } from "./layout";

// @ts-ignore: decorator
@inline const HEADER_BYTES: usize = 64;
// @ts-ignore: decorator
@inline const SEGMENT: usize = 4;
// @ts-ignore: decorator
@inline const COUNT: usize = 8;
// @ts-ignore: decorator
@inline const SEGMENTS: u32 = 3;
/** Places that are tried; an anchor that finds none of them free is not inserted. */
// @ts-ignore: decorator
@inline const MAX_PROBES: u32 = 8;

/** Bytes of a table of 3 × 2^bits places, or 0 when 32-bit memory cannot hold it. */
export function anchorBytes(bits: u32): u32 {
  if (bits > 26) return 0;
  return <u32>HEADER_BYTES + ((SEGMENTS * 8) << bits);
}

/** Makes an empty table. A segment that nobody reads before it is turned to stays untouched. */
export function anchorInit(tablePtr: usize, bits: u32): void {
  memory.fill(tablePtr, 0, HEADER_BYTES + (<usize>8 << bits));
  memory.fill(segmentPtr(tablePtr, bits, SEGMENTS - 1), 0, <usize>8 << bits);
  store<u32>(tablePtr, bits);
}

/** Goes on with the next segment, empty. Nobody may read it: see above. Returns its number. */
export function anchorTurn(tablePtr: usize): u32 {
  const bits = load<u32>(tablePtr);
  const segment = (load<u32>(tablePtr, SEGMENT) + 1) % SEGMENTS;
  store<u32>(tablePtr, segment, SEGMENT);
  store<u32>(tablePtr, 0, COUNT);
  memory.fill(segmentPtr(tablePtr, bits, segment), 0, <usize>8 << bits);
  return segment;
}

/**
 * Inserts the anchors of pages that have an entry (u32, NO_ENTRY: none); the first entry of an
 * anchor stays. Returns how many anchors the segment holds.
 */
export function anchorInsert(
  tablePtr: usize,
  anchorsPtr: usize,
  countsPtr: usize,
  entriesPtr: usize,
  pageCount: u32,
): u32 {
  const bits = load<u32>(tablePtr);
  const places = segmentPtr(tablePtr, bits, load<u32>(tablePtr, SEGMENT));
  let held = load<u32>(tablePtr, COUNT);
  let at = anchorsPtr;
  for (let page: u32 = 0; page < pageCount; page++) {
    const end = at + (<usize>load<u8>(countsPtr + <usize>page) << 2);
    const entry = load<u32>(entriesPtr + <usize>(page * 4));
    if (entry != NO_ENTRY) {
      for (; at < end; at += 4) held += insert(places, bits, load<u32>(at), entry);
    }
    at = end;
  }
  store<u32>(tablePtr, held, COUNT);
  return held;
}

/** 1 if the anchor is new and has found a place. */
// @ts-ignore: decorator
@inline
function insert(places: usize, bits: u32, anchor: u32, entry: u32): u32 {
  let index = indexOf(anchor, bits);
  for (let probe: u32 = 0; probe < MAX_PROBES; probe++) {
    const placePtr = places + (<usize>index << 3);
    const place = load<u64>(placePtr);
    if (place == 0) {
      atomic.store<u64>(placePtr, (<u64>anchor << 32) | <u64>(entry + 1));
      return 1;
    }
    if (<u32>(place >> 32) == anchor) return 0;
    index = (index + 1) & ((1 << bits) - 1);
  }
  return 0;
}

/**
 * Writes SKETCH_CANDIDATES entries per page: those below `entryLimit` that share most anchors with
 * it, NO_ENTRY fills up. The first shares `minVotes` at least: with fewer, a delta seldom saves
 * anything. `segment` is the one of the reader's time; `votesPtr` holds 1024 bytes.
 */
export function anchorLookup(
  tablePtr: usize,
  segment: u32,
  entryLimit: u32,
  minVotes: u32,
  anchorsPtr: usize,
  countsPtr: usize,
  pageCount: u32,
  votesPtr: usize,
  candidatesPtr: usize,
): void {
  const bits = load<u32>(tablePtr);
  const newer = segmentPtr(tablePtr, bits, segment);
  const older = segmentPtr(tablePtr, bits, (segment + SEGMENTS - 1) % SEGMENTS);
  let at = anchorsPtr;
  for (let page: u32 = 0; page < pageCount; page++) {
    const end = at + (<usize>load<u8>(countsPtr + <usize>page) << 2);
    warm(newer, older, bits, at, end);
    let votesEnd = votesPtr;
    for (; at < end; at += 4) {
      const anchor = load<u32>(at);
      let entry = find(newer, bits, anchor);
      if (entry >= entryLimit) entry = find(older, bits, anchor);
      if (entry < entryLimit) votesEnd = vote(votesPtr, votesEnd, entry);
    }
    elect(votesPtr, votesEnd, minVotes, candidatesPtr + <usize>(page * SKETCH_CANDIDATES * 4));
  }
}

/** Touches all places first: the processor fetches them at the same time, and not one by one. */
// @ts-ignore: decorator
@inline
function warm(newer: usize, older: usize, bits: u32, from: usize, end: usize): void {
  let touched: u32 = 0;
  for (let at = from; at < end; at += 4) {
    const offset = <usize>indexOf(load<u32>(at), bits) << 3;
    touched |= load<u32>(newer + offset) | load<u32>(older + offset);
  }
  // Something has to be done with it, or the compiler leaves the loads out.
  if (touched == 0 && from != end) store<u32>(from, load<u32>(from));
}

/** The entry of an anchor, or NO_ENTRY. */
// @ts-ignore: decorator
@inline
function find(places: usize, bits: u32, anchor: u32): u32 {
  let index = indexOf(anchor, bits);
  for (let probe: u32 = 0; probe < MAX_PROBES; probe++) {
    const place = atomic.load<u64>(places + (<usize>index << 3));
    if (place == 0) return NO_ENTRY;
    if (<u32>(place >> 32) == anchor) return <u32>place - 1;
    index = (index + 1) & ((1 << bits) - 1);
  }
  return NO_ENTRY;
}

/** Counts a vote; the list holds u32 entry, u32 votes. Returns its end. */
// @ts-ignore: decorator
@inline
function vote(votesPtr: usize, votesEnd: usize, entry: u32): usize {
  let at = votesEnd;
  // From the end: neighbours in a page are neighbours in its sibling.
  while (at > votesPtr) {
    at -= 8;
    if (load<u32>(at) == entry) {
      store<u32>(at, load<u32>(at, 4) + 1, 4);
      return votesEnd;
    }
  }
  assert(votesEnd - votesPtr < <usize>(ANCHORS_MAX * 8));
  store<u32>(votesEnd, entry);
  store<u32>(votesEnd, 1, 4);
  return votesEnd + 8;
}

/** Writes the entries with most votes, the lowest entry first among equals. */
// @ts-ignore: decorator
@inline
function elect(votesPtr: usize, votesEnd: usize, minVotes: u32, outPtr: usize): void {
  // With one good reference, another has to bring less.
  for (let k: u32 = 0, least = minVotes; k < SKETCH_CANDIDATES; k++, least = minVotes - 1) {
    let best: usize = 0;
    let bestVotes = least;
    let bestEntry = NO_ENTRY;
    for (let at = votesPtr; at < votesEnd; at += 8) {
      const entry = load<u32>(at);
      const votes = load<u32>(at, 4);
      if (votes < bestVotes || (votes == bestVotes && entry > bestEntry)) continue;
      best = at;
      bestVotes = votes;
      bestEntry = entry;
    }
    store<u32>(outPtr + <usize>(k * 4), bestEntry);
    if (best != 0) store<u32>(best, 0, 4);
  }
}

/** Anchors are sampled by bits that are not among those of the table. */
// @ts-ignore: decorator
@inline
function indexOf(anchor: u32, bits: u32): u32 {
  return (anchor * 0x9e3779b1) >>> (32 - bits);
}

// @ts-ignore: decorator
@inline
function segmentPtr(tablePtr: usize, bits: u32, segment: u32): usize {
  return tablePtr + HEADER_BYTES + (<usize>(segment * 8) << bits);
}
