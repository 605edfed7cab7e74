// The processes of a replication: each end of it as a command line in the namespace of its host,
// with the epochs and notices that it tells of and what it takes.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import type { EpochReport } from "../../src/index.ts";
import type { Guest } from "./guest.ts";
import type { Host } from "./link.ts";
import { PAGEFOLD } from "./tunnel.ts";
import { type Usage, UsageWatch } from "./usage.ts";

const LIMIT_MS = 120_000;
const PORT = 7800;

/** A process of `pagefold replicate`. */
export class Replicator {
  readonly epochs: EpochReport[] = [];
  /** All it said on stderr, epochs included. */
  readonly lines: string[] = [];
  readonly #process: ChildProcess;
  readonly #watch: UsageWatch;
  readonly #closed: Promise<unknown>;

  constructor(host: Host, ...words: string[]) {
    const inside = ["--pdeathsig", "KILL", "ip", "netns", "exec", host.namespace];
    const all = [...inside, ...PAGEFOLD, "replicate", ...words, "--progress", "json"];
    this.#process = spawn("setpriv", all, { stdio: ["ignore", "ignore", "pipe"] });
    this.#watch = new UsageWatch(this.pid);
    this.#closed = once(this.#process, "close").then(() => this.#watch.stop());
    const input = this.#process.stderr as NodeJS.ReadableStream;
    createInterface({ input }).on("line", (line) => {
      this.lines.push(line);
      if (line.includes("replicate-epoch")) this.epochs.push(JSON.parse(line));
    });
  }

  get pid(): number {
    const { pid } = this.#process;
    if (pid === undefined) throw new Error("the replicator did not start");
    return pid;
  }

  get usage(): Usage {
    return this.#watch.usage;
  }

  get isRunning(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** What it said beside its epochs. */
  get notices(): string[] {
    return this.lines.filter((line) => !line.includes("replicate-epoch"));
  }

  async reaches(isSo: (self: this) => boolean, limitMs = LIMIT_MS): Promise<void> {
    for (const end = Date.now() + limitMs; !isSo(this); await sleep(5)) {
      if (Date.now() > end || !this.isRunning) {
        throw new Error(`it did not come about: ${this.lines.slice(-5).join("\n")}`);
      }
    }
  }

  /** So many epochs more than now. */
  async epochsMore(count: number, limitMs = LIMIT_MS): Promise<void> {
    const wanted = this.epochs.length + count;
    await this.reaches(({ epochs }) => epochs.length >= wanted, limitMs);
  }

  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    if (this.isRunning) this.#process.kill(signal);
    await this.#closed;
  }
}

export interface ReplicationPlace {
  /** Where the backup listens. */
  to: Host;
  /** More words for that end. */
  words?: readonly string[];
  port?: number;
}

/** Resolves when it waits for a primary. */
export async function startBackup(
  directory: string,
  { to, words = [], port = PORT }: ReplicationPlace,
): Promise<Replicator> {
  const listen = ["--listen", `${to.address}:${port}`, "--insecure"];
  const backup = new Replicator(to, "backup", ...listen, "--dir", directory, ...words);
  await backup.reaches(({ lines }) => lines.some((line) => line.includes("waiting at")));
  return backup;
}

/** Takes the monitor of the guest until it is killed. */
export function startPrimary(
  guest: Guest,
  from: Host,
  { to, words = [], port = PORT }: ReplicationPlace,
): Replicator {
  guest.leaveMonitor();
  const connect = ["--connect", `${to.address}:${port}`, "--insecure"];
  return new Replicator(from, "primary", "--qmp", `unix:${guest.qmpPath}`, ...connect, ...words);
}
