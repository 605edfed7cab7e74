// What inspecting finds in surveyed pages: counts them by kind and makes new ones findable, by
// their content and by their sketches. It believes fingerprints; nothing is stored anywhere.
//
//   findings   u32 zero | u32 uniform | u32 duplicates inside | u32 duplicates across images
//              u32 similar | u32 distinct (the similar ones are among them)
import {
  LOOKUP_FOUND,
  LOOKUP_NONE,
  NO_ENTRY,
  SKETCH_CANDIDATES,
  SURVEY_RECORD_BYTES,
  SURVEY_ZERO,
} from "./layout";
import { sketchInsert, sketchLookup } from "./sketchtable";
import { tableEntry, tableLookup } from "./table";

// @ts-ignore: decorator
@inline const ZERO: usize = 0;
// @ts-ignore: decorator
@inline const UNIFORM: usize = 4;
// @ts-ignore: decorator
@inline const INSIDE: usize = 8;
// @ts-ignore: decorator
@inline const ACROSS: usize = 12;
// @ts-ignore: decorator
@inline const SIMILAR: usize = 16;
// @ts-ignore: decorator
@inline const DISTINCT: usize = 20;
/** Where the place stands in a table entry: here it is the number of the image that brought it. */
// @ts-ignore: decorator
@inline const PLACE: usize = 16;

/** Adds what is found in the pages of image number `image` to the findings. */
export function inspectPages(
  tablePtr: usize,
  sketchPtr: usize,
  recordsPtr: usize,
  fingerprintsPtr: usize,
  pageCount: u32,
  image: u32,
  placesPtr: usize,
  entriesPtr: usize,
  codesPtr: usize,
  similarPtr: usize,
  findingsPtr: usize,
): void {
  for (let page: u32 = 0; page < pageCount; page++) store<u64>(placesPtr + page * 8, image);
  tableLookup(
    tablePtr,
    recordsPtr,
    fingerprintsPtr,
    placesPtr,
    pageCount,
    entriesPtr,
    codesPtr,
  );
  for (let page: u32 = 0; page < pageCount; page++) {
    const record = recordsPtr + page * SURVEY_RECORD_BYTES;
    const entry = entriesPtr + page * 4;
    const code = <u32>load<u8>(codesPtr + page);
    if (code == LOOKUP_NONE) {
      count(findingsPtr + (load<u32>(record) == SURVEY_ZERO ? ZERO : UNIFORM));
    } else if (code == LOOKUP_FOUND) {
      const owner = load<u32>(tableEntry(tablePtr, load<u32>(entry)), PLACE);
      count(findingsPtr + (owner == image ? INSIDE : ACROSS));
    } else {
      const similar = similarPtr + page * (SKETCH_CANDIDATES * 4);
      sketchLookup(sketchPtr, record, 1, similar);
      if (load<u32>(similar) != NO_ENTRY) count(findingsPtr + SIMILAR);
      count(findingsPtr + DISTINCT);
      sketchInsert(sketchPtr, record, entry, 1);
    }
  }
}

// @ts-ignore: decorator
@inline
function count(ptr: usize): void {
  store<u32>(ptr, load<u32>(ptr) + 1);
}
