// Reads an extent straight into a slab and surveys its pages: zero, uniform or ordinary,
// fingerprint and sketch; and, where deltas are wanted, which earlier pages share their anchors.
import { readSync } from "node:fs";
import { PAGE_BYTES } from "../core/page.ts";
import { slabPart } from "../core/slab.ts";
import type { AnchorView, SurveyTask, TaskContext, TaskFault, TaskResults } from "./task.ts";

export function runSurvey(context: TaskContext, task: SurveyTask): TaskResults["survey"] {
  const pages = slabPart(task.slabPtr, "pages");
  if (task.fd >= 0) {
    const fault = readRuns(context, task, pages);
    if (fault) return { fault };
  }
  const records = slabPart(task.slabPtr, "records");
  const fingerprints = slabPart(task.slabPtr, "fingerprints");
  context.kernels.survey(pages, task.pageCount, records, fingerprints);
  if (task.anchors) findSimilar(context, task, task.anchors);
  return {};
}

function findSimilar(context: TaskContext, task: SurveyTask, view: AnchorView): void {
  const { kernels, scratch } = context;
  const { slabPtr, pageCount } = task;
  const [records, pages] = [slabPart(slabPtr, "records"), slabPart(slabPtr, "pages")];
  const [anchors, counts] = [slabPart(slabPtr, "anchors"), slabPart(slabPtr, "anchorCounts")];
  const similar = slabPart(slabPtr, "similar");
  const { tablePtr, segment, entryLimit, sampleBits, minVotes } = view;
  const votes = scratch.results;
  kernels.anchorPages(records, pages, pageCount, anchors, counts, sampleBits);
  kernels.anchorLookup(
    tablePtr,
    segment,
    entryLimit,
    minVotes,
    anchors,
    counts,
    pageCount,
    votes,
    similar,
  );
}

function readRuns(context: TaskContext, task: SurveyTask, pages: number): TaskFault | undefined {
  const { runs } = task;
  for (let i = 0; i < runs.length; i += 4) {
    const [page, pageCount, byteOffset, byteLength] = runs.slice(i, i + 4);
    const into = pages + page * PAGE_BYTES;
    const got = readFully(context.bytes, task.fd, into, byteLength, byteOffset);
    if (got < byteLength) return { code: "", reason: "", byteOffset: byteOffset + got };
    // The last page of a segment may be partial; its rest is zero.
    context.bytes.fill(0, into + byteLength, into + pageCount * PAGE_BYTES);
  }
  return undefined;
}

/** Reads until all bytes are there or the file ends; returns how many there were. */
export function readFully(
  bytes: Uint8Array,
  fd: number,
  into: number,
  byteLength: number,
  byteOffset: number,
): number {
  let done = 0;
  while (done < byteLength) {
    const got = readSync(fd, bytes, into + done, byteLength - done, byteOffset + done);
    if (got === 0) break;
    done += got;
  }
  return done;
}
