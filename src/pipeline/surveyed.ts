// Surveys all pages of a file in order, many at a time, for those who only look: bases that are
// learnt, images that are inspected or checked.
import type { Arena } from "../core/arena.ts";
import type { FrameMap } from "../core/extent.ts";
import { BATCH_PAGES, slabPart } from "../core/slab.ts";
import { FINGERPRINT_BYTES } from "../kernels/abi.ts";
import type { WorkPool } from "../pool/pool.ts";
import type { AnchorView } from "../pool/task.ts";
import type { PageHashes } from "../qemu/streamproof.ts";
import { consecutiveFrames, type FrameList } from "./batch.ts";
import { inputError } from "./inputerror.ts";
import type { SlabPool } from "./slabs.ts";

/** A file whose pages are surveyed. */
export interface SurveyedFile {
  readonly name: string;
  readonly fd: number;
  readonly map: FrameMap;
}

/**
 * Calls `visit` with each surveyed batch, in frame order; the slab is valid during the call. The
 * pages are in it only where anchors are looked for.
 */
export async function surveyInOrder(
  parts: { readonly arena: Arena; readonly pool: WorkPool; readonly slabs: SlabPool },
  file: SurveyedFile,
  visit: (slabPtr: number, firstFrame: number, pageCount: number) => void,
  signal?: AbortSignal,
  anchors?: AnchorView,
): Promise<void> {
  const { frameCount } = file.map;
  const work = (slabPtr: number, frame: number, pageCount: number) =>
    survey(parts.pool, file, slabPtr, frame, pageCount, anchors);
  await inOrder(parts.slabs, frameCount, work, visit, signal);
}

/** Works on all frames, a slab of them at a time and many at once, and visits them in order. */
export async function inOrder<T>(
  slabs: SlabPool,
  frameCount: number,
  work: (slabPtr: number, firstFrame: number, pageCount: number) => Promise<T>,
  visit: (slabPtr: number, firstFrame: number, pageCount: number, result: T) => void,
  signal?: AbortSignal,
): Promise<void> {
  const running = new Set<Promise<void>>();
  let order: Promise<void> = Promise.resolve();
  let failure: { reason: unknown } | undefined;
  for (let frame = 0; frame < frameCount && !failure; frame += BATCH_PAGES) {
    if (signal?.aborted) failure = { reason: signal.reason };
    if (failure) break;
    const slabPtr = await slabs.lease();
    const pageCount = Math.min(BATCH_PAGES, frameCount - frame);
    const worked = work(slabPtr, frame, pageCount);
    order = Promise.all([worked, order])
      .then(([result]) => visit(slabPtr, frame, pageCount, result))
      .catch((reason) => {
        failure ??= { reason };
      });
    const done = Promise.allSettled([worked, order]).then(() => slabs.release(slabPtr));
    running.add(done);
    void done.then(() => running.delete(done));
  }
  while (running.size > 0) await Promise.all(running);
  if (failure) throw failure.reason;
  signal?.throwIfAborted();
}

async function survey(
  pool: WorkPool,
  file: SurveyedFile,
  slabPtr: number,
  frame: number,
  pageCount: number,
  anchors: AnchorView | undefined,
): Promise<void> {
  const runs = readList(file.map, consecutiveFrames(frame, pageCount));
  const { fd } = file;
  const isTransient = anchors === undefined;
  const task = { kind: "survey", slabPtr, pageCount, fd, runs, isTransient, anchors } as const;
  const { fault } = await pool.run(task);
  if (fault) throw inputError(file.name, fault);
}

/** The runs of a task that reads these frames: page in the slab, pages, offset, byte length. */
export function readList(map: FrameMap, frames: FrameList): number[] {
  const list: number[] = [];
  for (let page = 0; page < frames.length; ) {
    const first = frames.at(page);
    let count = 1;
    while (page + count < frames.length && frames.at(page + count) === first + count) count++;
    for (const run of map.runs(first, count)) {
      list.push(page + run.frame - first, run.frameCount, run.byteOffset, run.byteLength);
    }
    page += count;
  }
  return list;
}

/** Half of the fingerprint of each page of a slab, for proofs that two sides have the same. */
export function slabHashes({ words }: Arena, slabPtr: number): PageHashes {
  const from = slabPart(slabPtr, "fingerprints") / 4;
  return { words, from, stride: FINGERPRINT_BYTES / 4 };
}

/** Fingerprints of the pages of a slab, as a view. */
export function slabFingerprints(arena: Arena, slabPtr: number, pageCount: number): Uint8Array {
  return arena.at(slabPart(slabPtr, "fingerprints"), pageCount * 16);
}
