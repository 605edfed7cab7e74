// Which pages of an archive go where: the runs of the wanted frames as restore tasks want them,
// ordered by their clusters, so that each cluster is decoded once. Deltas come last: what they
// refer to has been restored by then.
import type { FileRun, FrameMap } from "../core/extent.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { BATCH_PAGES } from "../core/slab.ts";
import { FINGERPRINT_BYTES } from "../kernels/abi.ts";
import { NO_FILE, RUN_WORDS, type RunPlan, Source, setWide } from "../pool/restorerun.ts";
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

export interface LostRun {
  readonly piece: Piece;
  readonly frame: number;
  readonly count: number;
  readonly reason: string;
}

/** Linear memory for the plan of as many frames as are restored together. */
export interface PlanMemory {
  readonly words: Uint32Array;
  /** RESTORE_RUN_BYTES for each frame. */
  readonly runsPtr: number;
  /** Four bytes for each frame. */
  readonly orderPtr: number;
  /** Four bytes for each cluster. */
  readonly firstsPtr: number;
}

/** Places [first, end) of the order, to be restored by one worker. */
export interface PlannedTask {
  readonly first: number;
  readonly end: number;
  readonly isDeltas: boolean;
  readonly byteLength: number;
}

export class RestorePlan {
  /** Bytes that restoring writes: all but zeros. */
  writtenBytes = 0;
  readonly lost: LostRun[] = [];
  private readonly memory: PlanMemory;
  /** By cluster: 1 where the index says that it holds deltas. */
  private readonly deltas: Uint8Array;
  private readonly pieces: Piece[] = [];
  private runCount = 0;
  /** Where the runs of deltas begin in the order. */
  private firstDelta = 0;

  constructor(memory: PlanMemory, deltas: Uint8Array) {
    this.memory = memory;
    this.deltas = deltas;
  }

  /** Adds the frames of a piece. Throws DAMAGED for an index that says impossible things. */
  async add(index: ArchiveIndex, piece: Piece, signal?: AbortSignal): Promise<void> {
    const { image, firstFrame, frameCount } = piece;
    const end = firstFrame + frameCount;
    this.pieces.push(piece);
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

  /** Puts the runs into the order in which they are restored; nothing is added afterwards. */
  arrange(): RunPlan {
    const { deltas, runCount } = this;
    const { words, runsPtr, orderPtr, firstsPtr } = this.memory;
    const firstRun = runsPtr / 4;
    const endRun = firstRun + runCount * RUN_WORDS;
    const next = new Uint32Array(deltas.length);
    let others = 0;
    for (let run = firstRun; run < endRun; run += RUN_WORDS) {
      if (words[run] === Source.SLOT) next[words[run + 2]]++;
      else others++;
    }
    let place = others;
    for (const isDeltas of [0, 1]) {
      if (isDeltas) this.firstDelta = place;
      for (let cluster = 0; cluster < deltas.length; cluster++) {
        if (deltas[cluster] !== isDeltas) continue;
        const count = next[cluster];
        next[cluster] = place;
        words[firstsPtr / 4 + cluster] = place;
        place += count;
      }
    }
    let other = 0;
    for (let run = firstRun; run < endRun; run += RUN_WORDS) {
      const at = words[run] === Source.SLOT ? next[words[run + 2]]++ : other++;
      words[orderPtr / 4 + at] = run;
    }
    return { orderPtr, firstsPtr, runCount };
  }

  /** Pieces of work that need no deltas, or those that do, of about one batch of pages each. */
  *tasks(isDeltas: boolean): Generator<PlannedTask> {
    const { words, orderPtr } = this.memory;
    const order = orderPtr / 4;
    const stop = isDeltas ? this.runCount : this.firstDelta;
    for (let first = isDeltas ? this.firstDelta : 0; first < stop; ) {
      let pages = 0;
      let end = first;
      // A cluster is cut only if it is wanted in absurdly many places.
      while (end < stop && (pages < BATCH_PAGES || this.isSameCluster(words[order + end], end))) {
        pages += words[words[order + end++] + 1];
        if (pages >= 16 * BATCH_PAGES) break;
      }
      yield { first, end, isDeltas, byteLength: pages * PAGE_BYTES };
      first = end;
    }
  }

  /** The frames that a run stands for. */
  framesOf(run: number): { piece: Piece; frame: number; count: number } {
    const { words } = this.memory;
    const ptr = words[run + 8];
    const piece = this.pieces.findLast(({ fingerprintsPtr }) => fingerprintsPtr <= ptr) as Piece;
    const frame = piece.firstFrame + (ptr - piece.fingerprintsPtr) / FINGERPRINT_BYTES;
    return { piece, frame, count: words[run + 1] };
  }

  private isSameCluster(run: number, place: number): boolean {
    const { words, orderPtr } = this.memory;
    const before = words[orderPtr / 4 + place - 1];
    return words[run] === Source.SLOT && words[before + 2] === words[run + 2];
  }

  private addRun(piece: Piece, frame: number, run: Run): void {
    switch (run.kind) {
      case RecordKind.DUPLICATE:
        for (const part of piece.map.runs(frame, run.length)) {
          const at = this.addPart(piece, part, Source.SLOT);
          this.memory.words[at + 2] = run.cluster;
          this.memory.words[at + 3] = run.item + part.frame - frame;
        }
        break;
      case RecordKind.UNIFORM:
        for (const part of shortRuns(piece.map, frame, run.length)) {
          const at = this.addPart(piece, part, Source.WORD);
          this.memory.words[at + 2] = Number(run.word & 0xffff_ffffn);
          this.memory.words[at + 3] = Number(run.word >> 32n);
        }
        break;
      case RecordKind.BASE:
        for (const part of shortRuns(piece.map, frame, run.length)) {
          const at = this.addPart(piece, part, Source.BASE);
          setWide(this.memory.words, at + 2, run.frame + part.frame - frame);
        }
        break;
      default: // zeros need nothing
    }
  }

  /** Writes all but what is special to its source; returns the index of its first word. */
  private addPart(piece: Piece, part: FileRun, source: number): number {
    const { words, runsPtr } = this.memory;
    const run = runsPtr / 4 + this.runCount++ * RUN_WORDS;
    words[run] = source;
    words[run + 1] = part.frameCount;
    words[run + 4] = piece.fd < 0 ? NO_FILE : piece.fd;
    words[run + 5] = part.byteLength;
    setWide(words, run + 6, part.byteOffset);
    words[run + 8] = piece.fingerprintsPtr + (part.frame - piece.firstFrame) * FINGERPRINT_BYTES;
    words[run + 9] = 0;
    this.writtenBytes += part.byteLength;
    return run;
  }
}

/** Runs of at most a batch of pages, which is what a worker has room for. */
function* shortRuns(map: FrameMap, frame: number, count: number): Generator<FileRun> {
  for (let done = 0; done < count; done += BATCH_PAGES) {
    yield* map.runs(frame + done, Math.min(BATCH_PAGES, count - done));
  }
}
