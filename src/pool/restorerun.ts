// What a restore has to do, in shared memory: the main thread writes runs of pages, workers carry
// them out and note which ones are restored. A run, as words (u32):
//    0  what it is made of, a `Source`       1  pages
//    2  cluster, 3 item (SLOT) · 2, 3 frame of the base (BASE) · 2, 3 the word (WORD)
//    4  descriptor of its file, or NO_FILE   5  bytes that belong there
//    6, 7  byte offset there                 8  address of its fingerprints
//    9  1 when it is restored
export const RUN_WORDS = 10;
export const RESTORE_RUN_BYTES = RUN_WORDS * 4;

/** What the pages of a run are made of. */
export const Source = { SLOT: 1, BASE: 2, WORD: 3 } as const;
/** Pages are fingerprinted and not written. */
export const NO_FILE = 0xffff_ffff;

/** Runs in the order in which they are restored, those of one cluster together. */
export interface RunPlan {
  /** Index of the first word of each run, in order (u32). */
  readonly orderPtr: number;
  readonly runCount: number;
  /** For each cluster, the place of its first run in the order (u32). */
  readonly firstsPtr: number;
}

/** The u64 at `index`, which is less than 2^53. */
export function wideAt(words: Uint32Array, index: number): number {
  return words[index] + words[index + 1] * 2 ** 32;
}

export function setWide(words: Uint32Array, index: number, value: number): void {
  words[index] = value % 2 ** 32;
  words[index + 1] = Math.floor(value / 2 ** 32);
}
