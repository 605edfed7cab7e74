// The two ends of a batch on the main thread: what needs a decision before it is encoded, and what
// became of it afterwards, as runs. Decisions themselves are TypeScript.
import {
  ACTION_NONE,
  ACTION_STORE,
  CLUSTER_ENTRY_BYTES,
  FINGERPRINT_BYTES,
  LOOKUP_FOUND,
  LOOKUP_INSERTED,
  LOOKUP_NONE,
  NO_ENTRY,
  OUTCOME_DELTA,
  OUTCOME_EQUAL,
  OUTCOME_NAMED,
  OUTCOME_NONE,
  OUTCOME_STORED,
  RUN_BYTES,
  RUN_DELTA,
  RUN_EQUAL,
  RUN_NAMED,
  RUN_STORED,
  RUN_UNIFORM,
  RUN_ZERO,
  SKETCH_CANDIDATES,
  SLOT_BASE,
  SLOT_DELTAS,
  SLOT_KNOWN,
  SURVEY_RECORD_BYTES,
  SURVEY_UNIFORM,
  SURVEY_ZERO,
} from "./layout";
import { tableEntry } from "./table";

/** Where place and slot stand in a table entry. */
// @ts-ignore: decorator
@inline const PLACE: usize = 16;
// @ts-ignore: decorator
@inline const SLOT: usize = 24;

/**
 * Plans pages with nothing to compare with: NONE or STORE. Lists the others (u32 each): found in
 * the table, with similar pages, or (`all` = 1) new in any way. Returns how many are listed.
 */
export function planPages(
  planPtr: usize,
  planStride: u32,
  codesPtr: usize,
  similarPtr: usize,
  pageCount: u32,
  all: u32,
  listPtr: usize,
): u32 {
  let listed: u32 = 0;
  for (let page: u32 = 0; page < pageCount; page++) {
    const code = <u32>load<u8>(codesPtr + <usize>page);
    const plan = planPtr + <usize>(page * planStride);
    store<u32>(plan, code == LOOKUP_NONE ? ACTION_NONE : ACTION_STORE);
    store<u32>(plan, 0, 4);
    store<u32>(plan, OUTCOME_NONE, 8);
    if (code == LOOKUP_NONE) continue;
    const similar = load<u32>(similarPtr + <usize>(page * SKETCH_CANDIDATES * 4));
    if (code != LOOKUP_FOUND && similar == NO_ENTRY && all == 0) continue;
    store<u32>(listPtr + <usize>(listed * 4), page);
    listed++;
  }
  return listed;
}

/**
 * Describes an encoded batch: writes its runs, gives the table entries that it brought their slots,
 * gathers the fingerprints of its items in the order of clusters, and writes the entry of each page
 * stored without references (NO_ENTRY for others) at `plainPtr`. Returns the number of runs.
 */
