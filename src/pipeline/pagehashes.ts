// 64 bits that stand for the content of each page of a surveyed slab: for proofs that two sides have
// the same. They find accidents; who looks for collisions finds them.
import type { Arena } from "../core/arena.ts";
import { slabPart } from "../core/slab.ts";
import { FINGERPRINT_BYTES, SURVEY_ORDINARY, SURVEY_RECORD_BYTES } from "../kernels/abi.ts";

/** Keeps uniform pages apart from fingerprints that happen to be the same. */
const UNIFORM_LOW = 0x9e37_79b9;
const UNIFORM_HIGH = 0x85eb_ca6b;

/** Writes two words for each page, the low one first. */
export function readPageHashes(
  { words }: Arena,
  slabPtr: number,
  pageCount: number,
  into: Uint32Array,
): void {
  let record = slabPart(slabPtr, "records") / 4;
  let fingerprint = slabPart(slabPtr, "fingerprints") / 4;
  for (let page = 0; page < pageCount; page++) {
    const isOrdinary = words[record] === SURVEY_ORDINARY;
    into[page * 2] = isOrdinary ? words[fingerprint] : words[record + 2] ^ UNIFORM_LOW;
    into[page * 2 + 1] = isOrdinary ? words[fingerprint + 1] : words[record + 3] ^ UNIFORM_HIGH;
    record += SURVEY_RECORD_BYTES / 4;
    fingerprint += FINGERPRINT_BYTES / 4;
  }
}
