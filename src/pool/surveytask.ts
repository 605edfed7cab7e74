// Reads an extent straight into a slab and surveys its pages: zero, uniform or ordinary,
// fingerprint and sketch; and, where deltas are wanted, which earlier pages share their anchors.
import { readSync } from "node:fs";
import { PAGE_BYTES } from "../core/page.ts";
import { slabPart } from "../core/slab.ts";
import { FINGERPRINT_BYTES, SURVEY_RECORD_BYTES } from "../kernels/abi.ts";
import type { AnchorView, SurveyTask, TaskContext, TaskFault, TaskResults } from "./task.ts";

/** Pages that are read at once and surveyed while they are in the cache of the processor. */
const PIECE_PAGES = 64;

export function runSurvey(context: TaskContext, task: SurveyTask): TaskResults["survey"] {
  if (task.fd < 0) {
    surveyPages(context, task, slabPart(task.slabPtr, "pages"), 0, task.pageCount);
  } else {
    const fault = readAndSurvey(context, task);
    if (fault) return { fault };
  }
  if (task.anchors) findSimilar(context, task, task.anchors);
  return {};
}

/** Surveys pages at `ptr`, which are those of the slab from `page` on. */
function surveyPages(
  { kernels }: TaskContext,
  { slabPtr }: SurveyTask,
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

function readAndSurvey(context: TaskContext, task: SurveyTask): TaskFault | undefined {
  const { runs, fd } = task;
  const { bytes, scratch } = context;
  for (let i = 0; i < runs.length; i += 4) {
    const [firstPage, runPages, byteOffset, runBytes] = runs.slice(i, i + 4);
    for (let done = 0; done < runPages; done += PIECE_PAGES) {
      const page = firstPage + done;
      const pageCount = Math.min(PIECE_PAGES, runPages - done);
      const start = done * PAGE_BYTES;
      const byteLength = Math.min(pageCount * PAGE_BYTES, runBytes - start);
      const inSlab = slabPart(task.slabPtr, "pages") + page * PAGE_BYTES;
      const into = task.isTransient ? scratch.candidates : inSlab;
      const got = readFully(bytes, fd, into, byteLength, byteOffset + start);
      if (got < byteLength) return { code: "", reason: "", byteOffset: byteOffset + start + got };
      // The last page of a segment may be partial; its rest is zero.
      bytes.fill(0, into + byteLength, into + pageCount * PAGE_BYTES);
      surveyPages(context, task, into, page, pageCount);
    }
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
