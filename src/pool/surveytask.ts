// Reads an extent straight into a slab and surveys its pages: zero, uniform or ordinary,
// fingerprint and sketch; and, where deltas are wanted, which earlier pages share their anchors;
// and how varied their bytes are, where somebody looks.
import { readSync } from "node:fs";
import { PAGE_BYTES } from "../core/page.ts";
import { slabPart } from "../core/slab.ts";
import { FINGERPRINT_BYTES, SURVEY_RECORD_BYTES } from "../kernels/abi.ts";
import type {
  AnchorView,
  FilePages,
  SurveyTask,
  TaskContext,
  TaskFault,
  TaskResults,
} from "./task.ts";

/** Pages that are read at once and surveyed while they are in the cache of the processor. */
export const PIECE_PAGES = 64;

export function runSurvey(context: TaskContext, task: SurveyTask): TaskResults["survey"] {
  if (task.fd < 0) {
    surveyPages(context, task.slabPtr, slabPart(task.slabPtr, "pages"), 0, task.pageCount);
  } else {
    const fault = readAndSurvey(context, task);
    if (fault) return { fault };
  }
  if (task.anchors) findSimilar(context, task, task.anchors);
  if (task.entropyTablePtr !== undefined) measure(context, task, task.entropyTablePtr);
  return {};
}

/** Surveys pages at `ptr`, which are those of the slab from `page` on. */
export function surveyPages(
  { kernels }: TaskContext,
  slabPtr: number,
  ptr: number,
  page: number,
  pageCount: number,
): void {
  const records = slabPart(slabPtr, "records") + page * SURVEY_RECORD_BYTES;
  const fingerprints = slabPart(slabPtr, "fingerprints") + page * FINGERPRINT_BYTES;
  kernels.survey(ptr, pageCount, records, fingerprints);
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

function measure(context: TaskContext, { slabPtr, pageCount }: SurveyTask, tablePtr: number) {
  const [records, pages] = [slabPart(slabPtr, "records"), slabPart(slabPtr, "pages")];
  const { kernels, scratch } = context;
  const out = slabPart(slabPtr, "entropy");
  kernels.entropyPages(pages, records, pageCount, tablePtr, scratch.results, out);
}

function readAndSurvey(context: TaskContext, task: SurveyTask): TaskFault | undefined {
  const { scratch } = context;
  const { slabPtr, pageCount } = task;
  for (let page = 0; page < pageCount; page += PIECE_PAGES) {
    const count = Math.min(PIECE_PAGES, pageCount - page);
    const inSlab = slabPart(slabPtr, "pages") + page * PAGE_BYTES;
    const into = task.isTransient ? scratch.candidates : inSlab;
    const fault = readPages(context, task, page, count, into);
    if (fault) return fault;
    surveyPages(context, slabPtr, into, page, count);
  }
  return undefined;
}

/** Reads pages [page, page + count) of a list of runs to `into`. */
export function readPages(
  { bytes }: TaskContext,
  { fd, runs }: FilePages,
  page: number,
  count: number,
  into: number,
): TaskFault | undefined {
  for (let i = 0; i < runs.length; i += 4) {
    const first = Math.max(runs[i], page);
    const end = Math.min(runs[i] + runs[i + 1], page + count);
    if (first >= end) continue;
    const start = (first - runs[i]) * PAGE_BYTES;
    const target = into + (first - page) * PAGE_BYTES;
    const byteOffset = runs[i + 2] + start;
    const byteLength = Math.min((end - first) * PAGE_BYTES, runs[i + 3] - start);
    const got = readFully(bytes, fd, target, byteLength, byteOffset);
    if (got < byteLength) return { code: "", reason: "", byteOffset: byteOffset + got };
    // The last page of a segment may be partial; its rest is zero.
    bytes.fill(0, target + byteLength, into + (end - page) * PAGE_BYTES);
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
