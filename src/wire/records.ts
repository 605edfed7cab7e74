// What each frame is, as runs: the records of PAGES batches and of index leaves
// (docs/format.md §2). Slots are absolute here and relative on the wire.
import type { ByteReader, ByteWriter } from "../core/bytes.ts";
import { CLUSTER_HEADER_BYTES } from "../core/cluster.ts";
import {
  MAX_BATCH_CLUSTERS,
  MAX_BATCH_FRAMES,
  MAX_CLUSTER_ENTRY_BYTES,
  MAX_CLUSTER_ITEMS,
  MAX_CLUSTERS,
  MAX_FRAMES,
} from "../core/limits.ts";

export const RecordKind = {
  ZERO: 1,
  UNIFORM: 2,
  STORED: 3,
  DELTA: 4,
  DUPLICATE: 5,
  BASE: 6,
  SKIP: 7,
} as const;
export type RecordKind = (typeof RecordKind)[keyof typeof RecordKind];

/** Consecutive frames that are coded alike. */
export type Run =
  | { kind: typeof RecordKind.ZERO | typeof RecordKind.SKIP; length: number }
  | { kind: typeof RecordKind.STORED | typeof RecordKind.DELTA; length: number }
  | { kind: typeof RecordKind.UNIFORM; length: number; word: bigint }
  | { kind: typeof RecordKind.DUPLICATE; length: number; cluster: number; item: number }
  | { kind: typeof RecordKind.BASE; length: number; frame: number };

/** Frames a list of runs covers. */
export function runFrames(runs: readonly Run[]): number {
  return runs.reduce((frames, run) => frames + run.length, 0);
}

/** Appends `run` to `runs`, joined with the last one where both say the same. */
export function pushRun(runs: Run[], run: Run): void {
  const last = runs.at(-1);
  if (last && continues(last, run)) last.length += run.length;
  else runs.push(run);
}

function continues(last: Run, next: Run): boolean {
  switch (next.kind) {
    case RecordKind.ZERO:
    case RecordKind.SKIP:
    case RecordKind.STORED:
    case RecordKind.DELTA:
      return last.kind === next.kind;
    case RecordKind.UNIFORM:
      return last.kind === next.kind && last.word === next.word;
    case RecordKind.DUPLICATE:
      return (
        last.kind === next.kind &&
        last.cluster === next.cluster &&
        last.item + last.length === next.item
      );
    case RecordKind.BASE:
      return last.kind === next.kind && last.frame + last.length === next.frame;
  }
}

/** Where relative fields are counted from: updated by every DUPLICATE in a leaf, fixed in PAGES. */
export interface RunOrigin {
  cluster: number;
  readonly moving: boolean;
}

/** Writes runs that begin at frame `firstFrame`. */
export function writeRuns(
  writer: ByteWriter,
  runs: readonly Run[],
  firstFrame: number,
  origin: RunOrigin,
): void {
  let frame = firstFrame;
  for (const run of runs) {
    writer.varint(run.length * 16 + run.kind);
    if (run.kind === RecordKind.UNIFORM) writer.u64(run.word);
    if (run.kind === RecordKind.BASE) writer.zigzag(run.frame - frame);
    if (run.kind === RecordKind.DUPLICATE) {
      writer.zigzag(run.cluster - origin.cluster);
      writer.varint(run.item);
      if (origin.moving) origin.cluster = run.cluster;
    }
    frame += run.length;
  }
}

/** Reads runs until `frameCount` frames are covered; refuses one that would go past. */
export function readRuns(
  reader: ByteReader,
  firstFrame: number,
  frameCount: number,
  origin: RunOrigin,
): Run[] {
  const runs: Run[] = [];
  for (let done = 0; done < frameCount; ) {
    const tag = reader.varint(MAX_FRAMES * 16);
    const length = Math.floor(tag / 16);
    const kind = tag % 16;
    if (length < 1 || length > frameCount - done) {
      reader.fail(`a run of ${length} frames where ${frameCount - done} are left`);
    }
    runs.push(readRun(reader, kind, length, firstFrame + done, origin));
    done += length;
  }
  return runs;
}

