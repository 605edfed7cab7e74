// Clusters of sealed archives (docs/format.md §1.5): sealed where they lie in a slab, once their
// numbers are known, and opened where they were read. A cluster opens under its own number alone.
import { CLUSTER_COVERED_OFFSET, CLUSTER_HEADER_BYTES } from "../core/cluster.ts";
import { PagefoldError } from "../core/errors.ts";
import { type ClusterKeys, openBytes, SealKind, sealBytes, TAG_BYTES } from "../core/seal.ts";
import type { DecodeMemory } from "./decodecluster.ts";
import type { SealTask, TaskContext, TaskResults } from "./task.ts";

//    0  u64 XXH64 of everything from byte 8 on
//    8  16  tag
//   24      sealed: what the cluster has from byte 8 on
const TAG_OFFSET = 8;
const SEALED_OFFSET = TAG_OFFSET + TAG_BYTES;

/** Seals clusters that lie one after another; each grows by its tag. */
export function runSeal(context: TaskContext, task: SealTask): TaskResults["seal"] {
  const { bytes, kernels } = context;
  const { key, firstCluster, byteLengths } = task;
  let from = byteLengths.reduce((end, byteLength) => end + byteLength, task.ptr);
  let to = from + byteLengths.length * TAG_BYTES;
  // Backwards, because they move on: nothing is written over that is not sealed yet.
  for (let i = byteLengths.length - 1; i >= 0; i--) {
    const byteLength = byteLengths[i];
    const content = bytes.subarray(from - byteLength + CLUSTER_COVERED_OFFSET, from);
    const { sealed, tag } = sealBytes(key, SealKind.CLUSTER, firstCluster + i, content);
    from -= byteLength;
    to -= byteLength + TAG_BYTES;
    bytes.set(tag, to + TAG_OFFSET);
    bytes.set(sealed, to + SEALED_OFFSET);
    kernels.checksum(to + TAG_OFFSET, TAG_BYTES + sealed.length, to);
  }
  return {};
}

/**
 * Opens the sealed cluster at `source`; it lies there afterwards, but for its checksum. Returns its
 * bytes with header. `scratchPtr` has room for a checksum, which is taken where nothing opens, to
 * tell damage from a swap, and where somebody wants to know (`isTested`). Throws DAMAGED, naming
 * the cluster.
 */
export function openCluster(
  memory: DecodeMemory,
  keys: ClusterKeys,
  cluster: number,
  source: number,
  byteLength: number,
  scratchPtr: number,
  isTested: boolean,
): number {
  const fail = (reason: string): never => {
    throw new PagefoldError("DAMAGED", `cluster ${cluster}: ${reason}`);
  };
  const { bytes, view, kernels } = memory;
  const end = source + byteLength;
  if (byteLength < CLUSTER_HEADER_BYTES + TAG_BYTES) fail(`${byteLength} bytes are no cluster`);
  const test = (): void => {
    kernels.checksum(source + TAG_OFFSET, byteLength - TAG_OFFSET, scratchPtr);
    const isRight = view.getBigUint64(scratchPtr, true) === view.getBigUint64(source, true);
    if (!isRight) fail("wrong checksum");
  };
  if (isTested) test();
  const key = keys.keyOf(cluster) ?? fail("nobody says what it is sealed with");
  const tag = bytes.slice(source + TAG_OFFSET, source + SEALED_OFFSET);
  const sealed = bytes.subarray(source + SEALED_OFFSET, end);
  const content = openBytes(key, SealKind.CLUSTER, cluster, sealed, tag);
  if (!content) {
    test();
    return fail("is not the one that belongs there");
  }
  bytes.set(content, source + CLUSTER_COVERED_OFFSET);
  return byteLength - TAG_BYTES;
}
