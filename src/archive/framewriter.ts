// Restores the runs of one batch into a sink, in pieces as large as possible, and takes the
// fingerprint of every page on the way.
import { PagefoldError } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import type { PageSink } from "../image/image.ts";
import { RecordKind, type Run } from "../wire/records.ts";
import { clipRuns } from "../wire/slotruns.ts";
import type { ClusterReader, ReadOptions } from "./content.ts";
import type { FrameFingerprints } from "./framefingerprints.ts";
import { readRun } from "./pages.ts";

/** Frames that are written at once: 1 MiB, and as many as are fingerprinted at once. */
const PIECE_FRAMES = 256;
/** Shorter runs of zeros are not worth a call of their own. */
const MIN_ZERO_FRAMES = 16;

/** Told of a frame that cannot be had; it is restored as zeros. */
export type LostListener = (frame: number, reason: string) => void;

export class FrameWriter {
  private readonly clusters: ClusterReader;
  private readonly piece = new Uint8Array(PIECE_FRAMES * PAGE_BYTES);
  private readonly zeroFingerprint: Uint8Array;

  constructor(clusters: ClusterReader) {
    this.clusters = clusters;
    this.zeroFingerprint = clusters.fingerprintsOf(new Uint8Array(PAGE_BYTES));
  }

  /** Restores `runs`, which begin at `firstFrame`. Without `onLost`, damage throws. */
  async write(
    runs: readonly Run[],
    firstFrame: number,
    target: { readonly sink: PageSink; readonly fingerprints: FrameFingerprints },
    options: ReadOptions,
    onLost: LostListener | undefined,
  ): Promise<void> {
    const { sink, fingerprints } = target;
    const { signal } = options;
    let start = firstFrame;
    let filled = 0;
    const flush = async (): Promise<void> => {
      if (filled === 0) return;
      const pages = this.piece.subarray(0, filled * PAGE_BYTES);
      fingerprints.set(start, this.clusters.fingerprintsOf(pages));
      await sink.write(start, pages, signal);
      start += filled;
      filled = 0;
    };
    let frame = firstFrame;
    for (const run of runs) {
      const end = frame + run.length;
      const isZero = run.kind === RecordKind.ZERO && run.length >= MIN_ZERO_FRAMES && sink.zero;
      if (run.kind === RecordKind.SKIP || isZero) {
        await flush();
        if (isZero) await sink.zero?.(frame, run.length, signal);
        if (isZero) fingerprints.fill(frame, run.length, this.zeroFingerprint);
        start = end;
      } else {
        for (let at = frame; at < end; ) {
          const count = Math.min(end - at, PIECE_FRAMES - filled);
          const [part] = clipRuns([run], frame, at, at + count);
          signal?.throwIfAborted();
          await this.read(part, at, filled, options, onLost);
          filled += count;
          at += count;
          if (filled === PIECE_FRAMES) await flush();
        }
      }
      frame = end;
    }
    await flush();
  }

  /** Puts a run into the piece, page by page where something is damaged. */
  private async read(
    run: Run,
    frame: number,
    page: number,
    options: ReadOptions,
    onLost: LostListener | undefined,
  ): Promise<void> {
    const into = this.piece.subarray(page * PAGE_BYTES, (page + run.length) * PAGE_BYTES);
    into.fill(0);
    try {
      await readRun(this.clusters, run, into, options);
    } catch (error) {
      if (!onLost || !(error instanceof PagefoldError && error.code === "DAMAGED")) throw error;
      if (run.length === 1) {
        into.fill(0);
        onLost(frame, error.message);
        return;
      }
      for (let i = 0; i < run.length; i++) {
        const [part] = clipRuns([run], frame, frame + i, frame + i + 1);
        await this.read(part, frame + i, page + i, options, onLost);
      }
    }
  }
}
