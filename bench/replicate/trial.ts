// One turn of a setting: the guest works for itself, then replicated, then its host dies and the
// guest goes on at the backup, from where it is replicated the other way the next time.
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Failover } from "../../scripts/vm/failover.ts";
import type { Gang, Workload } from "../../scripts/vm/gang.ts";
import { sentBytes } from "../../scripts/vm/link.ts";
import {
  addressOf,
  type Replicator,
  startBackup,
  startPrimary,
} from "../../scripts/vm/replicator.ts";
import { usageOf } from "../../scripts/vm/usage.ts";
import type { EpochReport } from "../../src/index.ts";
import { BeatWatch } from "./beats.ts";
import type { ClientReport } from "./client.ts";
import type { Capture, Granularity, Output } from "./options.ts";
import { OutsideClient } from "./outsideclient.ts";

export interface Setting {
  capture: Capture;
  intervalMs: number;
  granularity: Granularity;
  output: Output;
}

export interface Trial extends Setting {
  workload: Workload;
  round: number;
  report?: TrialReport;
  /** Why it did not come to its end. */
  failure?: string;
}

/** What a process took in a second, as a part of one processor. */
interface Load {
  primary: number;
  backup: number;
  qemu: number;
}

export interface TrialReport {
  /** Those that were durable in the time measured; the first one, a whole memory, was before it. */
  epochs: readonly EpochReport[];
  measuredMs: number;
  /** Over the link from the primary, headers included. */
  linkBytes: number;
  operationsPerSecond: number | undefined;
  /** Of the same guest just before, when nothing replicated it. */
  plainOperationsPerSecond: number | undefined;
  /** What somebody outside noticed; of redis alone. */
  client: ClientReport | undefined;
  plainClient: ClientReport | undefined;
  load: Load;
  plainQemuLoad: number;
  /** From the death of the primary's host until the guest ran at the backup. */
  failoverMs: number;
}

/** A guest that was just resumed has to be translated anew by the emulator. */
const SETTLE_MS = 3000;

export interface TrialOptions {
  measureMs: number;
  /** Where the backup's directory is made. */
  directory: string;
}

/** The guest lives afterwards, wherever it is. */
export async function runTrial(
  gang: Gang,
  facts: Omit<Trial, "report" | "failure">,
  options: TrialOptions,
): Promise<Trial> {
  const directory = await mkdtemp(join(options.directory, "pagefold-replicate-"));
  try {
    await sleep(SETTLE_MS);
    const plain = await measured(gang, facts, [], options.measureMs);
    return { ...facts, report: await replicated(gang, facts, { ...options, directory, plain }) };
  } catch (error) {
    return { ...facts, failure: error instanceof Error ? error.message : `${error}` };
  } finally {
    await rm(directory, { recursive: true, force: true });
    await gang.expectAlive();
  }
}

interface Measured {
  operationsPerSecond: number | undefined;
  client: ClientReport | undefined;
  measuredMs: number;
  /** Of the guest's QEMU and of what was asked for, in this order. */
  loads: number[];
}

async function replicated(
  gang: Gang,
  facts: Omit<Trial, "report" | "failure">,
  { measureMs, directory, plain }: TrialOptions & { plain: Measured },
): Promise<TrialReport> {
  const [guest] = gang.guests;
  const [from, to] = gang.hosts;
  const { capture, intervalMs, granularity, output } = facts;
  const words = ["--interval", `${intervalMs}ms`, "--capture", capture];
  words.push("--granularity", granularity);
  if (output === "held") words.push("--hold-output", "net0");
  const address = addressOf(to);
  const ends: Replicator[] = [];
  const isShared = capture === "shared";
  const failover = await Failover.prepare(guest, { host: to, arrival: "starts", isShared });
  let hasMoved = false;
  try {
    const backup = await startBackup(directory, { host: to, address });
    ends.push(backup);
    const primary = startPrimary(guest, { host: from, address, words });
    ends.push(primary);
    await primary.epochsMore(2);
    const first = primary.epochs.length;
    const sentBefore = await sentBytes(from);
    const found = await measured(gang, facts, ends, measureMs);
    const { measuredMs, loads } = found;
    const epochs = primary.epochs.slice(first);
    const linkBytes = (await sentBytes(from)) - sentBefore;
    const diedAtMs = Date.now();
    await Promise.all([primary.kill(), guest.kill()]);
    const { loadedAtMs } = await failover.resume(directory);
    await guest.close();
    gang.moved([failover.target]);
    hasMoved = true;
    const [qemu, ofBackup, ofPrimary] = loads;
    return {
      epochs,
      measuredMs,
      linkBytes,
      operationsPerSecond: found.operationsPerSecond,
      plainOperationsPerSecond: plain.operationsPerSecond,
      client: found.client,
      plainClient: plain.client,
      load: { primary: ofPrimary, backup: ofBackup, qemu },
      plainQemuLoad: plain.loads[0],
      failoverMs: loadedAtMs - diedAtMs,
    };
  } finally {
    for (const end of ends.reverse()) await end.kill("SIGINT");
    if (!hasMoved) {
      await failover.target.close();
      await guest.connect();
    }
  }
}

async function measured(
  gang: Gang,
  { workload }: Pick<Trial, "workload">,
  ends: readonly Replicator[],
  measureMs: number,
): Promise<Measured> {
  const [guest] = gang.guests;
  const pids = [guest.pid ?? 0, ...ends.map(({ pid }) => pid)];
  const cpuSeconds = () => pids.map((pid) => usageOf(pid)?.cpuSeconds ?? 0);
  const client = workload === "redis" ? await OutsideClient.open(gang.hosts[0]) : undefined;
  const watch = new BeatWatch(guest);
  const [beganAt, before] = [performance.now(), cpuSeconds()];
  await sleep(measureMs);
  const measuredMs = performance.now() - beganAt;
  const loads = cpuSeconds().map((value, i) => (1000 * (value - before[i])) / measuredMs);
  watch.close();
  const { operationsPerSecond } = watch;
  return { operationsPerSecond, client: await client?.close(), measuredMs, loads };
}
