// Decodes clusters to see whether they can be, and takes the fingerprint of every item: what
// verifying needs to know of them. Nothing is written.
import { PagefoldError } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { FINGERPRINT_BYTES } from "../kernels/abi.ts";
import { type DecodedCluster, decodeCluster } from "./decodecluster.ts";
import { readSlot } from "./slot.ts";
import type { CheckTask, ClusterVerdict, TaskContext, TaskResults } from "./task.ts";

export function runCheck(context: TaskContext, task: CheckTask): TaskResults["check"] {
  const verdicts: ClusterVerdict[] = [];
  for (let cluster = task.first; cluster < task.end; cluster++) {
    const verdict = damageOf(() => verdictOn(context, task, cluster));
    verdicts.push(verdict);
  }
  return { verdicts };
}

function verdictOn(context: TaskContext, task: CheckTask, cluster: number): ClusterVerdict {
  const { kernels, bytes, scratch } = context;
  const { candidates, fingerprints } = scratch;
  const { itemCount, isDeltas } = decode(context, task, cluster);
  const faults: [item: number, reason: string][] = [];
  if (isDeltas) {
    for (let item = 0; item < itemCount; item++) {
      const fault = damageOf(() => readDelta(context, task, cluster, item));
      if (fault !== undefined) faults.push([item, fault]);
      kernels.fingerprintPages(candidates, 1, fingerprints + item * FINGERPRINT_BYTES);
    }
  } else {
    kernels.fingerprintPages(candidates, itemCount, fingerprints);
  }
  const taken = bytes.slice(fingerprints, fingerprints + itemCount * FINGERPRINT_BYTES);
  return { itemCount, isDeltas, fingerprints: new Uint8Array(taken), faults };
}

function decode(context: TaskContext, task: CheckTask, cluster: number): DecodedCluster {
  const { clusters, scratch } = context;
  const found = clusters.fetch(cluster, task.places, true);
  if (!found) throw new PagefoldError("DAMAGED", `cluster ${cluster}: its place is lost`);
  const place = (): number => scratch.candidates;
  const { ptr, byteLength, wasSealed } = found;
  return decodeCluster(context, cluster, ptr, byteLength, place, scratch.decoder, wasSealed);
}

/** Puts the page where candidates are. */
function readDelta(context: TaskContext, task: CheckTask, cluster: number, item: number) {
  const target = context.scratch.candidates;
  if (readSlot(context, task.places, cluster, item, target)) return undefined;
  context.bytes.fill(0, target, target + PAGE_BYTES);
  return `cluster ${cluster} item ${item}: it or a reference page cannot be had`;
}

/** What `action` returns, or what is damaged. */
function damageOf<T>(action: () => T): T | string {
  try {
    return action();
  } catch (error) {
    if (error instanceof PagefoldError && error.code === "DAMAGED") return error.message;
    throw error;
  }
}
