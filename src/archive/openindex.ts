// From the bytes of an archive to its index. `openIndex` takes the index that the archive carries
// or fails; `recoverIndex` makes do with what is left.
import type { RandomAccess } from "../api.ts";
import { PagefoldError } from "../core/errors.ts";
import type { SealKey } from "../core/seal.ts";
import { loadChecksum } from "../wire/checksum.ts";
import type { ArchiveSeal } from "../wire/seal.ts";
import { type ArchiveState, STREAM_HEAD_BYTES } from "../wire/superblock.ts";
import { DirectoryIndex } from "./index.ts";
import { IndexBatches } from "./indexbatches.ts";
import { openHead, openState } from "./open.ts";
import { RecoveringIndex } from "./recover.ts";

export interface OpenedIndex {
  readonly index: DirectoryIndex;
  /** Of a sealed archive. */
  readonly seal: ArchiveSeal | undefined;
  /** Damage that does not matter for reading, one line each. */
  readonly faults: string[];
}

/** The index that an archive carries; `name` stands before messages. KEY when it is sealed. */
export async function openIndex(
  access: RandomAccess,
  name: string,
  signal?: AbortSignal,
  key?: SealKey,
): Promise<OpenedIndex> {
  const checksum = await loadChecksum();
  const head = await openHead(access, name, checksum, key, signal);
  const { state, tail, faults } = await openState(access, name, head, checksum, signal);
  const { seal } = head;
  try {
    const batches = new IndexBatches(access, tail, checksum, seal);
    return { index: await DirectoryIndex.load(state, batches, signal), seal, faults };
  } catch (error) {
    if (!(error instanceof PagefoldError)) throw error;
    throw new PagefoldError(error.code, `${name}: ${error.message}`, { cause: error });
  }
}

export interface RecoveredIndex {
  readonly index: RecoveringIndex;
  readonly seal: ArchiveSeal | undefined;
  /** Undefined when neither superblocks nor footer tell it. */
  readonly state: ArchiveState | undefined;
  /** Bytes that belong to the archive: committed, or all there are. */
  readonly byteLength: number;
}

/**
 * An index of whatever is intact: parts that are damaged, or all of it, are rebuilt from the
 * batches. `onFault` is told of every fault, now and later, in one line each. Throws FORMAT for a
 * foreign file, KEY, and where reading fails.
 */
export async function recoverIndex(
  access: RandomAccess,
  name: string,
  onFault: (fault: string) => void,
  signal?: AbortSignal,
  key?: SealKey,
): Promise<RecoveredIndex> {
  const checksum = await loadChecksum();
  const head = await openHead(access, name, checksum, key, signal);
  const { seal } = head;
  const opened = await unlessDamaged(onFault, () =>
    openState(access, name, head, checksum, signal),
  );
  for (const fault of opened?.faults ?? []) onFault(fault);
  const batches = opened && new IndexBatches(access, opened.tail, checksum, seal);
  const own =
    batches &&
    (await unlessDamaged(onFault, () => DirectoryIndex.load(opened.state, batches, signal)));
  const byteLength = opened?.state.committedLength ?? Math.max(access.size, STREAM_HEAD_BYTES);
  const source = { access, end: byteLength, checksum, seal, signal };
  const index = await RecoveringIndex.open(own, source, onFault);
  return { index, seal, state: opened?.state, byteLength };
}

async function unlessDamaged<T>(
  onFault: (fault: string) => void,
  action: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof PagefoldError && error.code === "DAMAGED")) throw error;
    onFault(error.message);
    return undefined;
  }
}
