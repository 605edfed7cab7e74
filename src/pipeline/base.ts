// Learns a base image before anything is packed against it: its pages become known to the scope as
// content that the other side has, and its checksum is taken on the way.
import type { Arena } from "../core/arena.ts";
import { slabPart } from "../core/slab.ts";
import type { Scope } from "../dedup/scope.ts";
import { type Kernels, LOOKUP_INSERTED, NO_ENTRY } from "../kernels/abi.ts";
import type { WorkPool } from "../pool/pool.ts";
import type { AnchorLag } from "./anchorlag.ts";
import { type BatchLog, consecutiveFrames, type FoldSource } from "./batch.ts";
import type { ImageChecksum } from "./imagechecksum.ts";
import { writeOrdinals } from "./match.ts";
import type { SlabPool } from "./slabs.ts";
import { slabFingerprints, surveyInOrder } from "./surveyed.ts";

export interface LearnParts {
  readonly arena: Arena;
  readonly kernels: Kernels;
  readonly pool: WorkPool;
  readonly slabs: SlabPool;
  readonly scope: Scope;
  readonly anchors: AnchorLag;
}

/**
 * Surveys the base and inserts its pages. Returns the table entry of each frame (NO_ENTRY for
 * zero, uniform and unlisted pages) and feeds `checksum` with all fingerprints.
 */
export async function learnBase(
  parts: LearnParts,
  log: BatchLog,
  source: FoldSource & { file: NonNullable<FoldSource["file"]> },
  checksum: ImageChecksum,
  signal?: AbortSignal,
): Promise<Uint32Array> {
  const { arena, scope, anchors } = parts;
  const entryOf = new Uint32Array(source.file.map.frameCount);
  const { fd, map } = source.file;
  const visit = (slabPtr: number, frame: number, pageCount: number): void => {
    checksum.add(slabFingerprints(arena, slabPtr, pageCount));
    const ordinal = log.add(source, consecutiveFrames(frame, pageCount));
    const part = (name: Parameters<typeof slabPart>[1]): number => slabPart(slabPtr, name);
    writeOrdinals(arena, part("places"), ordinal, pageCount);
    scope.lookUp(slabPtr, pageCount);
    const entries = arena.words.subarray(part("entries") / 4, part("entries") / 4 + pageCount);
    entryOf.set(entries, frame);
    for (let page = 0; page < pageCount; page++) {
      if (arena.bytes[part("codes") + page] === LOOKUP_INSERTED) scope.setBase(entries[page]);
    }
    anchors.learn(slabPtr, pageCount, scope.entryCount);
  };
  await surveyInOrder(parts, { name: source.name, fd, map }, visit, signal, anchors.blindView());
  return entryOf;
}

/** Frames of the base beyond its end, and pages without an entry, have none. */
export function baseEntry(entryOf: Uint32Array, frame: number): number | undefined {
  const entry = frame < entryOf.length ? entryOf[frame] : NO_ENTRY;
  return entry === NO_ENTRY ? undefined : entry;
}
