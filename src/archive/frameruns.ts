// What every frame of one image is, put together from PAGES batches: later rounds replace what
// earlier ones said, SKIP leaves it. Frames that nobody mentioned are holes.
import { type PagesHead, RecordKind, type Run, runFrames } from "../wire/records.ts";
import { clipRuns, resolveRuns } from "../wire/slotruns.ts";

/** Consecutive frames that are known. */
interface Piece {
  readonly firstFrame: number;
  readonly endFrame: number;
  readonly runs: Run[];
}

export class FrameRuns {
  /** In frame order; no two overlap. */
  private readonly pieces: Piece[] = [];

  /** One more than the last frame that is known. */
  get frameCount(): number {
    return this.pieces.at(-1)?.endFrame ?? 0;
  }

  put(head: PagesHead): void {
    let frame = head.firstFrame;
    let known: Run[] = [];
    for (const run of resolveRuns(head)) {
      if (run.kind === RecordKind.SKIP) {
        this.replace(frame, known);
        frame += runFrames(known) + run.length;
        known = [];
      } else {
        known.push(run);
      }
    }
    this.replace(frame, known);
  }

  /** The piece that covers `frame`, or the hole, which ends at `frameCount` at the latest. */
  leafAt(frame: number, frameCount: number) {
    const index = this.firstEndingAfter(frame);
    const piece = this.pieces[index];
    if (piece && piece.firstFrame <= frame) {
      const { firstFrame, endFrame, runs } = piece;
      return { firstFrame, frameCount: endFrame - firstFrame, runs };
    }
    const end = Math.min(piece?.firstFrame ?? frameCount, frameCount);
    const lost = "the batch that tells it is lost";
    return { firstFrame: frame, frameCount: end - frame, runs: [], lost };
  }

  private replace(firstFrame: number, runs: Run[]): void {
    if (runs.length === 0) return;
    const endFrame = firstFrame + runFrames(runs);
    const from = this.firstEndingAfter(firstFrame);
    let to = from;
    const kept: Piece[] = [{ firstFrame, endFrame, runs }];
    for (; to < this.pieces.length && this.pieces[to].firstFrame < endFrame; to++) {
      const old = this.pieces[to];
      if (old.firstFrame < firstFrame) kept.unshift(part(old, old.firstFrame, firstFrame));
      if (old.endFrame > endFrame) kept.push(part(old, endFrame, old.endFrame));
    }
    this.pieces.splice(from, to - from, ...kept);
  }

  /** Index of the first piece that ends after `frame`. */
  private firstEndingAfter(frame: number): number {
    let low = 0;
    let high = this.pieces.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.pieces[middle].endFrame > frame) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

function part({ firstFrame, runs }: Piece, from: number, to: number): Piece {
  return { firstFrame: from, endFrame: to, runs: clipRuns(runs, firstFrame, from, to) };
}
