// Puts stored pages into files: decodes each cluster once, fingerprints its pages for the image
// checksum, and writes them wherever they belong. What cannot be had is reported run by run.
import { writeSync } from "node:fs";
import { PagefoldError } from "../core/errors.ts";
import { FrameMap, type Segment } from "../core/extent.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { FINGERPRINT_BYTES } from "../kernels/abi.ts";
import { faultOf } from "./fault.ts";
import { type BaseReader, readSlot } from "./slot.ts";
import { readFully } from "./surveytask.ts";
import type { RestoreBase, RestoreTask, RunFault, TaskContext, TaskResults } from "./task.ts";

// A run of pages to restore, as numbers:
//   0 cluster (RUN_OF_BASE: frames of the base)   1 item or base frame   2 pages
//   3 descriptor of the target (−1: none)   4 byte offset and 5 byte length there
//   6 address of the fingerprints
export const RUN_FIELDS = 7;
export const RUN_OF_BASE = -1;

export function runRestore(context: TaskContext, task: RestoreTask): TaskResults["restore"] {
  const restorer = new Restorer(context, task);
  const faults: RunFault[] = [];
  for (let run = 0; run < task.runs.length / RUN_FIELDS; run++) {
    try {
      restorer.run(task.runs.subarray(run * RUN_FIELDS, (run + 1) * RUN_FIELDS));
    } catch (error) {
      // A page that cannot be read is an answer; one that cannot be written ends the task.
      if (!(error instanceof PagefoldError)) return { faults, fault: { ...faultOf(error), run } };
      faults.push({ run, reason: error.message });
    }
  }
  return { faults };
}

class Restorer {
  private readonly context: TaskContext;
  private readonly task: RestoreTask;
  private readonly base: BaseReader | undefined;
  /** The cluster whose fingerprints are in scratch memory. */
  private fingerprinted = -1;

  constructor(context: TaskContext, task: RestoreTask) {
    this.context = context;
    this.task = task;
    this.base = task.base && openBaseReader(context, task.base);
  }

  run(fields: Float64Array): void {
    const [cluster, item, pages, fd, byteOffset, byteLength, fingerprints] = fields;
    let ptr = this.context.scratch.candidates;
    if (cluster === RUN_OF_BASE) this.base?.(item, pages, ptr);
    else ptr = this.items(cluster, item, pages, ptr, fingerprints);
    if (cluster === RUN_OF_BASE) this.context.kernels.fingerprintPages(ptr, pages, fingerprints);
    if (fd >= 0) this.write(fd, ptr, byteLength, byteOffset);
  }

  /** Address of `pages` items from `item` on; their fingerprints are taken. */
  private items(
    cluster: number,
    item: number,
    pages: number,
    room: number,
    fingerprints: number,
  ): number {
    const { context, task } = this;
    const { kernels, bytes, scratch } = context;
    const decoded = context.clusters.get(cluster, task.places);
    if (!decoded || item + pages > decoded.itemCount) {
      const there = decoded?.itemCount ?? 0;
      const reason = `item ${item + pages - 1} of ${there}`;
      throw new PagefoldError("DAMAGED", `cluster ${cluster}: ${reason}`);
    }
    if (!decoded.isDeltas) {
      if (this.fingerprinted !== cluster) {
        kernels.fingerprintPages(decoded.ptr, decoded.itemCount, scratch.fingerprints);
        this.fingerprinted = cluster;
      }
      const source = scratch.fingerprints + item * FINGERPRINT_BYTES;
      bytes.copyWithin(fingerprints, source, source + pages * FINGERPRINT_BYTES);
      return decoded.ptr + item * PAGE_BYTES;
    }
    for (let i = 0; i < pages; i++) {
      const target = room + i * PAGE_BYTES;
      if (readSlot(context, task.places, cluster, item + i, target, this.base)) continue;
      const reason = `item ${item + i}: a reference page cannot be had`;
      throw new PagefoldError("DAMAGED", `cluster ${cluster}: ${reason}`);
    }
    kernels.fingerprintPages(room, pages, fingerprints);
    return room;
  }

  private write(fd: number, ptr: number, byteLength: number, byteOffset: number): void {
    for (let done = 0; done < byteLength; ) {
      const { bytes } = this.context;
      done += writeSync(fd, bytes, ptr + done, byteLength - done, byteOffset + done);
    }
  }
}

/** Reads frames of the base file; frames beyond its end are DAMAGED. */
function openBaseReader(context: TaskContext, base: RestoreBase): BaseReader {
  const segments: Segment[] = [];
  for (let i = 0; i < base.segments.length; i += 2) {
    segments.push({ byteOffset: base.segments[i], byteLength: base.segments[i + 1] });
  }
  const map = new FrameMap(segments);
  return (frame, count, target) => {
    if (frame + count > map.frameCount) {
      throw new PagefoldError("DAMAGED", `frame ${frame + count - 1} of the base is not there`);
    }
    for (const run of map.runs(frame, count)) {
      const into = target + (run.frame - frame) * PAGE_BYTES;
      const got = readFully(context.bytes, base.fd, into, run.byteLength, run.byteOffset);
      if (got < run.byteLength) {
        throw new PagefoldError("CHANGED", `the base shrank to ${run.byteOffset + got} bytes`);
      }
      context.bytes.fill(0, into + run.byteLength, into + run.frameCount * PAGE_BYTES);
    }
  };
}
