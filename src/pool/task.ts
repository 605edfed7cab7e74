// What can be asked of a worker, and what it answers. Tasks are small; their subject lies in
// shared memory. A failure is part of the answer, because errors lose their code on the way.
import type { KeyObject } from "node:crypto";
import type { ClusterSeals } from "../core/seal.ts";
import type { Kernels } from "../kernels/abi.ts";
import type { ClusterCache } from "./clustercache.ts";
import type { RunPlan } from "./restorerun.ts";
import type { Scratch } from "./scratch.ts";

/** Pages of a file. */
export interface FilePages {
  readonly fd: number;
  /** Runs to read: page in the slab, pages, byte offset, byte length; four numbers each. */
  readonly runs: readonly number[];
}

/** Reads file ranges into a slab and surveys its pages; `fd` is -1 when they are there already. */
export interface SurveyTask extends FilePages {
  readonly kind: "survey";
  readonly slabPtr: number;
  readonly pageCount: number;
  /** True when nobody wants the pages themselves: they are not in the slab afterwards. */
  readonly isTransient?: boolean;
  /** Where pages that share anchors are looked for; undefined: nobody wants to know. */
  readonly anchors?: AnchorView | undefined;
  /** The table of src/kernels/entropy.ts, where the entropy of pages is wanted. */
  readonly entropyTablePtr?: number | undefined;
}

/** Compares frames of a base with the same frames of an image; see comparetask.ts. */
export interface CompareTask {
  readonly kind: "compare";
  readonly slabPtr: number;
  readonly base: FilePages;
  readonly image: FilePages;
  /** Pages of the base, and how many of them the image has too. */
  readonly pageCount: number;
  readonly comparedCount: number;
  /** True where the base is to be surveyed. */
  readonly isLearnt: boolean;
  /** Where anchors of the base are wanted; its pages are in the slab afterwards. */
  readonly anchors: AnchorView | undefined;
}

/** Looks for windows of changed pages in listed frames of a base; see searchtask.ts. */
export interface SearchTask extends FilePages {
  readonly kind: "search";
  readonly slabPtr: number;
  readonly pageCount: number;
  /** What stands for the first page: its place in the list. */
  readonly first: number;
  /** A table of 2^bits windows and its filter, see assembly/windows.ts. */
  readonly tablePtr: number;
  readonly bits: number;
  readonly filterPtr: number;
}

/** What one batch may see of the anchor table, see assembly/anchortable.ts. */
export interface AnchorView {
  readonly tablePtr: number;
  readonly segment: number;
  readonly entryLimit: number;
  /** One window in 2^sampleBits is an anchor; a candidate shares `minVotes` of them at least. */
  readonly sampleBits: number;
  readonly minVotes: number;
}

/** Carries out the plan of a slab: compare, delta, compress. */
export interface EncodeTask {
  readonly kind: "encode";
  readonly slabPtr: number;
  readonly pageCount: number;
  /** Pages whose plan is more than to be stored or not, in the slab's list. */
  readonly listedCount: number;
  /** Pages of one cluster. */
  readonly clusterPages: number;
  /** COMPRESS_NONE … of the kernels. */
  readonly compress: number;
  readonly compressDeltas: number;
  readonly places: PlacesRegion;
}

/** Where the records of `PLACE_BYTES` are, and how many. */
export interface PlacesRegion {
  /** Cluster numbers mean something else in another session. */
  readonly session: number;
  readonly ptr: number;
  readonly count: number;
  /** Clusters below this number are not there any more. */
  readonly first?: number | undefined;
  /** Records that there are, if numbers go on beyond: cluster n has number n modulo this. */
  readonly cycle?: number | undefined;
  /** What opens the clusters that lie in files; those in memory are open. */
  readonly seals?: ClusterSeals | undefined;
}

/** Puts stored pages into files; see restorerun.ts. */
export interface RestoreTask {
  readonly kind: "restore";
  readonly places: PlacesRegion;
  readonly plan: RunPlan;
  /** Runs [first, end) of the plan's order. */
  readonly first: number;
  readonly end: number;
  /** True when their pages are deltas, whose references have been restored by then. */
  readonly isDeltas: boolean;
  readonly base: RestoreBase | undefined;
}

