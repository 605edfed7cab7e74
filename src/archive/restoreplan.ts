// Which pages of an archive go where: the runs of the wanted frames, as restore tasks want them, in
// the order of their clusters, so that each cluster is decoded once.
import type { FrameMap } from "../core/extent.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { BATCH_PAGES } from "../core/slab.ts";
import { FINGERPRINT_BYTES } from "../kernels/abi.ts";
import { RUN_FIELDS, RUN_OF_BASE } from "../pool/restoretask.ts";
import { RecordKind, type Run } from "../wire/records.ts";
import { clipRuns } from "../wire/slotruns.ts";
import type { ArchiveIndex } from "./index.ts";

/** Frames of one image that are restored together. */
export interface Piece {
  readonly image: number;
  readonly firstFrame: number;
  readonly frameCount: number;
  /** Where its frames are in the file, and the file's descriptor (−1: none). */
  readonly map: FrameMap;
  readonly fd: number;
  /** What the file will be called, for messages. */
  readonly path: string;
  /** Address of the fingerprints of its frames. */
  readonly fingerprintsPtr: number;
}

/** Frames [frame, frame + count) of a piece that are not in clusters. */
export interface WordRun {
  readonly piece: Piece;
  readonly frame: number;
  readonly count: number;
  readonly word: bigint;
}

export interface LostRun {
  readonly piece: Piece;
  readonly frame: number;
  readonly count: number;
  readonly reason: string;
}

/** Cluster and item of a run as one number to sort by; items are fewer than 256. */
const ITEM_RANGE = 256;

export class RestorePlan {
  /** Bytes that restoring writes: all but zeros. */
  writtenBytes = 0;
  readonly words: WordRun[] = [];
  readonly lost: LostRun[] = [];
  private readonly fields: number[] = [];
  private readonly owners: Piece[] = [];

  /** Adds the frames of a piece. Throws DAMAGED for an index that says impossible things. */
  async add(index: ArchiveIndex, piece: Piece, signal?: AbortSignal): Promise<void> {
    const { image, firstFrame, frameCount } = piece;
    const end = firstFrame + frameCount;
    for (let frame = firstFrame; frame < end; ) {
      const leaf = await index.leafAt(image, frame, signal);
      const stop = Math.min(end, leaf.firstFrame + leaf.frameCount);
      if (leaf.lost !== undefined) {
        this.lost.push({ piece, frame, count: stop - frame, reason: leaf.lost });
      } else {
        for (const run of clipRuns(leaf.runs, leaf.firstFrame, frame, stop)) {
          this.addRun(piece, frame, run);
          frame += run.length;
        }
      }
      frame = stop;
    }
  }

  /** Tasks of about one batch of pages each, never cutting a cluster that fits into one. */
  *tasks(): Generator<{ runs: Float64Array<ArrayBuffer>; owners: Piece[] }> {
    const order = this.sorted();
    for (let start = 0; start < order.length; ) {
      let pages = 0;
      let end = start;
      while (end < order.length && (pages < BATCH_PAGES || this.sameCluster(order, end))) {
        pages += this.fields[order[end++] * RUN_FIELDS + 2];
        if (pages >= 16 * BATCH_PAGES) break;
      }
      const runs = new Float64Array((end - start) * RUN_FIELDS);
      const owners: Piece[] = [];
      for (let i = start; i < end; i++) {
        const from = order[i] * RUN_FIELDS;
        for (let k = 0; k < RUN_FIELDS; k++) {
          runs[(i - start) * RUN_FIELDS + k] = this.fields[from + k];
        }
        owners.push(this.owners[order[i]]);
      }
      yield { runs, owners };
      start = end;
    }
  }

  private sorted(): Uint32Array {
    const count = this.owners.length;
    const keys = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      keys[i] = this.fields[i * RUN_FIELDS] * ITEM_RANGE + (this.fields[i * RUN_FIELDS + 1] % 256);
    }
    return new Uint32Array(count).map((_, i) => i).sort((a, b) => keys[a] - keys[b] || a - b);
  }

  private sameCluster(order: Uint32Array, at: number): boolean {
    const { fields } = this;
    return fields[order[at] * RUN_FIELDS] === fields[order[at - 1] * RUN_FIELDS];
  }

  private addRun(piece: Piece, frame: number, run: Run): void {
    switch (run.kind) {
      case RecordKind.UNIFORM:
        this.words.push({ piece, frame, count: run.length, word: run.word });
        this.writtenBytes += run.length * PAGE_BYTES;
        break;
      case RecordKind.DUPLICATE:
        this.addStored(piece, frame, run.cluster, run.item, run.length);
        break;
      case RecordKind.BASE:
        for (let done = 0; done < run.length; done += BATCH_PAGES) {
          const count = Math.min(BATCH_PAGES, run.length - done);
          this.addStored(piece, frame + done, RUN_OF_BASE, run.frame + done, count);
        }
        break;
      default: // zeros need nothing
    }
  }

  private addStored(piece: Piece, frame: number, cluster: number, item: number, count: number) {
    for (const run of piece.map.runs(frame, count)) {
      const { frameCount, byteOffset, byteLength } = run;
      const skipped = run.frame - frame;
      const fingerprints =
        piece.fingerprintsPtr + (run.frame - piece.firstFrame) * FINGERPRINT_BYTES;
      this.fields.push(cluster, item + skipped, frameCount, piece.fd, byteOffset, byteLength);
      this.fields.push(fingerprints);
      this.writtenBytes += byteLength;
      this.owners.push(piece);
    }
  }
}

/** The frames that a run of a task stands for. */
export function framesOfRun(piece: Piece, runs: Float64Array, run: number) {
  const fingerprints = runs[run * RUN_FIELDS + 6];
  const offset = (fingerprints - piece.fingerprintsPtr) / FINGERPRINT_BYTES;
  return { frame: piece.firstFrame + offset, count: runs[run * RUN_FIELDS + 2] };
}

/** Bytes that a task writes or would write. */
export function bytesOfTask(runs: Float64Array): number {
  let bytes = 0;
  for (let i = 2; i < runs.length; i += RUN_FIELDS) bytes += runs[i] * PAGE_BYTES;
  return bytes;
}
