// Puts stored pages into files: decodes each cluster once, fingerprints its pages for the image
// checksum, and writes them wherever they belong. What cannot be had is reported run by run.
import { PagefoldError } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { BATCH_PAGES } from "../core/slab.ts";
import { FINGERPRINT_BYTES } from "../kernels/abi.ts";
import { openBaseReader } from "./basereader.ts";
import { type DecodedCluster, decodeCluster } from "./decodecluster.ts";
import { faultOf } from "./fault.ts";
import { GatheredWriter } from "./gatheredwriter.ts";
import { NO_FILE, Source, wideAt } from "./restorerun.ts";
import { type BaseReader, type PlainReader, readSlot } from "./slot.ts";
import { readFully } from "./surveytask.ts";
import type { RestoreTask, RunFault, TaskContext, TaskResults } from "./task.ts";

/** Where pages wait to be written. */
const ROOM_BYTES = BATCH_PAGES * PAGE_BYTES;

export function runRestore(context: TaskContext, task: RestoreTask): TaskResults["restore"] {
  const restorer = new Restorer(context, task);
  const faults: RunFault[] = [];
  try {
    for (let place = task.first; place < task.end; place++) {
      const run = restorer.runAt(place);
      const reason = restorer.restore(run);
      if (reason !== undefined) faults.push({ run, reason });
    }
    restorer.writer.flush();
  } catch (error) {
    // A page that cannot be read is an answer; one that cannot be written ends the task.
    return { faults, fault: { ...faultOf(error), run: restorer.writer.owner } };
  }
  return { faults };
}

class Restorer {
  readonly writer: GatheredWriter;
  private readonly context: TaskContext;
  private readonly task: RestoreTask;
  private readonly words: Uint32Array;
  private readonly base: BaseReader | undefined;
  /** The cluster that lies in the room last, or why it cannot be had. */
  private current: { cluster: number; content: DecodedCluster | PagefoldError } | undefined;
  private roomEnd: number;

  constructor(context: TaskContext, task: RestoreTask) {
    this.context = context;
    this.task = task;
    this.words = new Uint32Array(context.bytes.buffer);
    this.writer = new GatheredWriter(context.bytes);
    this.base = task.base && openBaseReader(context, task.base);
    this.roomEnd = context.scratch.candidates;
  }

  /** The run at a place of the order. */
  runAt(place: number): number {
    return this.words[this.task.plan.orderPtr / 4 + place];
  }

  /** Returns why the pages cannot be had, if they cannot. */
  restore(run: number): string | undefined {
    const { words } = this;
    let ptr: number;
    try {
      ptr = this.pagesOf(run);
    } catch (error) {
      if (error instanceof PagefoldError) return error.message;
      throw error;
    }
    const fd = words[run + 4];
    if (fd !== NO_FILE) this.writer.write(run, fd, ptr, words[run + 5], wideAt(words, run + 6));
    words[run + 9] = 1;
    return undefined;
  }

  /** Address of the pages of a run; their fingerprints are taken. */
  private pagesOf(run: number): number {
    const { words, context } = this;
    const { kernels } = context;
    const pages = words[run + 1];
    const fingerprints = words[run + 8];
    switch (words[run]) {
      case Source.SLOT:
        return this.items(words[run + 2], words[run + 3], pages, fingerprints);
      case Source.BASE: {
        const ptr = this.room(pages * PAGE_BYTES);
        this.base?.(wideAt(words, run + 2), pages, ptr);
        kernels.fingerprintPages(ptr, pages, fingerprints);
        return ptr;
      }
      default: {
        const ptr = this.room(pages * PAGE_BYTES);
        words[ptr / 4] = words[run + 2];
        words[ptr / 4 + 1] = words[run + 3];
        this.repeat(ptr, 8, pages * PAGE_BYTES);
        kernels.fingerprintPages(ptr, 1, fingerprints);
        this.repeat(fingerprints, FINGERPRINT_BYTES, pages * FINGERPRINT_BYTES);
        return ptr;
      }
    }
  }

