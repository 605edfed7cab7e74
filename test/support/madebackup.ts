// A backup in this process, for a primary of a test: every connection goes into one directory.
import { type BackupOptions, CheckpointBackup } from "../../src/replication/backup.ts";
import { ReplicaStore } from "../../src/replication/store.ts";
import type { Connection } from "../../src/transport/connection.ts";
import { loopbackPair } from "../../src/transport/loopback.ts";

/** Serves every connection that the primary makes, into one directory. */
export class MadeBackup {
  readonly folder: string;
  readonly endings: string[] = [];
  /** Its side of the connection that there is. */
  connection: Connection | undefined;
  private serving: Promise<unknown> = Promise.resolve();
  private readonly backup: CheckpointBackup;

  constructor(folder: string, more: Partial<BackupOptions> = {}) {
    this.folder = folder;
    const open: BackupOptions["open"] = (identity) => ReplicaStore.open(folder, { identity });
    this.backup = new CheckpointBackup({ open, ...more });
  }

  readonly connect = async (): Promise<Connection> => {
    await this.serving;
    const [left, connection] = loopbackPair();
    this.connection = connection;
    this.serving = this.backup
      .serve(connection)
      .catch((error: Error) => this.endings.push(error.message));
    return left;
  };

  /** Resolves when nobody writes to the directory. */
  async ended(): Promise<void> {
    await this.serving;
  }

  /** Memory of the last epoch. */
  async memory(frameCount: number): Promise<{ epoch: number; memory: Uint8Array }> {
    await this.serving;
    await using store = await ReplicaStore.open(this.folder);
    const epoch = store.last?.epoch ?? 0;
    await using reader = await store.read(epoch);
    const memory = new Uint8Array(frameCount * 4096);
    await reader.read(0, frameCount, memory);
    return { epoch, memory };
  }
}
