// What the parts of an open store share: its directory, the memory of the last committed epoch as
// a file and as fingerprints, which epochs there are. Names of files; reading pages of a patch.
import type { PagefoldError } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import type { Patch } from "./patch.ts";
import { damaged, type EpochHead, epochName } from "./storeepoch.ts";
import type { StoreFile, StoreFiles } from "./storefiles.ts";
import type { GuestIdentity } from "./storeidentity.ts";
import type { PageHasher, SumTree } from "./storesums.ts";

export const RAM_NAME = "ram";
export const SUMS_NAME = "sums";
/** The memory of a full epoch until it is the memory. */
export const fullName = (epoch: number): string => `ram-${epoch}.full`;

/** Pages that nobody wants are read along where that saves a read. */
const MAX_GAP_FRAMES = 16;
const MAX_GROUP_FRAMES = 256;
/** Reads or writes of the memory file at a time. */
const LANES = 8;

export interface StoreState {
  readonly files: StoreFiles;
  readonly identity: GuestIdentity;
  readonly frameCount: number;
  readonly keepEpochs: number;
  readonly hasher: PageHasher;
  /** Of the memory of `last`, also while the file is not there yet. */
  tree: SumTree;
  ram: StoreFile | undefined;
  last: EpochHead | undefined;
  /** The oldest epoch whose memory can be read. */
  oldest: number;
  /** Whether `last` may not have been written into the memory file completely. */
  isPending: boolean;
  /** Set when only opening it again can tell what is committed. */
  failure: PagefoldError | undefined;
}

/** Epochs that have a file of this kind among `names`. */
export function epochsIn(names: readonly string[], kind: "redo" | "undo"): number[] {
  const epochs: number[] = [];
  for (const name of names) {
    const [, digits] = /^epoch-([1-9]\d{0,15})\.(?:redo|undo)$/.exec(name) ?? [];
    if (digits !== undefined && name === epochName(Number(digits), kind)) {
      epochs.push(Number(digits));
    }
  }
  return epochs.sort((a, b) => a - b);
}

/** The oldest epoch that undo files lead back to from `last`. */
export function oldestIn(names: readonly string[], last: number, keepEpochs: number): number {
  const redo = new Set(epochsIn(names, "redo"));
  const undo = new Set(epochsIn(names, "undo"));
  let oldest = last;
  while (oldest > last - keepEpochs + 1 && undo.has(oldest) && redo.has(oldest - 1)) oldest--;
  return oldest;
}

/** Reads the pages of all entries of a patch, one after another, with few reads. */
export async function pagesOf(
  state: StoreState,
  ram: StoreFile,
  { frames, pageCount }: Pick<Patch, "frames" | "pageCount">,
): Promise<Uint8Array<ArrayBuffer>> {
  const pages = new Uint8Array(pageCount * PAGE_BYTES);
  await sideBySide(groupsOf(frames), async ({ from, to }) => {
    const first = frames[from];
    const group = await readPages(state, ram, first, frames[to - 1] - first + 1);
    for (let i = from; i < to; i++) {
      const start = (frames[i] - first) * PAGE_BYTES;
      pages.set(group.subarray(start, start + PAGE_BYTES), i * PAGE_BYTES);
    }
  });
  return pages;
}

/** Entries [from, to) of a patch that one read can bring. */
function* groupsOf(frames: Uint32Array): Generator<{ from: number; to: number }> {
  for (let from = 0; from < frames.length; ) {
    let to = from + 1;
    while (
      to < frames.length &&
      frames[to] - frames[to - 1] <= MAX_GAP_FRAMES &&
      frames[to] - frames[from] < MAX_GROUP_FRAMES
    ) {
      to++;
    }
    yield { from, to };
    from = to;
  }
}

/** Does something with each of many, a few at a time; ends when all have ended. */
export async function sideBySide<T>(
  items: Iterable<T>,
  action: (item: T) => Promise<void>,
): Promise<void> {
  const shared = items[Symbol.iterator]();
  const lane = async (): Promise<void> => {
    for (let next = shared.next(); !next.done; next = shared.next()) await action(next.value);
  };
  const ends = await Promise.allSettled(Array.from({ length: LANES }, lane));
  const failed = ends.find((end) => end.status === "rejected");
  if (failed) throw failed.reason;
}

export async function readPages(
  { files }: Pick<StoreState, "files">,
  ram: StoreFile,
  frame: number,
  count: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const pages = new Uint8Array(count * PAGE_BYTES);
  const start = frame * PAGE_BYTES;
  const there = await ram.read(pages, start);
  if (there < pages.length) {
    throw damaged(`${files.path}/${RAM_NAME}`, start + there, start + pages.length, "are missing");
  }
  return pages;
}

/** The memory file is not what its fingerprints say, from `frame` on for `count` frames. */
export function damagedPages({ files }: StoreState, frame: number, count: number): Error {
  const path = `${files.path}/${RAM_NAME}`;
  const what = "are not what was written";
  return damaged(path, frame * PAGE_BYTES, (frame + count) * PAGE_BYTES, what);
}
