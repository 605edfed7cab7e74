// What a pipeline works with, and where the batches that it emits go.
import type { Arena } from "../core/arena.ts";
import type { ClusterSeals } from "../core/seal.ts";
import type { Scope } from "../dedup/scope.ts";
import type { Kernels } from "../kernels/abi.ts";
import type { WorkPool } from "../pool/pool.ts";
import type { PagesHead } from "../wire/records.ts";
import type { AnchorSize } from "./anchorlag.ts";
import type { Batch } from "./batch.ts";
import type { LevelParameters } from "./level.ts";
import type { PageNamer } from "./namer.ts";
import type { PageObserver } from "./observer.ts";
import type { SlabPool } from "./slabs.ts";

/** Where emitted batches go. */
export interface PagesOutput {
  /** Clusters written so far: the number of the next one. */
  readonly clusterCount: number;
  /** Where clusters are sealed: what opens them. */
  readonly seals?: ClusterSeals | undefined;
  /**
   * Takes a batch; `body` is a view that stays valid until the promise resolves. Returns at once
   * where its first cluster will lie, so that batches can be written at the same time. Where
   * clusters are sealed that happens in place: the head counts the tags, and so does the body,
   * which has them as room behind the last cluster.
   */
  pages(head: PagesHead, body: Uint8Array, fingerprints: Uint8Array, batch: Batch): PagesPlace;
}

export interface PagesPlace {
  readonly bodyOffset: number;
  readonly written: Promise<void>;
}

export interface PipelineParts {
  readonly arena: Arena;
  readonly kernels: Kernels;
  readonly pool: WorkPool;
  readonly slabs: SlabPool;
  readonly scope: Scope;
  readonly output: PagesOutput;
  readonly level: LevelParameters;
  /** Descriptor from which clusters can be read back. */
  readonly clusterFd: number | undefined;
  /** Without one, bytes of memory for clusters of sources that cannot be read again. */
  readonly ringBytes: number;
  readonly anchors: AnchorSize;
  /** Where other hosts may have sent pages already. */
  readonly namer?: PageNamer | undefined;
  /** Looks at all pages, for which workers need a table of src/kernels/entropy.ts. */
  readonly observed?: { readonly observer: PageObserver; readonly tablePtr: number } | undefined;
}
