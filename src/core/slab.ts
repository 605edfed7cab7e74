// The working memory of one batch: its pages, what the survey says of each, the plan that the main
// thread makes, and the encoded clusters. Main thread and workers share it; a slab belongs to one
// side at a time.
import { CLUSTER_HEADER_BYTES } from "./cluster.ts";
import { PAGE_BYTES } from "./page.ts";
import { TAG_BYTES } from "./seal.ts";

/** Pages of one batch: 2 MiB, so that a task is worth its way to a worker and back. */
export const BATCH_PAGES = 512;

/** Candidates that a plan may name for one page. */
export const PLAN_CANDIDATES = 3;

// Plan of one page:
//    0  u32  action   what a worker has to do, an `Action`
//    4  u32  candidates that follow
//    8  u32  outcome  what came of it, an `Outcome`, written by the worker
//   12  u32  0
//   16  3 × candidate
// Candidate:
//    0  u32  where its content is, a `From`
//    4  u32  file descriptor (FILE)
//    8  f64  byte offset in the file (FILE), pointer (MEMORY), cluster number (SLOT)
//   16  u32  bytes to read, the rest of the page is zero (FILE)
//   20  u32  item of its slot
//   24  f64  what a delta writes for the reference: cluster × 2, or base frame × 2 + 1
//   32  u64 u64  fingerprint that its content must have
export const CANDIDATE_BYTES = 48;
export const CANDIDATES_OFFSET = 16;
export const PLAN_BYTES = CANDIDATES_OFFSET + PLAN_CANDIDATES * CANDIDATE_BYTES;

/** What to do with a page. */
export const Action = {
  /** Nothing: zero, uniform, or not part of the batch. */
  NONE: 1,
  /** Compare with candidate 0; store it if they differ. */
  VERIFY: 2,
  /** Store it. */
  STORE: 3,
  /** Try a delta against the candidates; store it if that does not pay. */
  DELTA: 4,
} as const;

/** What became of a page. */
export const Outcome = { NONE: 1, EQUAL: 2, STORED: 3, DELTA: 4, NAMED: 5 } as const;

/** Where a candidate's content is. */
export const From = { FILE: 1, MEMORY: 2, SLOT: 3 } as const;

const CLUSTER_ENTRY = 16;
const RUN = 24;
const SURVEY_RECORD = 32;
const FINGERPRINT = 16;
const DIGEST = 32;
const SKETCH_CANDIDATES = 3;
const ANCHORS = 64 * 4;

/** Offsets of the parts of a slab. */
const parts = {
  pages: BATCH_PAGES * PAGE_BYTES,
  records: BATCH_PAGES * SURVEY_RECORD,
  fingerprints: BATCH_PAGES * FINGERPRINT,
  places: BATCH_PAGES * 8,
  entries: BATCH_PAGES * 4,
  codes: BATCH_PAGES,
  /** Anchors of all pages, how many each page has, and the entries that share most of them. */
  anchors: BATCH_PAGES * ANCHORS,
  anchorCounts: BATCH_PAGES,
  similar: BATCH_PAGES * SKETCH_CANDIDATES * 4,
  plan: BATCH_PAGES * PLAN_BYTES,
  /** Pages that need a decision. */
  listed: BATCH_PAGES * 4,
  /** Clusters that were encoded: at most one for each page, and as many of deltas. */
  encoded: 2 * BATCH_PAGES * CLUSTER_ENTRY,
  /** What became of the pages: runs, fingerprints of stored items, entries of plain pages. Before
   * that the first tells which blocks changed (u64 each). */
  runs: BATCH_PAGES * RUN,
  gathered: BATCH_PAGES * FINGERPRINT,
  plain: BATCH_PAGES * 4,
  // Every page in a cluster of its own, raw and sealed: the worst that can be.
  clusters: BATCH_PAGES * (PAGE_BYTES + CLUSTER_HEADER_BYTES + TAG_BYTES) + 65536,
  /** How varied the bytes of each page are, u16, where somebody wants to know. */
  entropy: BATCH_PAGES * 2,
  /** Pages whose digests are wanted, and the digests. */
  asked: BATCH_PAGES * 4,
  digests: BATCH_PAGES * DIGEST,
};

export type SlabPart = keyof typeof parts;

const offsets = {} as Record<SlabPart, number>;
let end = 0;
for (const part of Object.keys(parts) as SlabPart[]) {
  offsets[part] = end;
  end += Math.ceil(parts[part] / 64) * 64;
}

/** Bytes of the part where encoded clusters go. */
export const SLAB_CLUSTERS_BYTES = parts.clusters;
/** Bytes of one slab. */
export const SLAB_BYTES = Math.ceil(end / PAGE_BYTES) * PAGE_BYTES;

/** Slabs of a session: for what the main thread decides and writes, and for each thread. */
export const SLABS_OF_SESSION = 4;
export const SLABS_OF_THREAD = 4;

/** Address of a part of the slab at `slabPtr`. */
export function slabPart(slabPtr: number, part: SlabPart): number {
  return slabPtr + offsets[part];
}

// Where clusters are, for workers: one record of 16 bytes for each cluster number.
//    0  f64  byte offset in the file, or pointer
//    8  u32  bytes with header; 0: this cluster cannot be had
//   12  u32  file descriptor, or IN_MEMORY
export const PLACE_BYTES = 16;
export const IN_MEMORY = 0xffff_ffff;
