// Runs as restoring and the index want them: every stored frame by its slot, cut to the frames that
// are asked for.
import { type PagesHead, pushRun, RecordKind, type Run } from "./records.ts";

/** The part of `runs`, which begin at frame `firstFrame`, that covers frames [from, to). */
export function clipRuns(
  runs: readonly Run[],
  firstFrame: number,
  from: number,
  to: number,
): Run[] {
  const clipped: Run[] = [];
  let frame = firstFrame;
  for (const run of runs) {
    const start = Math.max(frame, from);
    const end = Math.min(frame + run.length, to);
    if (start < end) {
      const isWhole = end - start === run.length;
      clipped.push(isWhole ? run : partOfRun(run, start - frame, end - start));
    }
    frame += run.length;
    if (frame >= to) break;
  }
  return clipped;
}

function partOfRun(run: Run, skipped: number, length: number): Run {
  if (run.kind === RecordKind.DUPLICATE) return { ...run, item: run.item + skipped, length };
  if (run.kind === RecordKind.BASE) return { ...run, frame: run.frame + skipped, length };
  return { ...run, length };
}

/**
 * Turns the runs of a batch into runs without STORED and DELTA: every stored frame as a run of
 * slots. This is what index leaves keep and what restoring works on.
 */
export function resolveRuns(head: PagesHead): Run[] {
  const resolved: Run[] = [];
  const cursors = { stored: slotCursor(head, false), delta: slotCursor(head, true) };
  for (const run of head.runs) {
    if (run.kind !== RecordKind.STORED && run.kind !== RecordKind.DELTA) {
      pushRun(resolved, { ...run });
      continue;
    }
    const cursor = run.kind === RecordKind.STORED ? cursors.stored : cursors.delta;
    for (let left = run.length; left > 0; ) {
      const slots = cursor(left);
      pushRun(resolved, { kind: RecordKind.DUPLICATE, ...slots });
      left -= slots.length;
    }
  }
  return resolved;
}

/** Hands out the items of the pages (or deltas) clusters of a batch in order. */
function slotCursor(head: PagesHead, isDeltas: boolean) {
  let index = 0;
  let item = 0;
  return (wanted: number): { cluster: number; item: number; length: number } => {
    while (head.clusters[index].isDeltas !== isDeltas || item === head.clusters[index].itemCount) {
      index++;
      item = 0;
    }
    const length = Math.min(wanted, head.clusters[index].itemCount - item);
    item += length;
    return { cluster: head.firstCluster + index, item: item - length, length };
  };
}
