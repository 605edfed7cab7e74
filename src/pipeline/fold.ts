// What every session that folds pages takes at its start: slabs, what it knows of pages, a ring of
// stored clusters where they cannot be read back, and the pipeline over them. Shares of the memory
// are decided here. Where the records go is up to the session.
import type { Arena } from "../core/arena.ts";
import { Scope } from "../dedup/scope.ts";
import { ENTROPY_TABLE_BYTES, fillEntropyTable } from "../kernels/entropy.ts";
import type { LevelParameters } from "./level.ts";
import type { PreviousOf } from "./match.ts";
import { PageNamer, type PageNames } from "./namer.ts";
import type { PageObserver } from "./observer.ts";
import { Pipeline } from "./pipeline.ts";
import type { PagesOutput } from "./pipelineparts.ts";
import { type EngineResources, slabCount } from "./resources.ts";
import { SlabPool } from "./slabs.ts";

/** Part of what is free that a scope may take, when its input is not known to need less. */
export const SCOPE_SHARE = 0.9;

/** Parts of all memory: for what is known of pages, alone or beside a ring of stored clusters. */
const KNOWN_SHARE = 1 / 2;
const KNOWN_SHARE_BESIDE_RING = 1 / 4;
const RING_SHARE = 5 / 16;
/** Part of what is known of pages that serves similarity. */
const ANCHOR_SHARE = 1 / 4;

export interface FoldPartsOptions {
  readonly output: PagesOutput;
  readonly level: LevelParameters;
  /** Pages of all inputs together, if known. */
  readonly pageCount: number | undefined;
  /** Those of them that others may be like; default: all. */
  readonly newPages?: number | undefined;
  /** From where clusters can be read back, see `PipelineParts`. */
  readonly clusterFd: number | undefined;
  /** True if sources may come that cannot be read again: their clusters are kept in memory. */
  readonly isReadOnce?: boolean | undefined;
  /** The most bytes of clusters that the other side keeps, if it is not a file. */
  readonly ringLimitBytes?: number | undefined;
  /** The entry of what a frame was before, when there is no base; see `MatchContext`. */
  readonly previousOf?: PreviousOf | undefined;
  /** Looks at all pages. */
  readonly observer?: PageObserver | undefined;
  /** What other hosts send. */
  readonly names?: PageNames | undefined;
}

export interface FoldParts {
  readonly slabs: SlabPool;
  readonly scope: Scope;
  readonly pipeline: Pipeline;
  readonly namer: PageNamer | undefined;
  /** Bytes of clusters that are kept in memory. */
  readonly ringBytes: number;
  /** After `pipeline.drain`: gives everything back. */
  close(): void;
}

export function openFoldParts(resources: EngineResources, options: FoldPartsOptions): FoldParts {
  const { arena, kernels, pool } = resources;
  const { output, level, pageCount, clusterFd, previousOf } = options;
  const slabs = new SlabPool(arena, slabCount(pool.threads));
  const isRing = options.isReadOnce === true && clusterFd === undefined;
  const memoryBytes = steadyShare(arena, isRing ? KNOWN_SHARE_BESIDE_RING : KNOWN_SHARE);
  const { sampleBits, minVotes } = level;
  const anchors = {
    memoryBytes: memoryBytes * ANCHOR_SHARE,
    pageCount: options.newPages ?? pageCount,
    sampleBits,
    minVotes,
  };
  const scopeBytes = memoryBytes * (1 - ANCHOR_SHARE);
  const scope = new Scope(arena, kernels, { memoryBytes: scopeBytes, pageCount });
  const ringShare = isRing ? steadyShare(arena, RING_SHARE) : 0;
  const ringBytes = Math.min(ringShare, options.ringLimitBytes ?? ringShare);
  const { observer } = options;
  const table = observer && arena.reserve(ENTROPY_TABLE_BYTES, "entropy");
  if (table) fillEntropyTable(arena.words.subarray(table.ptr / 4));
  const { names } = options;
  const namer = names && new PageNamer(resources, scope, names);
  const observed = observer && table && { observer, tablePtr: table.ptr };
  const parts = { arena, kernels, pool, slabs, scope, output, level, clusterFd, ringBytes };
  const pipeline = new Pipeline({ ...parts, anchors, observed, namer }, previousOf);
  return {
    slabs,
    scope,
    pipeline,
    namer,
    ringBytes,
    close() {
      pipeline.close();
      scope.close();
      namer?.close();
      if (table) arena.release(table);
      slabs.close();
    },
  };
}

/**
 * A part of all memory, or half of it, a quarter … where other sessions have taken too much. Stored
 * bytes depend on it, so the shares leave room for any number of threads (`WORK_SHARE`).
 */
function steadyShare(arena: Arena, share: number): number {
  let bytes = arena.bytes.length * share;
  while (bytes > arena.largestFreeBytes * SCOPE_SHARE) bytes /= 2;
  return bytes;
}
