// Inserting the anchors of pages, and finding the pages that share some, in batches as the engine
// makes them. The anchors are those of the pages: how many of them are alike decides what is found.

import { PAGE_BYTES } from "../../src/core/page.ts";
import {
  ANCHORS_MAX,
  FINGERPRINT_BYTES,
  type Kernels,
  SURVEY_RECORD_BYTES,
} from "../../src/kernels/abi.ts";
import type { BenchPages, KernelBench } from "./bench.ts";

const BATCH_PAGES = 512;
const BATCH_ANCHORS_BYTES = BATCH_PAGES * ANCHORS_MAX * 4;
/** Those of the default level. */
const SAMPLE_BITS = 4;
const MIN_VOTES = 3;
const CANDIDATES = 3;
const VOTES_BYTES = 1024;

interface Layout {
  anchors: number;
  counts: number;
  entries: number;
  votes: number;
  candidates: number;
  table: number;
  bits: number;
}

/** Puts the anchors of all pages behind `scratchPtr`, and an entry of its own for each page. */
function layOut(
  kernels: Kernels,
  bytes: Uint8Array,
  { ptr, count }: BenchPages,
  scratchPtr: number,
): Layout {
  const batches = Math.ceil(count / BATCH_PAGES);
  const anchors = scratchPtr;
  const counts = anchors + batches * BATCH_ANCHORS_BYTES;
  const entries = Math.ceil((counts + count) / 64) * 64;
  const candidates = entries + count * 4;
  const votes = candidates + count * CANDIDATES * 4;
  const table = Math.ceil((votes + VOTES_BYTES) / 64) * 64;
  // Records and fingerprints are needed once; the table takes their place.
  const fingerprints = table + count * SURVEY_RECORD_BYTES;
  kernels.survey(ptr, count, table, fingerprints);
  const entryOf = new Uint32Array(bytes.buffer, entries, count);
  for (let page = 0; page < count; page++) entryOf[page] = page;
  let held = 0;
  for (let batch = 0; batch < batches; batch++) {
    const first = batch * BATCH_PAGES;
    held += kernels.anchorPages(
      table + first * SURVEY_RECORD_BYTES,
      ptr + first * PAGE_BYTES,
      Math.min(BATCH_PAGES, count - first),
      anchors + batch * BATCH_ANCHORS_BYTES,
      counts + first,
      SAMPLE_BITS,
    );
  }
  bytes.fill(0, table, fingerprints + count * FINGERPRINT_BYTES);
  // A segment is full when three of four places are taken.
  const bits = Math.max(12, Math.ceil(Math.log2((held * 4) / 3)));
  return { anchors, counts, entries, votes, candidates, table, bits };
}

function tableBench(name: string, isInsert: boolean): KernelBench {
  return {
    name,
    prepare(kernels, bytes, pages, scratchPtr) {
      const at = layOut(kernels, bytes, pages, scratchPtr);
      const insertAll = () => {
        kernels.anchorInit(at.table, at.bits);
        for (let first = 0, batch = 0; first < pages.count; first += BATCH_PAGES, batch++) {
          kernels.anchorInsert(
            at.table,
            at.anchors + batch * BATCH_ANCHORS_BYTES,
            at.counts + first,
            at.entries + first * 4,
            Math.min(BATCH_PAGES, pages.count - first),
          );
        }
        return pages.count * PAGE_BYTES;
      };
      if (isInsert) return insertAll;
      insertAll();
      return () => {
        for (let first = 0, batch = 0; first < pages.count; first += BATCH_PAGES, batch++) {
          kernels.anchorLookup(
            at.table,
            0,
            // A batch sees what was there before it.
            first,
            MIN_VOTES,
            at.anchors + batch * BATCH_ANCHORS_BYTES,
            at.counts + first,
            Math.min(BATCH_PAGES, pages.count - first),
            at.votes,
            at.candidates + first * CANDIDATES * 4,
          );
        }
        return pages.count * PAGE_BYTES;
      };
    },
  };
}

export const benches: KernelBench[] = [
  tableBench("anchor table, clear and insert", true),
  tableBench("anchor table, find", false),
];
