// What a replica's directory holds, told without its lock, so that a person can ask while it grows.
import type { PagefoldError } from "../core/errors.ts";
import { EpochFileReader, type EpochHead, epochName } from "./storeepoch.ts";
import { directoryFiles, type StoreFiles, withReasons } from "./storefiles.ts";
import type { GuestIdentity } from "./storeidentity.ts";
import { existingGuest } from "./storerecover.ts";
import { isResumed } from "./storeresumed.ts";
import { epochsIn, oldestIn } from "./storestate.ts";

export interface KeptEpoch extends EpochHead {
  /** When it was durable: milliseconds since 1970, by the clock of the backup. */
  readonly durableMs: number;
}

export interface ReplicaStatus {
  readonly identity: GuestIdentity;
  /** The last committed epoch; undefined before the first. */
  readonly last: KeptEpoch | undefined;
  /** Kept epochs, the oldest first. */
  readonly epochs: readonly KeptEpoch[];
  /** What the files take on the disk. */
  readonly storedBytes: number;
  /** Whether a guest was brought back from it. */
  readonly isResumed: boolean;
}

/** A writer renames and removes files while we look. */
const TRIES = 5;

/** Reads heads of files only, so what it says is what was committed, not that it is intact. */
export async function replicaStatus(
  directory: string,
  files: StoreFiles = directoryFiles(directory),
): Promise<ReplicaStatus> {
  const named = withReasons(files);
  const identity = await existingGuest(named);
  for (let tries = 1; ; tries++) {
    try {
      return { identity, ...(await look(named)) };
    } catch (error) {
      if (tries === TRIES || !isMissing(error)) throw error;
    }
  }
}

async function look(files: StoreFiles): Promise<Omit<ReplicaStatus, "identity">> {
  const names = await files.list();
  let storedBytes = 0;
  const changedMs = new Map<string, number>();
  for (const name of names) {
    const file = await files.open(name, "read");
    const size = await file.size();
    await file.close();
    storedBytes += size.storedBytes;
    changedMs.set(name, size.changedMs);
  }
  const newest = epochsIn(names, "redo").at(-1);
  const epochs: KeptEpoch[] = [];
  if (newest !== undefined) {
    const oldest = oldestIn(names, newest, Number.POSITIVE_INFINITY);
    for (let epoch = oldest; epoch <= newest; epoch++) {
      const redo = await EpochFileReader.open(files, epoch, "redo");
      await redo.close();
      // A redo is written once, and counts as soon as it is there.
      epochs.push({ ...redo.head, durableMs: changedMs.get(epochName(epoch, "redo")) ?? 0 });
    }
  }
  return { last: epochs.at(-1), epochs, storedBytes, isResumed: await isResumed(files) };
}

function isMissing(error: unknown): boolean {
  const { cause } = error as PagefoldError;
  return (cause as NodeJS.ErrnoException | undefined)?.code === "ENOENT";
}
