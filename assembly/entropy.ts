// How varied the bytes of a page are: the Shannon entropy of their histogram. It knows nothing of
// their order, so it says what an entropy coder alone could save, not what a compressor can.
import { ENTROPY_PER_BIT, PAGE_BYTES, SURVEY_RECORD_BYTES, SURVEY_ZERO } from "./layout";

/** Four histograms of u16: neighbours are often equal, and must not wait for each other's store. */
// @ts-ignore: decorator
@inline const HISTOGRAM_BYTES: usize = 512;
/** The table holds c × log2(c) × 2^16, for c up to the bytes of a page. */
// @ts-ignore: decorator
@inline const TABLE_BITS: u32 = 16;
/** log2 of the bytes of a page. */
// @ts-ignore: decorator
@inline const PAGE_BITS: u32 = 12;

/**
 * Writes the entropy of each page, u16 in ENTROPY_PER_BIT of a bit: 0 to 8 bits. The table has a
 * u32 for each count of a byte, 0–4096; the scratch has ENTROPY_SCRATCH_BYTES.
 */
export function entropyPages(
  pagesPtr: usize,
  recordsPtr: usize,
  pageCount: u32,
  tablePtr: usize,
  scratchPtr: usize,
  outPtr: usize,
): void {
  memory.fill(scratchPtr, 0, 4 * HISTOGRAM_BYTES);
  for (let page: u32 = 0; page < pageCount; page++) {
    const isZero = load<u32>(recordsPtr) == SURVEY_ZERO;
    store<u16>(outPtr, isZero ? 0 : entropyOf(pagesPtr, tablePtr, scratchPtr));
    pagesPtr += PAGE_BYTES;
    recordsPtr += SURVEY_RECORD_BYTES;
    outPtr += 2;
  }
}

/** Leaves the histograms empty, as it found them. */
function entropyOf(page: usize, tablePtr: usize, scratchPtr: usize): u16 {
  for (const end = page + PAGE_BYTES; page < end; page += 8) {
    const word = load<u64>(page);
    count(scratchPtr, word, 0);
    count(scratchPtr + HISTOGRAM_BYTES, word, 8);
    count(scratchPtr + 2 * HISTOGRAM_BYTES, word, 16);
    count(scratchPtr + 3 * HISTOGRAM_BYTES, word, 24);
    count(scratchPtr, word, 32);
    count(scratchPtr + HISTOGRAM_BYTES, word, 40);
    count(scratchPtr + 2 * HISTOGRAM_BYTES, word, 48);
    count(scratchPtr + 3 * HISTOGRAM_BYTES, word, 56);
  }
  addHistograms(scratchPtr);
  let sum: u32 = 0;
  for (const end = scratchPtr + HISTOGRAM_BYTES; scratchPtr < end; scratchPtr += 8) {
    const counts = load<u64>(scratchPtr);
    store<u64>(scratchPtr, 0);
    sum += load<u32>(tablePtr + <usize>((counts & 0xffff) << 2));
    sum += load<u32>(tablePtr + <usize>(((counts >> 16) & 0xffff) << 2));
    sum += load<u32>(tablePtr + <usize>(((counts >> 32) & 0xffff) << 2));
    sum += load<u32>(tablePtr + <usize>((counts >> 48) << 2));
  }
  // H = log2(n) − Σ c log2(c) / n, with n = 4096 = ENTROPY_PER_BIT: the division is done.
  return <u16>(PAGE_BITS * ENTROPY_PER_BIT - ((sum + (1 << (TABLE_BITS - 1))) >> TABLE_BITS));
}

/** Adds all histograms to the first one and empties the others. */
function addHistograms(ptr: usize): void {
  const none = i64x2(0, 0);
  for (const end = ptr + HISTOGRAM_BYTES; ptr < end; ptr += 16) {
    const ab = i16x8.add(v128.load(ptr), v128.load(ptr, HISTOGRAM_BYTES));
    const second = v128.load(ptr, 2 * HISTOGRAM_BYTES);
    const cd = i16x8.add(second, v128.load(ptr, 3 * HISTOGRAM_BYTES));
    v128.store(ptr, i16x8.add(ab, cd));
    v128.store(ptr, none, HISTOGRAM_BYTES);
    v128.store(ptr, none, 2 * HISTOGRAM_BYTES);
    v128.store(ptr, none, 3 * HISTOGRAM_BYTES);
  }
}

// @ts-ignore: decorator
@inline
function count(histogram: usize, word: u64, shift: u64): void {
  const at = histogram + <usize>(((word >> shift) & 0xff) << 1);
  store<u16>(at, load<u16>(at) + 1);
}
