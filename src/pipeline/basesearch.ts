// Finds the frames of a base that hold what is new in changed pages, wherever it stands there: a
// second pass over the base, for windows of 24 bytes. What it finds are candidates for deltas.
import type { Arena } from "../core/arena.ts";
import { slabPart } from "../core/slab.ts";
import { type Kernels, NO_ENTRY } from "../kernels/abi.ts";
import type { WorkPool } from "../pool/pool.ts";
import { FILTER_BYTES, FOUND_BYTES } from "../pool/searchtask.ts";
import { type FrameList, listedFrames } from "./batch.ts";
import { inputError } from "./inputerror.ts";
import type { SlabPool } from "./slabs.ts";
import { inOrder, readList, type SurveyedFile } from "./surveyed.ts";

const MIN_BITS = 10;
const MAX_BITS = 20;
/** Part of all memory that the table may take. */
const TABLE_SHARE = 1 / 64;
/** Frames that are named for one page, and windows that one of them must have of it. */
const MAX_FOUND = 2;
const MIN_WINDOWS = 1;

export interface SearchParts {
  readonly arena: Arena;
  readonly kernels: Kernels;
  readonly pool: WorkPool;
  readonly slabs: SlabPool;
}

/**
 * For each list of windows (hashes) those of `frames`, which rise, that have most of them, best
 * first. Lists that would fill the table are left out.
 */
export async function searchBase(
  { arena, kernels, pool, slabs }: SearchParts,
  base: SurveyedFile,
  frames: Uint32Array,
  windows: readonly Uint32Array[],
  signal: AbortSignal | undefined,
): Promise<number[][]> {
  const wanted = windows.reduce((sum, { length }) => sum + length, 0);
  if (wanted === 0) return [];
  const roomBits = Math.floor(Math.log2((arena.bytes.length * TABLE_SHARE) / 8));
  const wantedBits = Math.max(Math.ceil(Math.log2(wanted)) + 1, MIN_BITS);
  const bits = Math.min(wantedBits, MAX_BITS, roomBits);
  const kept = windows.slice(0, listsWithin(windows, 2 ** (bits - 1)));
  const tableBytes = 2 ** bits * 8;
  const listBytes = kept.reduce((sum, { length }) => sum + length, 0) * 4;
  const region = arena.reserve(tableBytes + FILTER_BYTES + 2 * listBytes, "windows of changes");
  try {
    const tablePtr = region.ptr;
    const filterPtr = tablePtr + tableBytes;
    const hashes = filterPtr + FILTER_BYTES;
    const places = hashes + listBytes;
    arena.bytes.fill(0, tablePtr, hashes);
    let end = hashes / 4;
    for (const list of kept) {
      arena.words.set(list, end);
      end += list.length;
    }
    kernels.insertWindows(tablePtr, bits, filterPtr, hashes, listBytes / 4, places);
    const note = (slabPtr: number, count: number): void =>
      noteFound(arena, tablePtr, slabPart(slabPtr, "pages"), count);
    const listed = (first: number, count: number): FrameList =>
      listedFrames(frames.subarray(first, first + count));
    await inOrder(
      slabs,
      frames.length,
      async (slabPtr, first, pageCount) => {
        const runs = readList(base.map, listed(first, pageCount));
        const table = { tablePtr, bits, filterPtr };
        const task = { kind: "search", slabPtr, pageCount, first, fd: base.fd, runs } as const;
        const { foundCount, fault } = await pool.run({ ...task, ...table });
        if (fault) throw inputError(base.name, fault);
        return foundCount;
      },
      (slabPtr, _first, _pageCount, foundCount) => note(slabPtr, foundCount),
      signal,
    );
    const found = votes(arena, tablePtr, places, kept);
    return found.map((list) => list.map((index) => frames[index]));
  } finally {
    arena.release(region);
  }
}

/** How many lists, from the first one on, have at most `limit` windows together. */
function listsWithin(windows: readonly Uint32Array[], limit: number): number {
  let count = 0;
  for (let sum = 0; count < windows.length; count++) {
    sum += windows[count].length;
    if (sum > limit) break;
  }
  return count;
}

/** The first frame that has a window stays; frames are told by their place in the list. */
function noteFound({ words }: Arena, tablePtr: number, foundPtr: number, count: number): void {
  for (let at = foundPtr / 4; at < foundPtr / 4 + count * (FOUND_BYTES / 4); at += 2) {
    const frame = tablePtr / 4 + words[at] * 2 + 1;
    if (words[at + 1] < words[frame]) words[frame] = words[at + 1];
  }
}

function votes(
  { words }: Arena,
  tablePtr: number,
  placesPtr: number,
  windows: readonly Uint32Array[],
): number[][] {
  let at = placesPtr / 4;
  return windows.map(({ length }) => {
    const counts = new Map<number, number>();
    for (let i = 0; i < length; i++) {
      const frame = words[tablePtr / 4 + words[at++] * 2 + 1];
      if (frame !== NO_ENTRY) counts.set(frame, (counts.get(frame) ?? 0) + 1);
    }
    const found = [...counts].filter(([, count]) => count >= MIN_WINDOWS);
    found.sort(([a, m], [b, n]) => n - m || a - b);
    return found.slice(0, MAX_FOUND).map(([frame]) => frame);
  });
}
