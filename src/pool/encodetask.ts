// Carries out the plan of a slab: compares supposed duplicates with what they should equal, tries
// deltas, and packs what is left into compressed clusters.
import {
  CLUSTER_COVERED_OFFSET,
  CLUSTER_HEADER_BYTES,
  CODEC_LZ4,
  CODEC_RAW,
  encodeClusterHeader,
  KIND_DELTAS,
  KIND_PAGES,
} from "../core/cluster.ts";
import { MAX_CLUSTER_ITEMS } from "../core/limits.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { Action, Outcome, PLAN_BYTES, slabPart } from "../core/slab.ts";
import { CandidateReader } from "./candidates.ts";
import { encodeDelta } from "./deltaitem.ts";
import type { EncodedCluster, EncodeTask, TaskContext, TaskResults } from "./task.ts";

/** LZ4 is given inputs up to this size. */
const LZ4_MAX_BYTES = 65536;
const DELTA_CLUSTER_BYTES = 65536;

export function runEncode(context: TaskContext, task: EncodeTask): TaskResults["encode"] {
  const candidates = new CandidateReader(context, task);
  const encoder = new ClusterEncoder(context, task);
  compareDuplicates(context, task, candidates);
  const deltas = encodeDeltas(context, task, candidates);
  encoder.pages();
  encoder.deltas(deltas);
  return { clusters: encoder.clusters, clusterBytes: encoder.written };
}

/** Pages to be verified become EQUAL, or are to be stored. */
function compareDuplicates(context: TaskContext, task: EncodeTask, from: CandidateReader): void {
  const { view, kernels, scratch } = context;
  const plan = slabPart(task.slabPtr, "plan");
  const pages = slabPart(task.slabPtr, "pages");
  const compared: number[] = [];
  for (let page = 0; page < task.pageCount; page++) {
    const at = plan + page * PLAN_BYTES;
    if (view.getUint32(at, true) !== Action.VERIFY) continue;
    const content = from.duplicate(page);
    view.setUint32(at, Action.STORE, true);
    if (content === 0) continue;
    view.setUint32(scratch.pairs + compared.length * 8, pages + page * PAGE_BYTES, true);
    view.setUint32(scratch.pairs + compared.length * 8 + 4, content, true);
    compared.push(page);
  }
  kernels.compare(scratch.pairs, compared.length, scratch.results);
  compared.forEach((page, i) => {
    if (context.bytes[scratch.results + i] === 0) return;
    view.setUint32(plan + page * PLAN_BYTES, Action.NONE, true);
    view.setUint32(plan + page * PLAN_BYTES + 8, Outcome.EQUAL, true);
  });
}

/** Deltas that pay, one after another in scratch memory; returns their lengths. */
function encodeDeltas(context: TaskContext, task: EncodeTask, from: CandidateReader): number[] {
  const { view, scratch } = context;
  const plan = slabPart(task.slabPtr, "plan");
  const lengths: number[] = [];
  let end = scratch.deltas;
  for (let page = 0; page < task.pageCount; page++) {
    const at = plan + page * PLAN_BYTES;
    if (view.getUint32(at, true) !== Action.DELTA) continue;
    const length = encodeDelta(context, task, from, page, end);
    if (length === 0) {
      view.setUint32(at, Action.STORE, true);
      continue;
    }
    view.setUint32(at, Action.NONE, true);
    view.setUint32(at + 8, Outcome.DELTA, true);
    lengths.push(length);
    end += length;
  }
  return lengths;
}

/** Puts clusters one after another into the slab. */
class ClusterEncoder {
  readonly clusters: EncodedCluster[] = [];
  written = 0;
  private readonly context: TaskContext;
  private readonly task: EncodeTask;
  private readonly out: number;

  constructor(context: TaskContext, task: EncodeTask) {
    this.context = context;
    this.task = task;
    this.out = slabPart(task.slabPtr, "clusters");
  }

  /** All pages that are to be stored, in order. */
  pages(): void {
    const { view } = this.context;
    const plan = slabPart(this.task.slabPtr, "plan");
    let group: number[] = [];
    for (let page = 0; page < this.task.pageCount; page++) {
      const at = plan + page * PLAN_BYTES;
      if (view.getUint32(at, true) !== Action.STORE) continue;
      view.setUint32(at + 8, Outcome.STORED, true);
      group.push(page);
      if (group.length < this.task.clusterPages) continue;
      this.pageCluster(group);
      group = [];
    }
    if (group.length > 0) this.pageCluster(group);
  }

  /** Deltas that lie one after another in scratch memory. */
  deltas(lengths: readonly number[]): void {
    const { staging, deltas } = this.context.scratch;
    let source = deltas;
    for (let first = 0; first < lengths.length; ) {
      let count = 0;
      let bytes = 0;
      while (first + count < lengths.length && count < MAX_CLUSTER_ITEMS) {
        const grown = bytes + lengths[first + count] + 2 * (count + 1);
        if (count > 0 && grown > DELTA_CLUSTER_BYTES) break;
        bytes += lengths[first + count++];
      }
      for (let i = 0; i < count; i++) {
        this.context.view.setUint16(staging + i * 2, lengths[first + i], true);
      }
      this.context.bytes.copyWithin(staging + count * 2, source, source + bytes);
      this.cluster(staging, count * 2 + bytes, count, KIND_DELTAS);
      source += bytes;
      first += count;
    }
  }

  private pageCluster(group: readonly number[]): void {
    const pages = slabPart(this.task.slabPtr, "pages");
    const isRun = group[group.length - 1] - group[0] === group.length - 1;
    let source = pages + group[0] * PAGE_BYTES;
    if (!isRun) {
      source = this.context.scratch.staging;
      group.forEach((page, i) => {
        const from = pages + page * PAGE_BYTES;
        this.context.bytes.copyWithin(source + i * PAGE_BYTES, from, from + PAGE_BYTES);
      });
    }
    this.cluster(source, group.length * PAGE_BYTES, group.length, KIND_PAGES);
  }

  private cluster(source: number, contentBytes: number, itemCount: number, kind: number): void {
    const { kernels, bytes, view, scratch } = this.context;
    const start = this.out + this.written;
    const payload = start + CLUSTER_HEADER_BYTES;
    let length = 0;
    if (this.task.compress && contentBytes <= LZ4_MAX_BYTES) {
      length = kernels.lz4Compress(source, contentBytes, payload, contentBytes - 1, scratch.lz4);
    }
    const isRaw = length === 0;
    if (isRaw) {
      bytes.copyWithin(payload, source, source + contentBytes);
      length = contentBytes;
    }
    const codec = isRaw ? CODEC_RAW : CODEC_LZ4;
    encodeClusterHeader(view, start, {
      payloadBytes: length,
      contentBytes,
      codec,
      kind,
      itemCount,
    });
    const byteLength = CLUSTER_HEADER_BYTES + length;
    const covered = byteLength - CLUSTER_COVERED_OFFSET;
    kernels.checksum(start + CLUSTER_COVERED_OFFSET, covered, scratch.results);
    bytes.copyWithin(start, scratch.results, scratch.results + CLUSTER_COVERED_OFFSET);
    const isDeltas = kind === KIND_DELTAS;
    this.clusters.push({ byteOffset: this.written, byteLength, itemCount, isDeltas, isRaw });
    this.written += byteLength;
  }
}
