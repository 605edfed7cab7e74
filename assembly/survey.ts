// The first look at a page, while it is in the cache: zero, uniform or ordinary, its fingerprint,
// and the sketch of an ordinary one. It knows no other page; table.ts and match decide.
import { fingerprintPage } from "./fingerprint";
import { FINGERPRINT_BYTES, PAGE_BYTES, SURVEY_RECORD_BYTES } from "./layout";
import { SURVEY_ORDINARY, SURVEY_UNIFORM, SURVEY_ZERO } from "./layout";
import { sketchPage } from "./sketch";
import { isUniformPage, isZeroPage } from "./zero";

/** Fills one survey record and one fingerprint per page. Returns the ordinary pages. */
export function survey(
  pagesPtr: usize,
  pageCount: u32,
  recordsPtr: usize,
  fingerprintsPtr: usize,
): u32 {
  let ordinary: u32 = 0;
  for (let i: u32 = 0; i < pageCount; i++) {
    if (isZeroPage(pagesPtr)) {
      writeRecord(recordsPtr, SURVEY_ZERO, 0);
      // XXH3-128 of 4096 zeros.
      store<u64>(fingerprintsPtr, 0x93d76fe148c689ba);
      store<u64>(fingerprintsPtr, 0x3ee8dc4f9e7ee495, 8);
    } else {
      fingerprintPage(pagesPtr, fingerprintsPtr);
      if (isUniformPage(pagesPtr)) {
        writeRecord(recordsPtr, SURVEY_UNIFORM, load<u64>(pagesPtr));
      } else {
        store<u64>(recordsPtr, SURVEY_ORDINARY);
        store<u64>(recordsPtr, 0, 8);
        sketchPage(pagesPtr, recordsPtr + 16);
        ordinary++;
      }
    }
    pagesPtr += PAGE_BYTES;
    recordsPtr += SURVEY_RECORD_BYTES;
    fingerprintsPtr += FINGERPRINT_BYTES;
  }
  return ordinary;
}

/** A record without a sketch. The kind's upper half is the zero word behind it. */
function writeRecord(recordPtr: usize, kind: u64, word: u64): void {
  store<u64>(recordPtr, kind);
  store<u64>(recordPtr, word, 8);
  v128.store(recordPtr, i64x2(0, 0), 16);
}
