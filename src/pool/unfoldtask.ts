// Restores pages into a slab, in their order: those of one batch of a session, whose clusters lie
// in memory already, so batches need not wait for each other; or some frames of an image whose
// clusters are in an archive's file.
import { PagefoldError } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { slabPart } from "../core/slab.ts";
import { openBaseReader } from "./basereader.ts";
import { wideAt } from "./restorerun.ts";
import { type ReferenceSources, readSlot } from "./slot.ts";
import { surveyPages } from "./surveytask.ts";
import type { TaskContext, TaskResults, UnfoldTask } from "./task.ts";

// A span of pages, in the slab's part of runs (u32):
//    0  what it is made of, a `Span`     4  pages
//    8  cluster, 12 item (SLOT) · 8, 12 the word (WORD) · 8, 12 frame of the base (BASE)
export const SPAN_BYTES = 16;
export const Span = { SLOT: 1, WORD: 2, BASE: 3 } as const;

export function runUnfold(context: TaskContext, task: UnfoldTask): TaskResults["unfold"] {
  const { bytes } = context;
  const words = new Uint32Array(bytes.buffer);
  const base = task.base && openBaseReader(context, task.base);
  const sources = { base, plain: () => false };
  let target = slabPart(task.slabPtr, "pages");
  let span = slabPart(task.slabPtr, "runs") / 4;
  for (let i = 0; i < task.spanCount; i++, span += SPAN_BYTES / 4) {
    const pages = words[span + 1];
    const end = target + pages * PAGE_BYTES;
    if (words[span] === Span.SLOT) slotPages(context, task, words, span, target, sources);
    else if (words[span] === Span.BASE) base?.(wideAt(words, span + 2), pages, target);
    else repeatWord(bytes, words, span, target, end);
    target = end;
  }
  if (task.isSurveyed) {
    const pages = slabPart(task.slabPtr, "pages");
    surveyPages(context, task.slabPtr, pages, 0, (target - pages) / PAGE_BYTES);
  }
  return {};
}

function slotPages(
  context: TaskContext,
  task: UnfoldTask,
  words: Uint32Array,
  span: number,
  target: number,
  sources: ReferenceSources,
): void {
  const [pages, cluster, item] = [words[span + 1], words[span + 2], words[span + 3]];
  for (let i = 0; i < pages; i++) {
    const page = target + i * PAGE_BYTES;
    if (readSlot(context, task.places, cluster, item + i, page, sources)) continue;
    const reason = `item ${item + i}: it or a reference page is not there`;
    throw new PagefoldError("DAMAGED", `cluster ${cluster}: ${reason}`);
  }
}

function repeatWord(
  bytes: Uint8Array,
  words: Uint32Array,
  span: number,
  target: number,
  end: number,
): void {
  words[target / 4] = words[span + 2];
  words[target / 4 + 1] = words[span + 3];
  for (let filled = target + 8; filled < end; ) {
    const length = Math.min(filled - target, end - filled);
    bytes.copyWithin(filled, target, target + length);
    filled += length;
  }
}
