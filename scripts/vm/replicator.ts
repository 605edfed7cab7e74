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

/** One end of a replication. */
export interface EndOptions {
  /** Where its process runs. */
  host: Host;
  /** Where the backup listens. */
  address: string;
  words?: readonly string[];
}

/** Over the link between the hosts. */
export function addressOf(backup: Host): string {
  return `${backup.address}:${PORT}`;
}

/** Resolves when it waits for a primary. */
export async function startBackup(
  directory: string,
  { host, address, words = [] }: EndOptions,
): Promise<Replicator> {
  const place = ["--listen", address, "--insecure", "--dir", directory];
  const backup = new Replicator(host, "backup", ...place, ...words);
  await backup.reaches(({ lines }) => lines.some((line) => line.includes("waiting at")));
  return backup;
}

/** Takes the monitor of the guest until it is killed. */
export function startPrimary(guest: Guest, { host, address, words = [] }: EndOptions): Replicator {
  guest.leaveMonitor();
  const place = ["--qmp", `unix:${guest.qmpPath}`, "--connect", address, "--insecure"];
  return new Replicator(host, "primary", ...place, ...words);
}