  private items(cluster: number, item: number, pages: number, fingerprints: number): number {
    const { context, task } = this;
    const { bytes, scratch } = context;
    const content = task.isDeltas ? undefined : this.pagesCluster(cluster);
    if (!content || content.isDeltas) return this.deltas(cluster, item, pages, fingerprints);
    if (item + pages > content.itemCount) {
      const reason = `item ${item + pages - 1} of ${content.itemCount}`;
      throw new PagefoldError("DAMAGED", `cluster ${cluster}: ${reason}`);
    }
    const source = scratch.fingerprints + item * FINGERPRINT_BYTES;
    bytes.copyWithin(fingerprints, source, source + pages * FINGERPRINT_BYTES);
    return content.ptr + item * PAGE_BYTES;
  }

  /** Decodes a cluster behind the one before, so that pages that follow are written together. */
  private pagesCluster(cluster: number): DecodedCluster {
    if (this.current?.cluster !== cluster) {
      const content = this.decode(cluster);
      this.current = { cluster, content };
    }
    const { content } = this.current;
    if (content instanceof PagefoldError) throw content;
    return content;
  }

  private decode(cluster: number): DecodedCluster | PagefoldError {
    const { context, task } = this;
    const { clusters, kernels, scratch } = context;
    try {
      const found = clusters.fetch(cluster, task.places);
      if (!found) throw new PagefoldError("DAMAGED", `cluster ${cluster}: its place is lost`);
      const place = (contentBytes: number): number => this.room(contentBytes);
      const { ptr, byteLength, wasSealed } = found;
      const { decoder } = scratch;
      const content = decodeCluster(context, cluster, ptr, byteLength, place, decoder, wasSealed);
      if (!content.isDeltas) {
        kernels.fingerprintPages(content.ptr, content.itemCount, scratch.fingerprints);
      }
      return content;
    } catch (error) {
      if (error instanceof PagefoldError) return error;
      throw error;
    }
  }

  private deltas(cluster: number, item: number, pages: number, fingerprints: number): number {
    const { context, task, base } = this;
    const ptr = this.room(pages * PAGE_BYTES);
    const sources = { base, plain: this.restored };
    for (let i = 0; i < pages; i++) {
      const target = ptr + i * PAGE_BYTES;
      if (readSlot(context, task.places, cluster, item + i, target, sources)) continue;
      const reason = `item ${item + i}: it or a reference page cannot be had`;
      throw new PagefoldError("DAMAGED", `cluster ${cluster}: ${reason}`);
    }
    context.kernels.fingerprintPages(ptr, pages, fingerprints);
    return ptr;
  }

  /** Reads a page back from where it was restored to: cheaper than to decode a whole cluster. */
  private readonly restored: PlainReader = (cluster, item, target) => {
    const { words, context } = this;
    const { plan, places } = this.task;
    if (cluster >= places.count) return false;
    let place = words[plan.firstsPtr / 4 + cluster];
    for (; place < plan.runCount; place++) {
      const run = this.runAt(place);
      if (words[run] !== Source.SLOT || words[run + 2] !== cluster) return false;
      const skipped = item - words[run + 3];
      if (skipped < 0 || skipped >= words[run + 1] || words[run + 9] !== 1) continue;
      if (words[run + 4] === NO_FILE) continue;
      const skippedBytes = skipped * PAGE_BYTES;
      const byteLength = Math.min(PAGE_BYTES, words[run + 5] - skippedBytes);
      const byteOffset = wideAt(words, run + 6) + skippedBytes;
      const got = readFully(context.bytes, words[run + 4], target, byteLength, byteOffset);
      context.bytes.fill(0, target + byteLength, target + PAGE_BYTES);
      return got === byteLength;
    }
    return false;
  };

  /** Room for bytes that are written soon; when it is full, it is used again. */
  private room(byteLength: number): number {
    const room = this.context.scratch.candidates;
    if (this.roomEnd + byteLength > room + ROOM_BYTES) {
      this.writer.flush();
      this.current = undefined;
      this.roomEnd = room;
    }
    const ptr = this.roomEnd;
    this.roomEnd += byteLength;
    return ptr;
  }

  private repeat(ptr: number, unitBytes: number, byteLength: number): void {
    for (let filled = unitBytes; filled < byteLength; ) {
      const length = Math.min(filled, byteLength - filled);
      this.context.bytes.copyWithin(ptr + filled, ptr, ptr + length);
      filled += length;
    }
  }
}
