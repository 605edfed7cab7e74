// The first look at a page, while it is in the cache: zero, uniform or ordinary, its fingerprint,
// and the sketch of an ordinary one. It knows no other page; table.ts and match decide.
import { addColumn, fingerprintPage, ROUND_BYTES, ROUNDS } from "./fingerprint";
import { startOfColumn, storeFingerprint } from "./fingerprint";
import { BLOCK_BYTES, FINGERPRINT_BYTES, PAGE_BYTES, SURVEY_RECORD_BYTES } from "./layout";
import { SURVEY_ORDINARY, SURVEY_UNIFORM, SURVEY_ZERO } from "./layout";
import { firstPlaces, hashBlocks, nextPlaces, orderBlocks, storeSketch } from "./sketch";
import { isUniformPage, isZeroPage } from "./zero";

/** Where the sketch stands in a survey record. */
// @ts-ignore: decorator
@inline const SKETCH: usize = 16;

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
    } else if (isUniformPage(pagesPtr)) {
      writeRecord(recordsPtr, SURVEY_UNIFORM, load<u64>(pagesPtr));
      fingerprintPage(pagesPtr, fingerprintsPtr);
    } else {
      writeRecord(recordsPtr, SURVEY_ORDINARY, 0);
      surveyOrdinaryPage(pagesPtr, recordsPtr + SKETCH, fingerprintsPtr);
      ordinary++;
    }
    pagesPtr += PAGE_BYTES;
    recordsPtr += SURVEY_RECORD_BYTES;
    fingerprintsPtr += FINGERPRINT_BYTES;
  }
  return ordinary;
}

/**
 * Fingerprint and sketch in one loop. One after the other, memory would idle while the sketch reads
 * the page again from the cache: together they are a tenth faster.
 */
function surveyOrdinaryPage(page: usize, sketchPtr: usize, fingerprintPtr: usize): void {
  let acc0 = startOfColumn(0);
  let acc1 = startOfColumn(1);
  let acc2 = startOfColumn(2);
  let acc3 = startOfColumn(3);
  let max0 = i32x4(0, 0, 0, 0);
  let max1 = max0;
  let max2 = max0;
  let max3 = max0;
  let places = firstPlaces();
  for (let round = 0; round < ROUNDS; round++) {
    acc0 = addColumn(acc0, page, 0, round);
    acc1 = addColumn(acc1, page, 1, round);
    acc2 = addColumn(acc2, page, 2, round);
    acc3 = addColumn(acc3, page, 3, round);
    for (const end = page + ROUND_BYTES; page < end; page += 4 * BLOCK_BYTES) {
      const hashes = hashBlocks(page);
      max0 = i32x4.max_u(max0, orderBlocks(hashes, places, 0));
      max1 = i32x4.max_u(max1, orderBlocks(hashes, places, 1));
      max2 = i32x4.max_u(max2, orderBlocks(hashes, places, 2));
      max3 = i32x4.max_u(max3, orderBlocks(hashes, places, 3));
      places = nextPlaces(places);
    }
  }
  storeFingerprint(fingerprintPtr, acc0, acc1, acc2, acc3);
  storeSketch(sketchPtr, max0, max1, max2, max3);
}

/** A record without a sketch. The kind's upper half is the zero word behind it. */
function writeRecord(recordPtr: usize, kind: u64, word: u64): void {
  store<u64>(recordPtr, kind);
  store<u64>(recordPtr, word, 8);
  v128.store(recordPtr, i64x2(0, 0), 16);
}
