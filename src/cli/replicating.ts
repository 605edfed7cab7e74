// What pagefold replicate does: a line or an object for every epoch, tables, and the guest that is
// brought back.
import {
  openQmp,
  releaseGuest,
  releaseOutput,
  replicaStatus,
  replicateBackup,
  replicatePrimary,
  resumeReplica,
} from "../index.ts";
import { formatBytes, formatCount, formatDuration, formatTime } from "./format.ts";
import { interrupt } from "./interrupt.ts";
import { note, print } from "./streams.ts";
import { formatTable } from "./table.ts";
import { printJson } from "./work.ts";

interface LinkWords {
  tlsDir?: string;
  insecure?: boolean;
  quiet?: boolean;
  progress: "auto" | "json" | "none";
}

interface PrimaryWords extends LinkWords {
  qmp: string;
  connect: string;
  interval: number;
  capture: "auto" | "precopy" | "snapshot" | "shared";
  granularity: "block" | "page";
  diskConsistency?: "external";
  holdOutput?: string[];
  unprotect?: boolean;
}

interface BackupWords extends LinkWords {
  listen: string;
  dir: string;
  keep: number;
}

interface ResumeWords {
  incoming: string;
  epoch?: number;
  ramFile?: string;
  allowBehind?: boolean;
  json?: boolean;
}

/** How a user hears of epochs and notices: lines, or objects of JSON. */
function tellerOf({ progress, quiet }: LinkWords, end: "primary" | "backup") {
  const isJson = progress === "json";
  const verb = `replicate ${end}`;
  return {
    notice(message: string): void {
      note(isJson ? JSON.stringify({ schema: "pagefold/notice/1", verb, message }) : message);
    },
    epoch(epoch: object & { epoch: number }, line: string): void {
      if (isJson) note(JSON.stringify({ schema: "pagefold/replicate-epoch/1", end, ...epoch }));
      else if (progress === "auto" && !quiet) note(`epoch ${epoch.epoch}: ${line}`);
    },
  };
}

/** What both ends are told alike. */
function linkOf({ tlsDir, insecure }: LinkWords, { notice }: ReturnType<typeof tellerOf>) {
  return { tlsDirectory: tlsDir, insecure, signal: interrupt.signal, onNotice: notice };
}

export async function runPrimary(words: PrimaryWords): Promise<void> {
  const teller = tellerOf(words, "primary");
  await replicatePrimary({
    qmpPath: words.qmp,
    ...linkOf(words, teller),
    address: words.connect,
    intervalMs: words.interval,
    capture: words.capture,
    granularity: words.granularity,
    allowWritableDisks: words.diskConsistency === "external",
    holdOutput: words.holdOutput,
    unprotect: words.unprotect,
    onEpoch(report) {
      const { isFull, pageCount, wireBytes, pauseMs, commitMs } = report;
      const what = isFull ? "whole memory, " : "";
      const times = `paused ${formatDuration(pauseMs)}, durable after ${formatDuration(commitMs)}`;
      const size = `${formatCount(pageCount, "page")}, ${formatBytes(wireBytes)}`;
      teller.epoch(report, `${what}${size}, ${times}`);
    },
  });
  interrupt.signal.throwIfAborted();
}

export async function runBackup(words: BackupWords): Promise<void> {
  const teller = tellerOf(words, "backup");
  await replicateBackup({
    ...linkOf(words, teller),
    address: words.listen,
    directory: words.dir,
    keepEpochs: words.keep,
    onListening: (place) => {
      if (!words.quiet) teller.notice(`waiting at ${place}`);
    },
    onEpoch(stored) {
      const { pageCount, wireBytes } = stored;
      teller.epoch(stored, `${formatCount(pageCount, "page")}, ${formatBytes(wireBytes)}`);
    },
  });
  interrupt.signal.throwIfAborted();
}

export async function runStatus(directory: string, { json }: { json?: boolean }): Promise<void> {
  const { identity, epochs, storedBytes, isResumed } = await replicaStatus(directory);
  const { machine, qemuVersion, ramBlocks } = identity;
  const ramBytes = ramBlocks.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const kept = epochs.map(({ epoch, timeMs, durableMs, isFull, output, ...head }) => {
    const ageMs = Math.max(0, Date.now() - timeMs);
    const lagMs = Math.max(0, Math.round(durableMs - timeMs));
    const byteLength = head.chunkBytes + head.deviceBytes;
    const { pageCount } = head;
    return { epoch, timeMs, ageMs, lagMs, isFull, output, pageCount, byteLength };
  });
  if (json) {
    await printJson("replica-status", {
      machine,
      qemuVersion,
      ramBytes,
      storedBytes,
      isResumed,
      epochs: kept,
    });
    return;
  }
  await print(`${machine}, QEMU ${qemuVersion}, ${formatBytes(ramBytes)} of memory\n`);
  const columns = ["epoch", "captured", "age", "lag", "output", "pages", "size"].map((title, i) => {
    return { title, align: i === 1 || i === 4 ? "left" : "right" } as const;
  });
  const rows = kept.map(({ epoch, timeMs, ageMs, lagMs, output, pageCount, byteLength }) => [
    String(epoch),
    formatTime(timeMs),
    formatDuration(ageMs),
    formatDuration(lagMs),
    output,
    String(pageCount),
    formatBytes(byteLength),
  ]);
  await print(formatTable(columns, rows));
  const count = formatCount(kept.length, "epoch");
  const resumed = isResumed ? ", a guest was resumed from it" : "";
  await print(`${count}, ${formatBytes(storedBytes)} on disk${resumed}\n`);
}

export async function runResume(directory: string, words: ResumeWords): Promise<void> {
  const { incoming: incomingPath, json, epoch, ramFile, allowBehind } = words;
  const { signal } = interrupt;
  const what = { directory, incomingPath, epoch, ramFile, allowBehind, signal };
  const report = await resumeReplica(what);
  if (json) await printJson("replica-resume", report);
  else note(`resumed epoch ${report.epoch} of ${formatTime(report.timeMs)}`);
}

export async function runRelease({ qmp: path }: { qmp: string }): Promise<void> {
  const qmp = await openQmp(path, { signal: interrupt.signal });
  try {
    const { wasCaptured, wasStopped } = await releaseGuest(qmp);
    const netdevs = await releaseOutput(qmp);
    if (wasCaptured) note(wasStopped ? "released: it goes on" : "released: it had gone on");
    if (netdevs.length > 0) note(`released: what it has sent to ${netdevs.join(", ")}`);
    if (wasCaptured || netdevs.length > 0) return;
    note("nothing to release: pagefold neither captured it nor held its output");
  } finally {
    qmp.close();
  }
}