function readRun(
  reader: ByteReader,
  kind: number,
  length: number,
  frame: number,
  origin: RunOrigin,
): Run {
  switch (kind) {
    case RecordKind.ZERO:
    case RecordKind.SKIP:
    case RecordKind.STORED:
    case RecordKind.DELTA:
      return { kind, length };
    case RecordKind.UNIFORM:
      return { kind, length, word: reader.u64() };
    case RecordKind.DUPLICATE: {
      const cluster = origin.cluster + reader.zigzag();
      const item = reader.varint(MAX_CLUSTER_ITEMS - length);
      if (cluster < 0 || cluster > MAX_CLUSTERS) reader.fail(`cluster ${cluster}`);
      if (origin.moving) origin.cluster = cluster;
      return { kind, length, cluster, item };
    }
    case RecordKind.BASE: {
      const baseFrame = frame + reader.zigzag();
      if (baseFrame < 0 || baseFrame > MAX_FRAMES) reader.fail(`base frame ${baseFrame}`);
      return { kind, length, frame: baseFrame };
    }
    default:
      return reader.fail(`record kind ${kind}`);
  }
}

/** One cluster of a PAGES body, as its head lists it. */
export interface ClusterEntry {
  /** Bytes with header. */
  byteLength: number;
  itemCount: number;
  isDeltas: boolean;
}

/** The head of a PAGES batch. */
export interface PagesHead {
  image: number;
  firstFrame: number;
  frameCount: number;
  firstCluster: number;
  clusters: ClusterEntry[];
  runs: Run[];
}

export function writeClusterEntry(writer: ByteWriter, entry: ClusterEntry): void {
  writer.varint(entry.byteLength);
  writer.varint(entry.itemCount * 2 + (entry.isDeltas ? 1 : 0));
}

export function readClusterEntry(reader: ByteReader): ClusterEntry {
  const byteLength = reader.varint(MAX_CLUSTER_ENTRY_BYTES);
  if (byteLength <= CLUSTER_HEADER_BYTES) reader.fail(`a cluster of ${byteLength} bytes`);
  const coded = reader.varint(MAX_CLUSTER_ITEMS * 2 + 1);
  const entry = { byteLength, itemCount: coded >> 1, isDeltas: (coded & 1) === 1 };
  if (entry.itemCount === 0) reader.fail("a cluster without items");
  return entry;
}

export function writePagesHead(writer: ByteWriter, head: PagesHead): void {
  writer.varint(head.image);
  writer.varint(head.firstFrame);
  writer.varint(head.frameCount);
  writer.varint(head.firstCluster);
  writer.varint(head.clusters.length);
  for (const cluster of head.clusters) writeClusterEntry(writer, cluster);
  const origin = { cluster: head.firstCluster, moving: false };
  writeRuns(writer, head.runs, head.firstFrame, origin);
}

/** Reads a PAGES head and checks it against the length of its body. */
export function readPagesHead(reader: ByteReader, bodyBytes: number): PagesHead {
  const image = reader.varint();
  const firstFrame = reader.varint(MAX_FRAMES);
  const frameCount = reader.varint(MAX_BATCH_FRAMES);
  if (frameCount === 0) reader.fail("a batch without frames");
  const firstCluster = reader.varint(MAX_CLUSTERS);
  const clusters: ClusterEntry[] = [];
  for (let count = reader.varint(MAX_BATCH_CLUSTERS); count > 0; count--) {
    clusters.push(readClusterEntry(reader));
  }
  const runs = readRuns(reader, firstFrame, frameCount, { cluster: firstCluster, moving: false });
  reader.end();
  const head = { image, firstFrame, frameCount, firstCluster, clusters, runs };
  checkCounts(head, bodyBytes, reader);
  return head;
}

/** STORED and DELTA frames consume exactly the items of the batch; clusters fill the body. */
function checkCounts(head: PagesHead, bodyBytes: number, reader: ByteReader): void {
  const items = { stored: 0, deltas: 0, bytes: 0 };
  for (const cluster of head.clusters) {
    items.bytes += cluster.byteLength;
    if (cluster.isDeltas) items.deltas += cluster.itemCount;
    else items.stored += cluster.itemCount;
  }
  if (items.bytes !== bodyBytes) reader.fail(`clusters of ${items.bytes} bytes in ${bodyBytes}`);
  for (const run of head.runs) {
    if (run.kind === RecordKind.STORED) items.stored -= run.length;
    if (run.kind === RecordKind.DELTA) items.deltas -= run.length;
    if (run.kind === RecordKind.DUPLICATE) {
      const last = head.firstCluster + head.clusters.length;
      if (run.cluster >= last) reader.fail(`cluster ${run.cluster} is not yet there`);
    }
  }
  if (items.stored !== 0 || items.deltas !== 0) reader.fail("items and records do not agree");
}