export function describePages(
  recordsPtr: usize,
  fingerprintsPtr: usize,
  planPtr: usize,
  planStride: u32,
  codesPtr: usize,
  entriesPtr: usize,
  pageCount: u32,
  tablePtr: usize,
  clustersPtr: usize,
  firstCluster: u32,
  gatheredPtr: usize,
  plainPtr: usize,
  runsPtr: usize,
): u32 {
  // Clusters of pages come first, clusters of deltas behind them.
  const storedItems = countStored(planPtr, planStride, pageCount);
  let stored: u32 = 0, storedItem: u32 = 0;
  let delta = clustersOf(clustersPtr, storedItems);
  let deltaItem: u32 = 0, pagesAt = gatheredPtr;
  let deltasAt = gatheredPtr + <usize>(storedItems * FINGERPRINT_BYTES);
  let run = runsPtr - <usize>RUN_BYTES;
  for (let page: u32 = 0; page < pageCount; page++) {
    const outcome = load<u32>(planPtr + <usize>(page * planStride), 8);
    const entry = load<u32>(entriesPtr + <usize>(page * 4));
    const isNew = <u32>load<u8>(codesPtr + <usize>page) == LOOKUP_INSERTED;
    const fingerprint = fingerprintsPtr + <usize>(page * FINGERPRINT_BYTES);
    let kind: u32 = RUN_EQUAL;
    let cluster: u32 = 0, state: u32 = 0;
    let word: u64 = 0;
    let plain: u32 = NO_ENTRY;
    if (outcome == OUTCOME_STORED) {
      if (storedItem == itemsOf(clustersPtr, stored)) {
        stored++;
        storedItem = 0;
      }
      kind = RUN_STORED;
      if (isNew) {
        setSlot(tablePtr, entry, firstCluster + stored, SLOT_KNOWN | storedItem);
        plain = entry;
      }
      storedItem++;
      v128.store(pagesAt, v128.load(fingerprint));
      pagesAt += <usize>FINGERPRINT_BYTES;
    } else if (outcome == OUTCOME_DELTA) {
      if (deltaItem == itemsOf(clustersPtr, delta)) {
        delta++;
        deltaItem = 0;
      }
      kind = RUN_DELTA;
      const slot = SLOT_KNOWN | SLOT_DELTAS | deltaItem;
      if (isNew) setSlot(tablePtr, entry, firstCluster + delta, slot);
      deltaItem++;
      v128.store(deltasAt, v128.load(fingerprint));
      deltasAt += <usize>FINGERPRINT_BYTES;
    } else if (outcome == OUTCOME_EQUAL) {
      const at = <usize>tableEntry(tablePtr, entry);
      cluster = load<u32>(at, SLOT);
      state = load<u32>(at, SLOT + 4);
      word = load<u64>(at, PLACE);
    } else {
      const record = recordsPtr + <usize>(page * SURVEY_RECORD_BYTES);
      kind = outcome == OUTCOME_NAMED ? RUN_NAMED : constantKind(load<u32>(record));
      word = load<u64>(record, 8);
    }
    store<u32>(plainPtr + <usize>(page * 4), plain);
    run = addPage(run, runsPtr, kind, cluster, state, word);
  }
  return <u32>((run - runsPtr) / <usize>RUN_BYTES) + 1;
}

function countStored(planPtr: usize, planStride: u32, pageCount: u32): u32 {
  let stored: u32 = 0;
  for (let page: u32 = 0; page < pageCount; page++) {
    if (load<u32>(planPtr + <usize>(page * planStride), 8) == OUTCOME_STORED) stored++;
  }
  return stored;
}

/** How many clusters, from the first one on, hold `items` items. */
function clustersOf(clustersPtr: usize, items: u32): u32 {
  let clusters: u32 = 0;
  for (let counted: u32 = 0; counted < items; clusters++) counted += itemsOf(clustersPtr, clusters);
  return clusters;
}

// @ts-ignore: decorator
@inline
function itemsOf(clustersPtr: usize, cluster: u32): u32 {
  return load<u32>(clustersPtr + <usize>(cluster * CLUSTER_ENTRY_BYTES), 8);
}

/** Counts a page to the run at `last`, or begins the next one. Returns the run it is in. */
// @ts-ignore: decorator
@inline
function addPage(
  last: usize,
  runsPtr: usize,
  kind: u32,
  cluster: u32,
  state: u32,
  word: u64,
): usize {
  if (last >= runsPtr && continues(last, kind, cluster, state, word)) {
    store<u32>(last, load<u32>(last, 4) + 1, 4);
    return last;
  }
  const run = last + <usize>RUN_BYTES;
  store<u32>(run, kind);
  store<u32>(run, 1, 4);
  store<u32>(run, cluster, 8);
  store<u32>(run, state, 12);
  store<u64>(run, word, 16);
  return run;
}

/** 0 for an ordinary page, which must have an outcome. */
// @ts-ignore: decorator
@inline
function constantKind(survey: u32): u32 {
  return survey == SURVEY_ZERO ? RUN_ZERO : survey == SURVEY_UNIFORM ? RUN_UNIFORM : 0;
}

// @ts-ignore: decorator
@inline
function setSlot(tablePtr: usize, entry: u32, cluster: u32, state: u32): void {
  const at = <usize>tableEntry(tablePtr, entry);
  store<u32>(at, cluster, SLOT);
  store<u32>(at, state, SLOT + 4);
}

/** True when a page may be counted to the run before it. Frames of a base are runs of their own. */
// @ts-ignore: decorator
@inline
function continues(run: usize, kind: u32, cluster: u32, state: u32, word: u64): bool {
  if (load<u32>(run) != kind) return false;
  if (kind == RUN_UNIFORM) return load<u64>(run, 16) == word;
  if (kind != RUN_EQUAL) return true;
  if ((state & SLOT_BASE) != 0 || load<u32>(run, 8) != cluster) return false;
  return load<u32>(run, 12) + load<u32>(run, 4) == state;
}
