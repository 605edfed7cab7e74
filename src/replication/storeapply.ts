// Writes a committed epoch into the memory file: first the undo, durable, then the blocks. All of
// it may be done again, from the start, after it was cut off anywhere.
import { PAGE_BYTES } from "../core/page.ts";
import { FINGERPRINT_BYTES } from "../kernels/abi.ts";
import { applyPatch, PatchWriter } from "./patch.ts";
import { EpochFileReader, EpochFileWriter, type EpochHead, epochName } from "./storeepoch.ts";
import type { StoreFile } from "./storefiles.ts";
import {
  epochsIn,
  fullName,
  oldestIn,
  pagesOf,
  RAM_NAME,
  type StoreState,
  SUMS_NAME,
  sideBySide,
} from "./storestate.ts";

/** Frames whose fingerprints fill one piece of the file of them. */
const PIECE_FRAMES = PAGE_BYTES / FINGERPRINT_BYTES;

/** Old pages that are held from making the undo to writing the memory: 16 MiB. */
const MAX_HELD_PATCHES = 4;

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
      const isUndoThere = (await files.list()).includes(epochName(last.epoch, "undo"));
      const held = isUndoThere ? [] : await writeUndo(state, ram, redo, last);
      await writeSums(state, await writeBlocks(state, ram, redo, held));
    } finally {
      await redo.close();
    }
  }
  state.isPending = false;
  await prune(state);
}

/** Resolves with the old pages of the first patches, so that they need not be read again. */
async function writeUndo(
  state: StoreState,
  ram: StoreFile,
  redo: EpochFileReader,
  last: EpochHead,
): Promise<Uint8Array[]> {
  const { files, frameCount } = state;
  const before = await EpochFileReader.open(files, last.epoch - 1, "redo");
  await before.close();
  const undo = await EpochFileWriter.create(files, epochName(last.epoch, "undo"));
  const held: Uint8Array[] = [];
  try {
    const old = new PatchWriter();
    for await (const { patch } of redo.patches(frameCount)) {
      const pages = await pagesOf(state, ram, patch);
      for (const [i, frame] of patch.frames.entries()) {
        old.add(frame, patch.masks[2 * i], patch.masks[2 * i + 1], pages, i * PAGE_BYTES);
      }
      await undo.add(old.take(), patch);
      if (held.length < MAX_HELD_PATCHES) held.push(pages);
    }
    const { checksum, timeMs } = before.head;
    const { epoch } = last;
    const head = { kind: "undo", isFull: false, epoch, timeMs, checksum, output: "free" } as const;
    await undo.seal(head, new Uint8Array(0));
    return held;
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
  held: readonly Uint8Array[],
): Promise<Set<number>> {
  const pieces = new Set<number>();
  let index = 0;
  for await (const { patch } of redo.patches(state.frameCount)) {
    const pages = held[index++] ?? (await pagesOf(state, ram, patch));
    applyPatch(patch, pages);
    await sideBySide(runsOf(patch.frames), async ({ from, to }) => {
      const run = pages.subarray(from * PAGE_BYTES, to * PAGE_BYTES);
      await ram.write(run, patch.frames[from] * PAGE_BYTES);
    });
    for (const frame of patch.frames) pieces.add(Math.floor(frame / PIECE_FRAMES));
  }
  await ram.sync();
  return pieces;
}

/** Entries [from, to) of a list of numbers that follow one another. */
function* runsOf(numbers: ArrayLike<number>): Generator<{ from: number; to: number }> {
  for (let from = 0; from < numbers.length; ) {
    let to = from + 1;
    while (to < numbers.length && numbers[to] === numbers[to - 1] + 1) to++;
    yield { from, to };
    from = to;
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
    const sorted = [...pieces].sort((a, b) => a - b);
    for (const { from, to } of runsOf(sorted)) {
      const [start, end] = [sorted[from] * PAGE_BYTES, (sorted[to - 1] + 1) * PAGE_BYTES];
      await file.write(tree.leaves.subarray(start, end), start);
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
