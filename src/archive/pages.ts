// Frames of an archived image, by its leaves: every run becomes zeros, words, items of clusters or
// frames of the base.
import { PagefoldError } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { RecordKind, type Run } from "../wire/records.ts";
import { clipRuns } from "../wire/slotruns.ts";
import { type ClusterReader, type ReadOptions, readBase } from "./content.ts";
import type { ArchiveIndex } from "./index.ts";

/** Fills `into` (zeros so far) with frames [frame, frame + count) of an image. */
export async function readFrames(
  index: ArchiveIndex,
  clusters: ClusterReader,
  image: number,
  frame: number,
  count: number,
  into: Uint8Array,
  options: ReadOptions,
): Promise<void> {
  const end = frame + count;
  for (let at = frame; at < end; ) {
    const leaf = await index.leafAt(image, at, options.signal);
    if (leaf.lost !== undefined) {
      const { name } = index.images[image].head;
      throw new PagefoldError("DAMAGED", `${name}: frame ${at}: ${leaf.lost}`);
    }
    const stop = Math.min(end, leaf.firstFrame + leaf.frameCount);
    for (const run of clipRuns(leaf.runs, leaf.firstFrame, at, stop)) {
      options.signal?.throwIfAborted();
      const start = (at - frame) * PAGE_BYTES;
      await readRun(clusters, run, into.subarray(start, start + run.length * PAGE_BYTES), options);
      at += run.length;
    }
  }
}

/** Fills `into` (zeros so far) with the frames of one run of a leaf. */
export async function readRun(
  clusters: ClusterReader,
  run: Run,
  into: Uint8Array,
  options: ReadOptions,
): Promise<void> {
  switch (run.kind) {
    case RecordKind.ZERO:
      return;
    case RecordKind.UNIFORM:
      return fillWord(into, run.word);
    case RecordKind.DUPLICATE:
      return clusters.readItems(run.cluster, run.item, run.length, into, options);
    case RecordKind.BASE:
      return readBase(run.frame, run.length, into, options);
    case RecordKind.STORED:
    case RecordKind.DELTA:
    case RecordKind.SKIP:
      throw new Error(`record kind ${run.kind} in a leaf`);
  }
}

/** Fills whole pages with one word. */
export function fillWord(pages: Uint8Array, word: bigint): void {
  const view = new DataView(pages.buffer, pages.byteOffset, pages.byteLength);
  view.setBigUint64(0, word, true);
  for (let filled = 8; filled < pages.length; filled *= 2) pages.copyWithin(filled, 0, filled);
}
