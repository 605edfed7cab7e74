// Both ends of a replication as a service: the primary of a QEMU guest, the backup that keeps its
// epochs in a directory, and the guest that is resumed from there.
import { PagefoldError, reasonOf } from "../core/errors.ts";
import { openQmp } from "../qemu/qmp.ts";
import { CheckpointBackup, type StoredEpoch } from "../replication/backup.ts";
import type { CaptureKind } from "../replication/devicestate.ts";
import { GuestCapture } from "../replication/guestcapture.ts";
import { OutputFilters } from "../replication/outputfilters.ts";
import { CheckpointPrimary, type EpochReport } from "../replication/primary.ts";
import { type ResumeFile, resumeFiles, resumeInto, writeRamFile } from "../replication/resume.ts";
import { resumeStream } from "../replication/resumestream.ts";
import { ReplicaStore } from "../replication/store.ts";
import type { EpochHead } from "../replication/storeepoch.ts";
import { parseAddress, refuseUnprotected } from "../transport/address.ts";
import { connect } from "../transport/connect.ts";
import { listen } from "../transport/listen.ts";
import { loadTlsIdentity } from "../transport/tlsfiles.ts";

/** How both ends reach each other. */
export interface ReplicateOptions {
  /** The backup, or where it waits: "HOST:PORT" or "unix:PATH". */
  readonly address: string;
  /** Folder with certificates as QEMU's x509 credentials have it; without, the link is plain. */
  readonly tlsDirectory?: string | undefined;
  /** Allow plain TCP beyond this machine: the network itself protects the guest's memory. */
  readonly insecure?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told of what a user should know while it goes on, one line each. */
  readonly onNotice?: ((message: string) => void) | undefined;
}

export interface PrimaryServiceOptions extends ReplicateOptions {
  /** Unix socket of the guest's monitor (QMP). */
  readonly qmpPath: string;
  /** From the begin of one epoch to that of the next, at least, in ms. */
  readonly intervalMs: number;
  /** Default: "auto", which is "precopy" where that is sound, else "snapshot" and a notice. */
  readonly capture?: CaptureKind | "auto" | undefined;
  readonly granularity?: "block" | "page" | undefined;
  /** Somebody else sees to it that disks and memory belong together. */
  readonly allowWritableDisks?: boolean | undefined;
  /** Network backends whose output is held until the epoch that knows of it is durable. */
  readonly holdOutput?: readonly string[] | undefined;
  /** Let output go while the backup is lost; what it has may be behind then. */
  readonly unprotect?: boolean | undefined;
  readonly onEpoch?: ((report: EpochReport) => void) | undefined;
}

/** Replicates until `signal` aborts; the guest runs on. USAGE, CONNECTION (its monitor). */
export async function replicatePrimary(options: PrimaryServiceOptions): Promise<void> {
  const { signal, onNotice, capture: kind, allowWritableDisks, holdOutput = [] } = options;
  if (options.unprotect && holdOutput.length === 0) {
    throw new PagefoldError("USAGE", "--unprotect is for output that is held: name --hold-output");
  }
  const { address, tls } = await placeOf("--connect", options);
  const qmp = await openQmp(options.qmpPath, signal ? { signal } : {});
  try {
    await using source = await GuestCapture.open(qmp, { kind, allowWritableDisks });
    const { precopyFault } = source;
    if (precopyFault !== undefined) onNotice?.(`captured by snapshot: ${precopyFault}`);
    using output = await OutputFilters.open(qmp, holdOutput);
    const primary = new CheckpointPrimary({
      source,
      intervalMs: options.intervalMs,
      granularity: options.granularity,
      output: holdOutput.length > 0 ? output : undefined,
      unprotect: options.unprotect,
      connect: () => connect(address, { ...tls, ...(signal ? { signal } : {}) }),
      onEpoch: options.onEpoch,
      onLost: onNotice,
    });
    await primary.run(signal);
  } finally {
    qmp.close();
  }
}

export interface BackupServiceOptions extends ReplicateOptions {
  /** One directory for one guest; it is made if need be. */
  readonly directory: string;
  /** Epochs whose memory can be read, the last one included: 2 or more. Default: 2. */
  readonly keepEpochs?: number | undefined;
  readonly onListening?: ((place: string) => void) | undefined;
  readonly onEpoch?: ((epoch: StoredEpoch) => void) | undefined;
}

