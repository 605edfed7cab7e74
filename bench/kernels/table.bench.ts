// Look-ups in the fingerprint table and the sketch table, in batches as the engine makes them. The
// fingerprints are seeded, not those of the pages: what counts is how far apart they lie.

import { PAGE_BYTES } from "../../src/core/page.ts";
import { NO_ENTRY, SURVEY_ORDINARY, SURVEY_RECORD_BYTES } from "../../src/kernels/abi.ts";
import { seededRandom } from "../../test/support/random.ts";
import type { KernelBench } from "./bench.ts";

const BATCH_PAGES = 256;
const BATCHES = 256;
const COUNT = BATCH_PAGES * BATCHES;
const TABLE_BITS = 16;
/** The sketch table stands behind the fingerprint table. */
const SKETCH_BITS = 14;

interface Layout {
  records: number;
  fingerprints: number;
  entries: number;
  codes: number;
  table: number;
}

function layOut(bytes: Uint8Array, scratchPtr: number): Layout {
  const records = scratchPtr;
  const fingerprints = records + COUNT * SURVEY_RECORD_BYTES;
  const entries = fingerprints + COUNT * 16;
  const codes = entries + COUNT * 4;
  const random = seededRandom(1);
  const words = new Uint32Array(bytes.buffer, records, (codes - records) / 4);
  for (let at = 0; at < words.length; at++) words[at] = random.int(NO_ENTRY);
  for (let page = 0; page < COUNT; page++) {
    words[(page * SURVEY_RECORD_BYTES) / 4] = SURVEY_ORDINARY;
  }
  return { records, fingerprints, entries, codes, table: codes + COUNT };
}

function tableBench(name: string, fresh: boolean): KernelBench {
  return {
    name,
    prepare(kernels, bytes, _pages, scratchPtr) {
      const at = layOut(bytes, scratchPtr);
      const lookUpAll = () => {
        for (let first = 0; first < COUNT; first += BATCH_PAGES) {
          kernels.tableLookup(
            at.table,
            at.records + first * SURVEY_RECORD_BYTES,
            at.fingerprints + first * 16,
            // Any words will do for places.
            at.fingerprints + first * 8,
            BATCH_PAGES,
            at.entries + first * 4,
            at.codes + first,
          );
        }
        return COUNT * PAGE_BYTES;
      };
      kernels.tableInit(at.table, TABLE_BITS, COUNT);
      lookUpAll();
      if (!fresh) return lookUpAll;
      return () => {
        kernels.tableInit(at.table, TABLE_BITS, COUNT);
        return lookUpAll();
      };
    },
  };
}

const sketchBench: KernelBench = {
  name: "sketch table, insert and find",
  prepare(kernels, bytes, _pages, scratchPtr) {
    const at = layOut(bytes, scratchPtr);
    kernels.sketchInit(at.table, SKETCH_BITS);
    const candidates = at.table + kernels.sketchBytes(SKETCH_BITS);
    return () => {
      for (let first = 0; first < COUNT; first += BATCH_PAGES) {
        const records = at.records + first * SURVEY_RECORD_BYTES;
        kernels.sketchLookup(at.table, records, BATCH_PAGES, candidates);
        kernels.sketchInsert(at.table, records, at.entries + first * 4, BATCH_PAGES);
      }
      return COUNT * PAGE_BYTES;
    };
  },
};

export const benches: KernelBench[] = [
  tableBench("fingerprint table, all new", true),
  tableBench("fingerprint table, all known", false),
  sketchBench,
];
