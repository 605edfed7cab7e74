// Writes a committed epoch into the memory file: first the undo, durable, then the blocks. All of
// it may be done again, from the start, after it was cut off anywhere.
import { PAGE_BYTES } from "../core/page.ts";
import { FINGERPRINT_BYTES } from "../kernels/abi.ts";
import { applyPage, type Patch, PatchWriter } from "./patch.ts";
import { EpochFileReader, EpochFileWriter, type EpochHead, epochName } from "./storeepoch.ts";
import type { StoreFile } from "./storefiles.ts";
import {
  epochsIn,
  fullName,
  oldestIn,
  type PageGroup,
  pagesOf,
  RAM_NAME,
  type StoreState,
  SUMS_NAME,
} from "./storestate.ts";

/** Frames whose fingerprints fill one piece of the file of them. */
const PIECE_FRAMES = PAGE_BYTES / FINGERPRINT_BYTES;

/** Brings the memory file to the last committed epoch, and removes what is no longer kept. */
export async function applyLast(state: StoreState): Promise<void> {
  const { last, ram, files } = state;
  if (!last || !ram) return;
  if (last.isFull) {
    if ((await files.list()).includes(fullName(last.epoch))) {
      await files.rename(fullName(last.epoch), RAM_NAME);
      await files.sync();
    }
    await writeSums(state, undefined);
  } else {
    const redo = await EpochFileReader.open(files, last.epoch, "redo");
    try {
      // An undo that is there was finished before the first block was written. What could be made
      // now would be of memory that is neither the old nor the new.
      if (!(await files.list()).includes(epochName(last.epoch, "undo"))) {
        await writeUndo(state, ram, redo, last);
      }
      await writeSums(state, await writeBlocks(state, ram, redo));
    } finally {
      await redo.close();
    }
  }
  state.isPending = false;
  await prune(state);
}

async function writeUndo(
  state: StoreState,
  ram: StoreFile,
  redo: EpochFileReader,
  last: EpochHead,
): Promise<void> {
  const { files, frameCount } = state;
  const before = await EpochFileReader.open(files, last.epoch - 1, "redo");
  await before.close();
  const undo = await EpochFileWriter.create(files, epochName(last.epoch, "undo"));
  try {
    const old = new PatchWriter();
    for await (const { patch } of redo.patches(frameCount)) {
      for await (const { from, to, firstFrame, pages } of pagesOf(state, ram, patch)) {
        for (let i = from; i < to; i++) {
          const [low, high] = patch.masks.subarray(2 * i, 2 * i + 2);
          const at = (patch.frames[i] - firstFrame) * PAGE_BYTES;
          old.add(patch.frames[i], low, high, pages, at);
        }
      }
      await undo.add(old.take(), patch);
    }
    const { checksum, timeMs } = before.head;
    const head = { kind: "undo", isFull: false, epoch: last.epoch, timeMs, checksum } as const;
    await undo.seal(head, new Uint8Array(0));
  } catch (error) {
    await undo.discard();
    throw error;
  }
}

/** Resolves with the pieces of the fingerprints that changed. */
async function writeBlocks(
  state: StoreState,
  ram: StoreFile,
  redo: EpochFileReader,
): Promise<Set<number>> {
  const pieces = new Set<number>();
  for await (const { patch } of redo.patches(state.frameCount)) {
    for await (const group of pagesOf(state, ram, patch)) {
      applyGroup(patch, group);
      await writeGroup(ram, patch, group);
    }
    for (const frame of patch.frames) pieces.add(Math.floor(frame / PIECE_FRAMES));
  }
  await ram.sync();
  return pieces;
}

/** Puts the blocks of a patch into the pages of a group. */
export function applyGroup(patch: Patch, { from, to, firstFrame, pages }: PageGroup): void {
  for (let i = from; i < to; i++) {
    applyPage(patch, i, pages, (patch.frames[i] - firstFrame) * PAGE_BYTES);
  }
}

/** Writes the pages that the patch names; the others of the group stay holes if they are. */
async function writeGroup(ram: StoreFile, patch: Patch, group: PageGroup): Promise<void> {
  const { from, to, firstFrame, pages } = group;
  for (let i = from; i < to; ) {
    const first = patch.frames[i];
    let end = first;
    while (i < to && patch.frames[i] === end) {
      i++;
      end++;
    }
    const start = (first - firstFrame) * PAGE_BYTES;
    const run = pages.subarray(start, start + (end - first) * PAGE_BYTES);
    await ram.write(run, first * PAGE_BYTES);
  }
}

/**
 * Writes pieces of the fingerprints, or all. Nothing waits for the disk here: whoever reads them
 * compares with the checksum of the epoch, and makes them anew from the memory if need be.
 */
async function writeSums(state: StoreState, pieces: Set<number> | undefined): Promise<void> {
  const { files, tree } = state;
  const isThere = (await files.list()).includes(SUMS_NAME);
  const file = await files.open(SUMS_NAME, isThere ? "change" : "create");
  try {
    const { byteLength } = await file.size();
    if (!pieces || byteLength !== tree.leaves.length) {
      await file.truncate(tree.leaves.length);
      await file.write(tree.leaves, 0);
      return;
    }
    for (const piece of pieces) {
      const start = piece * PAGE_BYTES;
      await file.write(tree.leaves.subarray(start, start + PAGE_BYTES), start);
    }
  } finally {
    await file.close();
  }
}

/** Removes the files of epochs that are no longer kept. */
async function prune(state: StoreState): Promise<void> {
  const { files, last, keepEpochs } = state;
  if (!last) return;
  const names = await files.list();
  state.oldest = oldestIn(names, last.epoch, keepEpochs);
  for (const epoch of epochsIn(names, "undo")) {
    if (epoch <= state.oldest) await files.remove(epochName(epoch, "undo"));
  }
  for (const epoch of epochsIn(names, "redo")) {
    if (epoch < state.oldest) await files.remove(epochName(epoch, "redo"));
  }
}
