// A pagefold tunnel between two hosts: the processes of both ends, each in the namespace of its
// host, with what they say and what they take. It says nothing to any QEMU.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Host } from "./link.ts";
import { type Usage, UsageWatch } from "./usage.ts";

export interface TunnelOptions {
  /** More words for both ends, such as --tls-dir DIR. */
  words?: readonly string[];
  /** More words for one end. */
  sourceWords?: readonly string[];
  targetWords?: readonly string[];
  port?: number;
}

/** A guest and the sockets that stand for it at both ends. */
export interface TunnelGuest {
  name: string;
  /** The source's tunnel listens there. */
  sourceSocket: string;
  /** The target's QEMU listens there. */
  targetSocket: string;
}

const CLI = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const START_LIMIT_MS = 20_000;
const PORT = 7700;

/** One end: a process of the command line. */
export class TunnelEnd {
  readonly name: string;
  stdout = "";
  stderr = "";
  #process: ChildProcess;
  #watch: UsageWatch;
  #exit: Promise<number | string>;

  constructor(name: string, host: Host, words: readonly string[]) {
    this.name = name;
    const pagefold = [process.execPath, CLI, "tunnel", ...words];
    const program = ["--pdeathsig", "KILL", "ip", "netns", "exec", host.namespace, ...pagefold];
    this.#process = spawn("setpriv", program, { stdio: ["ignore", "pipe", "pipe"] });
    this.#process.stdout?.on("data", (text) => {
      this.stdout += text;
    });
    this.#process.stderr?.on("data", (text) => {
      this.stderr += text;
    });
    this.#watch = new UsageWatch(this.pid);
    this.#exit = once(this.#process, "close").then(([code, signal]) => {
      this.#watch.stop();
      return code ?? signal;
    });
  }

  get pid(): number {
    const { pid } = this.#process;
    if (pid === undefined) throw new Error(`the tunnel's ${this.name} did not start`);
    return pid;
  }

  get isRunning(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  get usage(): Usage {
    return this.#watch.usage;
  }

  /** The exit code, or the name of the signal that ended it. */
  async ended(limitMs: number): Promise<number | string> {
    const late = sleep(limitMs, undefined, { ref: false }).then(() => undefined);
    const status = await Promise.race([this.#exit, late]);
    if (status === undefined) throw new Error(`${this.complaint} still runs after ${limitMs} ms`);
    return status;
  }

  kill(signal: NodeJS.Signals): void {
    if (this.isRunning) this.#process.kill(signal);
  }

  async close(): Promise<void> {
    this.kill("SIGKILL");
    await this.#exit;
  }

  /** Its name and what it said last, for messages. */
  get complaint(): string {
    return `tunnel ${this.name}: ${this.stderr.trim().slice(-1500)}`;
  }

  /** Resolves when `isReady` says yes; throws when the process ends before. */
  async ready(isReady: () => boolean): Promise<void> {
    const end = Date.now() + START_LIMIT_MS;
    while (!isReady()) {
      if (!this.isRunning || Date.now() > end) throw new Error(`${this.complaint} is not ready`);
      await sleep(10);
    }
  }
}

export class Tunnel {
  readonly source: TunnelEnd;
  readonly target: TunnelEnd;

  private constructor(source: TunnelEnd, target: TunnelEnd) {
    this.source = source;
    this.target = target;
  }

  /** Resolves when both ends listen. The sockets of the target's QEMUs must exist already. */
  static async open(
    from: Host,
    to: Host,
    guests: readonly TunnelGuest[],
    { words = [], sourceWords = [], targetWords = [], port = PORT }: TunnelOptions = {},
  ): Promise<Tunnel> {
    const address = `${to.address}:${port}`;
    const ofTarget = guests.flatMap((guest) => [
      "--vm",
      `${guest.name}=unix:${guest.targetSocket}`,
    ]);
    const ofSource = guests.flatMap((guest) => [
      "--vm",
      `${guest.name}=unix:${guest.sourceSocket}`,
    ]);
    const listen = ["target", "--listen", address, ...ofTarget, ...words, ...targetWords];
    const target = new TunnelEnd("target", to, listen);
    try {
      await target.ready(() => listensOn(target.pid, port));
      const connect = ["source", "--connect", address, ...ofSource, ...words, ...sourceWords];
      const source = new TunnelEnd("source", from, connect);
      try {
        await source.ready(() => guests.every(({ sourceSocket }) => isSocket(sourceSocket)));
        return new Tunnel(source, target);
      } catch (error) {
        await source.close();
        throw error;
      }
    } catch (error) {
      await target.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.source.close(), this.target.close()]);
  }
}

function isSocket(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;
}

/** Whether anybody in the namespace of a process listens on a TCP port; nothing is connected. */
function listensOn(pid: number, port: number): boolean {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  try {
    const lines = readFileSync(`/proc/${pid}/net/tcp`, "utf8").trim().split("\n").slice(1);
    return lines.some((line) => {
      const [, local, , state] = line.trim().split(/\s+/);
      return local.endsWith(suffix) && state === "0A";
    });
  } catch {
    return false;
  }
}