/** The file of a base image: byte offset and length of each segment. */
export interface RestoreBase {
  readonly fd: number;
  readonly segments: readonly number[];
}

/** Why the pages of a run, by its first word, cannot be had. */
export interface RunFault {
  readonly run: number;
  readonly reason: string;
}

/** Looks whether clusters can be decoded; see checktask.ts. */
export interface CheckTask {
  readonly kind: "check";
  readonly places: PlacesRegion;
  /** Clusters [first, end). */
  readonly first: number;
  readonly end: number;
}

/** What a cluster holds, and which items cannot be had; or why nothing can. */
export type ClusterVerdict =
  | {
      readonly itemCount: number;
      readonly isDeltas: boolean;
      readonly fingerprints: Uint8Array;
      readonly faults: readonly (readonly [item: number, reason: string])[];
    }
  | string;

/** Restores pages into a slab; see unfoldtask.ts. */
export interface UnfoldTask {
  readonly kind: "unfold";
  readonly slabPtr: number;
  /** Spans in the slab. */
  readonly spanCount: number;
  readonly places: PlacesRegion;
  /** Whether the pages are to be surveyed as well. */
  readonly isSurveyed?: boolean | undefined;
  /** Of an archive that was made against one; sessions have none. */
  readonly base?: RestoreBase | undefined;
}

/** Seals the clusters of a batch in its slab; see sealedcluster.ts. */
export interface SealTask {
  readonly kind: "seal";
  readonly key: KeyObject;
  readonly ptr: number;
  /** Number of the first one. */
  readonly firstCluster: number;
  /** Of each cluster, before it is sealed. */
  readonly byteLengths: readonly number[];
}

/** Takes the digests of the pages that the slab's part `asked` lists; see digesttask.ts. */
export interface DigestTask {
  readonly kind: "digest";
  readonly slabPtr: number;
  /** Pages in the list. */
  readonly count: number;
  /** The 32 bytes of the scope's key. */
  readonly keyPtr: number;
}

/** Packs pages of slots into groups for other hosts; see grouptask.ts. */
export interface PackGroupsTask {
  readonly kind: "packGroups";
  readonly slabPtr: number;
  /** Slots, listed in the slab's part of runs; the digests of their pages in its own. */
  readonly count: number;
  readonly places: PlacesRegion;
  readonly keyPtr: number;
}

/** Unpacks groups of other hosts; see grouptask.ts. */
export interface UnpackGroupsTask {
  readonly kind: "unpackGroups";
  readonly slabPtr: number;
  /** Groups, listed in the slab's part of encoded clusters; their digests in its own. */
  readonly groupCount: number;
  readonly keyPtr: number;
}

export type Task =
  | SurveyTask
  | CompareTask
  | SearchTask
  | EncodeTask
  | RestoreTask
  | CheckTask
  | UnfoldTask
  | SealTask
  | DigestTask
  | PackGroupsTask
  | UnpackGroupsTask;

/** Why a task could not be done. */
export interface TaskFault {
  /** A system error's or our own; "" when a file ended at `byteOffset`. */
  code: string;
  reason: string;
  byteOffset: number;
}

export interface TaskResults {
  survey: { fault?: TaskFault };
  /** Pages that changed, and of which file a fault is. */
  compare: { changedCount: number; fault?: TaskFault; isOfBase?: boolean };
  /** Places and frames that were found, in the slab's part of pages. */
  search: { foundCount: number; fault?: TaskFault };
  encode: { clusterCount: number; clusterBytes: number; fault?: TaskFault };
  /** `run` is the one that could not be written, which ends the task. */
  restore: { faults: RunFault[]; fault?: TaskFault & { run?: number } };
  check: { verdicts: ClusterVerdict[]; fault?: TaskFault };
  unfold: { fault?: TaskFault };
  seal: { fault?: TaskFault };
  digest: { fault?: TaskFault };
  /** Which pages have their digests is in the slab's part of codes: 1, else 0. */
  packGroups: { clusterCount: number; fault?: TaskFault };
  unpackGroups: { fault?: TaskFault };
}

/** What a thread needs to run tasks. */
export interface TaskContext {
  readonly kernels: Kernels;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Scratch memory that belongs to this thread alone. */
  readonly scratch: Scratch;
  readonly clusters: ClusterCache;
}
