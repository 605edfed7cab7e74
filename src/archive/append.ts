// An archive that grows: what it holds is made known to the session, new batches follow its
// committed end, and one superblock makes them count.
import { type FileHandle, open } from "node:fs/promises";
import { PagefoldError, reasonOf } from "../core/errors.ts";
import type { SealKey } from "../core/seal.ts";
import { BATCH_PAGES, slabPart } from "../core/slab.ts";
import { NO_ORDINAL, type Scope } from "../dedup/scope.ts";
import { takeLock } from "../image/process/lock.ts";
import {
  FINGERPRINT_BYTES,
  LOOKUP_INSERTED,
  SURVEY_ORDINARY,
  SURVEY_RECORD_BYTES,
} from "../kernels/abi.ts";
import type { EngineResources } from "../pipeline/resources.ts";
import type { ArchiveState } from "../wire/superblock.ts";
import { fileSink } from "./bytesink.ts";
import { type FileAccess, openFileAccess } from "./bytesource.ts";
import { commitState } from "./commit.ts";
import type { Destination } from "./destination.ts";
import type { DirectoryIndex } from "./index.ts";
import { type OpenedIndex, openIndex } from "./openindex.ts";

/** Opens the archive at `path` as a destination. Nothing of it changes before the commit. */
export async function openAppend(
  resources: EngineResources,
  path: string,
  names: readonly string[],
  { key, signal }: { key?: SealKey | undefined; signal?: AbortSignal | undefined },
): Promise<Destination> {
  const lock = await takeLock(path, `${path}.lock`, "is appending");
  let handle: FileHandle | undefined;
  let access: FileAccess | undefined;
  // The index is read lazily, so what it is read from stays open until the end.
  const release = async (): Promise<void> => {
    await handle?.close();
    await access?.close();
    await lock.release();
  };
  try {
    access = await openFileAccess(path);
    const opened = await openIndex(access, path, signal, key);
    const { index } = opened;
    refuseKnownNames(index, path, names);
    handle = await open(path, "r+").catch((error) => {
      throw new PagefoldError("OUTPUT", `${path}: ${reasonOf(error)}`, { cause: error });
    });
    return await appendTo(resources, path, handle, opened, release);
  } catch (error) {
    await release();
    throw error;
  }
}

function refuseKnownNames(index: DirectoryIndex, path: string, names: readonly string[]): void {
  const known = new Set(index.images.map(({ head }) => head.name));
  const twice = names.find((name) => known.has(name));
  if (twice === undefined) return;
  throw new PagefoldError("OUTPUT", `${path}: has an image "${twice}" already`);
}

async function appendTo(
  resources: EngineResources,
  path: string,
  handle: FileHandle,
  { index, seal }: OpenedIndex,
  release: () => Promise<void>,
): Promise<Destination> {
  const { fd } = handle;
  const { checksum } = resources;
  const { state, directory } = index;
  // A piped archive is valid by the footer at its end, which new batches would hide.
  const begun = state.generation === 0 ? { ...state, generation: 1 } : state;
  if (begun !== state) await commitState(fd, path, begun, checksum, seal);
  let pageCount = 0;
  for await (const { fingerprints } of index.contents()) {
    pageCount += fingerprints.length / FINGERPRINT_BYTES;
  }
  let validLength = state.committedLength;
  return {
    sink: fileSink(fd, path),
    clusterFd: fd,
    generation: begun.generation + 1,
    start: { byteOffset: state.committedLength, generation: begun.generation, directory },
    seal,
    pageCount,
    learn: (session) => learnContents(resources, session.scope, index, fd),
    async commit(committed: ArchiveState) {
      await commitState(fd, path, committed, checksum, seal);
      validLength = committed.committedLength;
    },
    async discard() {
      // What lies behind the valid end is ignored, but need not take room.
      await handle.truncate(validLength).catch(() => undefined);
      await release();
    },
  };
}

/** Makes all stored pages of the archive known, by fingerprint and slot. */
async function learnContents(
  resources: EngineResources,
  scope: Scope,
  index: DirectoryIndex,
  fd: number,
): Promise<void> {
  const learner = new ContentsLearner(resources, scope);
  try {
    for await (const { firstCluster, places, fingerprints } of index.contents()) {
      let item = 0;
      for (const [i, place] of places.entries()) {
        const cluster = firstCluster + i;
        scope.setPlace(cluster, place.byteOffset, place.byteLength, fd);
        const end = item + place.itemCount;
        const own = fingerprints.subarray(item * FINGERPRINT_BYTES, end * FINGERPRINT_BYTES);
        learner.cluster(cluster, own, place.isDeltas);
        item = end;
      }
    }
  } finally {
    learner.close();
  }
}

/** Inserts the items of clusters into the table, through the parts of one slab. */
class ContentsLearner {
  private readonly resources: EngineResources;
  private readonly scope: Scope;
  private readonly region;

  constructor(resources: EngineResources, scope: Scope) {
    const { arena } = resources;
    this.resources = resources;
    this.scope = scope;
    this.region = arena.reserve(slabPart(0, "plan"), "contents of an archive");
    const { ptr } = this.region;
    const [low, high] = [NO_ORDINAL % 2 ** 32, Math.floor(NO_ORDINAL / 2 ** 32)];
    for (let page = 0; page < BATCH_PAGES; page++) {
      const record = slabPart(ptr, "records") + page * SURVEY_RECORD_BYTES;
      arena.view.setUint32(record, SURVEY_ORDINARY, true);
      arena.view.setUint32(slabPart(ptr, "places") + page * 8, low, true);
      arena.view.setUint32(slabPart(ptr, "places") + page * 8 + 4, high, true);
    }
  }

  cluster(cluster: number, fingerprints: Uint8Array, isDeltas: boolean): void {
    const { arena } = this.resources;
    const { ptr } = this.region;
    const part = (name: Parameters<typeof slabPart>[1]): number => slabPart(ptr, name);
    const count = fingerprints.length / FINGERPRINT_BYTES;
    arena.bytes.set(fingerprints, part("fingerprints"));
    this.scope.lookUp(ptr, count);
    for (let item = 0; item < count; item++) {
      if (arena.bytes[part("codes") + item] !== LOOKUP_INSERTED) continue;
      const entry = arena.view.getUint32(part("entries") + item * 4, true);
      this.scope.setSlot(entry, cluster, item, isDeltas);
    }
  }

  close(): void {
    this.resources.arena.release(this.region);
  }
}
