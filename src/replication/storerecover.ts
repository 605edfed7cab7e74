// Opens the directory of a replica after whatever happened to it: finds the last committed epoch
// and the fingerprints of its memory. It writes no memory, and removes what was never finished.

import { PagefoldError } from "../core/errors.ts";
import { FINGERPRINT_BYTES } from "../kernels/abi.ts";
import { applyPatch } from "./patch.ts";
import { damaged, EpochFileReader, epochName, TEMPORARY } from "./storeepoch.ts";
import type { StoreFile, StoreFiles } from "./storefiles.ts";
import { GUEST_NAME, readGuest, refuseOther, writeGuest } from "./storeguest.ts";
import type { GuestIdentity } from "./storeidentity.ts";
import { ramBytesOf } from "./storeidentity.ts";
import {
  damagedPages,
  epochsIn,
  fullName,
  oldestIn,
  pagesOf,
  RAM_NAME,
  readPages,
  type StoreState,
  SUMS_NAME,
} from "./storestate.ts";

const PIECE_FRAMES = 256;

/** Whose directory it is; one that is empty becomes that of `wanted`. */
export async function guestOf(
  files: StoreFiles,
  wanted: GuestIdentity | undefined,
): Promise<GuestIdentity> {
  const kept = await readGuest(files);
  if (kept) {
    if (wanted) refuseOther(files.path, kept, wanted);
    return kept;
  }
  if (!wanted) throw new PagefoldError("INPUT", `${files.path}: holds no replica of a guest`);
  const foreign = (await files.list()).find((name) => !/^lock|\.tmp$/.test(name));
  if (foreign !== undefined) {
    const reason = `is not empty (${foreign}) and holds no replica`;
    throw new PagefoldError("OUTPUT", `${files.path}: ${reason}`);
  }
  await writeGuest(files, wanted);
  return wanted;
}

/** Fills in `last`, `ram`, `tree` and `oldest`. What is committed may still have to be applied. */
export async function recover(state: StoreState): Promise<void> {
  const { files } = state;
  const names = await files.list();
  const last = epochsIn(names, "redo").at(-1);
  for (const name of names) {
    const isFull = /^ram-\d+\.full$/.test(name);
    const isNeeded =
      last !== undefined && name === fullName(last) && (await isFullEpoch(files, last));
    if (name.endsWith(TEMPORARY) || (isFull && !isNeeded)) await files.remove(name);
  }
  if (last === undefined) return removeMemory(files, names);
  const redo = await EpochFileReader.open(files, last, "redo");
  try {
    state.last = redo.head;
    state.oldest = redo.head.isFull ? last : oldestIn(names, last, state.keepEpochs);
    state.isPending = true;
    const isNew = redo.head.isFull && names.includes(fullName(last));
    state.ram = await openRam(state, isNew ? fullName(last) : RAM_NAME);
    await findSums(state, state.ram, redo);
  } finally {
    await redo.close();
  }
}

async function isFullEpoch(files: StoreFiles, epoch: number): Promise<boolean> {
  const redo = await EpochFileReader.open(files, epoch, "redo");
  await redo.close();
  return redo.head.isFull;
}

/** Without an epoch there is nothing that a memory could be of. */
async function removeMemory(files: StoreFiles, names: readonly string[]): Promise<void> {
  const undo = epochsIn(names, "undo").map((epoch) => epochName(epoch, "undo"));
  for (const name of [RAM_NAME, SUMS_NAME, ...undo]) {
    if (names.includes(name)) await files.remove(name);
  }
}

async function openRam(state: StoreState, name: string): Promise<StoreFile> {
  const ram = await state.files.open(name, "change");
  const { byteLength } = await ram.size();
  const wanted = ramBytesOf(state.identity);
  if (byteLength === wanted) return ram;
  await ram.close();
  const path = `${state.files.path}/${name}`;
  if (byteLength > wanted) throw damaged(path, wanted, byteLength, "are too many");
  throw damaged(path, byteLength, wanted, "are missing");
}

/** The fingerprints as they were kept, or else of the whole memory; DAMAGED when neither fits. */
async function findSums(state: StoreState, ram: StoreFile, redo: EpochFileReader): Promise<void> {
  const { tree } = state;
  const kept = await readSums(state);
  let before: Uint8Array | undefined;
  if (kept) {
    tree.set(0, kept);
    // Only those of the last epoch itself can tell which pages are wrong.
    if (Buffer.compare(tree.checksum(), redo.head.checksum) === 0) before = kept;
    if (await leadsToLast(state, ram, redo)) return;
  }
  for (let frame = 0; frame < state.frameCount; frame += PIECE_FRAMES) {
    const count = Math.min(PIECE_FRAMES, state.frameCount - frame);
    tree.set(frame, state.hasher.fingerprints(await readPages(state, ram, frame, count)));
  }
  if (await leadsToLast(state, ram, redo)) return;
  const [from, to] = differing(state, before);
  throw damagedPages(state, from, to - from);
}

/** Whether the memory, with the last epoch applied, is what that epoch says it is. */
async function leadsToLast(
  state: StoreState,
  ram: StoreFile,
  redo: EpochFileReader,
): Promise<boolean> {
  const { tree, hasher, frameCount } = state;
  for await (const { patch } of redo.patches(frameCount)) {
    const pages = await pagesOf(state, ram, patch);
    applyPatch(patch, pages);
    const sums = hasher.fingerprints(pages);
    for (const [i, frame] of patch.frames.entries()) {
      tree.set(frame, sums.subarray(i * FINGERPRINT_BYTES, (i + 1) * FINGERPRINT_BYTES));
    }
  }
  return Buffer.compare(tree.checksum(), redo.head.checksum) === 0;
}

async function readSums({ files, tree, frameCount }: StoreState): Promise<Uint8Array | undefined> {
  if (!(await files.list()).includes(SUMS_NAME)) return undefined;
  const file = await files.open(SUMS_NAME, "read");
  try {
    if ((await file.size()).byteLength !== tree.leaves.length) return undefined;
    const sums = new Uint8Array(frameCount * FINGERPRINT_BYTES);
    await file.read(sums, 0);
    return sums;
  } finally {
    await file.close();
  }
}

/** The first run of frames whose pages are not what was known of them; all when nothing was. */
function differing({ tree, frameCount }: StoreState, before: Uint8Array | undefined) {
  let from = 0;
  if (before) while (from < frameCount && tree.has(from, before, from)) from++;
  if (!before || from === frameCount) return [0, frameCount];
  let to = from + 1;
  while (to < frameCount && !tree.has(to, before, to)) to++;
  return [from, to];
}

/** For `status`, which takes no lock: whose directory it is, with nothing made or changed. */
export async function existingGuest(files: StoreFiles): Promise<GuestIdentity> {
  const guest = await readGuest(files);
  if (guest) return guest;
  throw new PagefoldError("INPUT", `${files.path}: holds no replica of a guest (${GUEST_NAME})`);
}
