// Where a stream of batches ends up: a new file, somebody's stream, or (append.ts) an archive that
// grows. Whatever happens, `discard` leaves nothing half written.
import type { PackOutput } from "../api.ts";
import { keyObject, type SealKey } from "../core/seal.ts";
import { SparseFile } from "../image/sparsefile.ts";
import type { Checksum } from "../wire/checksum.ts";
import { ArchiveSeal } from "../wire/seal.ts";
import type { ArchiveState } from "../wire/superblock.ts";
import { type ByteSink, fileSink, streamSink } from "./bytesink.ts";
import { commitState } from "./commit.ts";
import type { FoldSession } from "./fold.ts";
import type { WriterStart } from "./writer.ts";

export interface Destination {
  readonly sink: ByteSink;
  /** From where clusters can be read back; undefined if they cannot. */
  readonly clusterFd: number | undefined;
  readonly generation: number;
  readonly start: WriterStart | undefined;
  /** With what it is sealed. */
  readonly seal: ArchiveSeal | undefined;
  /** Pages that are stored there already. */
  readonly pageCount: number;
  /** Makes what is stored there known to a new session. */
  learn(session: FoldSession): Promise<void>;
  commit(state: ArchiveState): Promise<void>;
  discard(): Promise<void>;
}

export async function openDestination(
  output: PackOutput,
  checksum: Checksum,
  key: SealKey | undefined,
): Promise<Destination> {
  const seal = key && ArchiveSeal.create(keyObject(key));
  const nothing = { start: undefined, pageCount: 0, seal, learn: async () => undefined };
  if ("write" in output) {
    return {
      ...nothing,
      sink: streamSink((bytes) => output.write(bytes)),
      clusterFd: undefined,
      generation: 0,
      commit: async () => undefined,
      discard: async () => undefined,
    };
  }
  const file = await SparseFile.create(output.path, { force: output.force ?? false });
  return {
    ...nothing,
    sink: fileSink(file.fd, output.path),
    clusterFd: file.fd,
    generation: 1,
    async commit(state) {
      await commitState(file.fd, output.path, state, checksum, seal);
      await file.commit(state.committedLength);
    },
    discard: () => file.discard(),
  };
}