/** Serves one primary after another until `signal` aborts. USAGE, OUTPUT. */
export async function replicateBackup(options: BackupServiceOptions): Promise<void> {
  const { signal, onNotice, directory, keepEpochs, onEpoch } = options;
  const { address, tls } = await placeOf("--listen", options);
  const onRefused = (reason: Error): void => onNotice?.(reason.message);
  const listener = await listen(address, { ...tls, onRefused });
  try {
    options.onListening?.(options.address);
    const keep = keepEpochs === undefined ? {} : { keepEpochs };
    const backup = new CheckpointBackup({
      open: (identity) => ReplicaStore.open(directory, { identity, ...keep }),
      onEpoch,
    });
    while (!signal?.aborted) {
      const connection = await listener.accept(signal);
      const onAbort = (): void => connection.destroy(new Error("the backup was ended"));
      signal?.addEventListener("abort", onAbort, { once: true });
      await backup.serve(connection).catch((error: unknown) => {
        if (!signal?.aborted) onNotice?.(reasonOf(error));
      });
      signal?.removeEventListener("abort", onAbort);
    }
  } finally {
    await listener.close();
  }
}

/** Where the other side is or will come from, and what proves who we are. */
async function placeOf(flag: "--connect" | "--listen", options: ReplicateOptions) {
  const { tlsDirectory, insecure = false } = options;
  const address = parseAddress(options.address);
  refuseUnprotected(flag, address, { tls: tlsDirectory !== undefined, insecure });
  if (tlsDirectory === undefined) return { address, tls: {} };
  const tls = await loadTlsIdentity(tlsDirectory, flag === "--connect" ? "client" : "server");
  return { address, tls: { tls } };
}

export interface ResumeOptions {
  readonly directory: string;
  /** Unix socket where a QEMU of the same machine waits (-incoming). */
  readonly incomingPath: string;
  /** Default: the last committed one. */
  readonly epoch?: number | undefined;
  /** Where the file of the guest's RAM goes, for one that was captured from a shared file. */
  readonly ramFile?: string | undefined;
  /** Resume also what the world may have heard more of. Default: false. */
  readonly allowBehind?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ResumeReport {
  readonly epoch: number;
  /** When its epoch was captured: milliseconds since 1970. */
  readonly timeMs: number;
  /** Files of RAM that were written. */
  readonly ramFiles: readonly string[];
}

/** Brings the guest back from a kept epoch into a QEMU that waits for it. */
export async function resumeReplica(options: ResumeOptions): Promise<ResumeReport> {
  const { directory, incomingPath, ramFile, signal } = options;
  await using store = await ReplicaStore.open(directory);
  const { last, identity } = store;
  if (!last) throw new PagefoldError("INPUT", `${directory}: no epoch was committed yet`);
  await using reader = await store.read(options.epoch ?? last.epoch);
  if (!options.allowBehind) refuseBehind(reader.head, last.epoch);
  const deviceState = await reader.deviceState();
  const ramFiles = placed(resumeFiles(identity, deviceState), ramFile);
  const { epoch, timeMs } = reader.head;
  await store.resuming(epoch, async () => {
    for (const file of ramFiles) await writeRamFile(file, reader, signal);
    await resumeInto(incomingPath, resumeStream(identity, deviceState, reader, signal), signal);
  });
  return { epoch, timeMs, ramFiles: ramFiles.map(({ path }) => path) };
}

/** Whoever had output held wants no guest back that the world is ahead of. */
function refuseBehind({ epoch, output }: EpochHead, lastEpoch: number): void {
  if (output === "free" || (output === "held" && epoch === lastEpoch)) return;
  const reason =
    output === "held"
      ? `what epochs up to ${lastEpoch} have sent has left`
      : "its output was not held all the time, or need not be held without a backup";
  const way = "--allow-behind resumes it nevertheless";
  throw new PagefoldError("USAGE", `epoch ${epoch} may be behind the world: ${reason}: ${way}`);
}

function placed(files: readonly ResumeFile[], ramFile: string | undefined): readonly ResumeFile[] {
  if (ramFile === undefined) return files;
  if (files.length !== 1) {
    const reason = `the guest has ${files.length} files of RAM, --ram-file names one`;
    throw new PagefoldError("USAGE", reason);
  }
  return [{ ...files[0], path: ramFile }];
}
