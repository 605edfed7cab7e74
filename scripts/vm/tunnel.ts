// A pagefold tunnel between two hosts: the processes of both ends, each in the namespace of its
// host, with what they say and what they take. It says nothing to any QEMU.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { TunnelReport } from "../../src/index.ts";
import type { Host } from "./link.ts";
import { type Usage, UsageWatch } from "./usage.ts";

export interface TunnelOptions {
  /** Default: the command line that was built last. */
  pagefold?: readonly string[];
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
/** The command line that was built last. */
export const PAGEFOLD: readonly string[] = [process.execPath, CLI];
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

  /** `words` are the program and all that follows. */
  constructor(name: string, host: Host, words: readonly string[]) {
    this.name = name;
    const inside = ["--pdeathsig", "KILL", "ip", "netns", "exec", host.namespace];
    this.#process = spawn("setpriv", [...inside, ...words], { stdio: ["ignore", "pipe", "pipe"] });
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
    for (const pid of this.holders.values()) endProcess(pid);
  }

  /** By guest: the process that keeps its socket open, so that it stays paused. */
  get holders(): Map<string, number> {
    const found = this.stderr.matchAll(/^pagefold: ([^:]+): .*\(held by process (\d+)\)$/gm);
    return new Map(Array.from(found, ([, guest, pid]) => [guest, Number(pid)]));
  }

  /** What it has printed, being given --json. */
  get report(): TunnelReport {
    return JSON.parse(this.stdout);
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
    options: TunnelOptions = {},
  ): Promise<Tunnel> {
    const { pagefold = PAGEFOLD, words = [], port = PORT } = options;
    const { sourceWords = [], targetWords = [] } = options;
    const address = `${to.address}:${port}`;
    const guestWords = (socket: (guest: TunnelGuest) => string) =>
      guests.flatMap((guest) => ["--vm", `${guest.name}=unix:${socket(guest)}`]);
    const target = new TunnelEnd("target", to, [
      ...[...pagefold, "tunnel", "target", "--listen", address],
      ...guestWords(({ targetSocket }) => targetSocket),
      ...[...words, ...targetWords],
    ]);
    try {
      await target.ready(() => listensOn(target.pid, port));
      const sockets = guests.map(({ sourceSocket }) => new SocketWatch(sourceSocket));
      const source = new TunnelEnd("source", from, [
        ...[...pagefold, "tunnel", "source", "--connect", address],
        ...guestWords(({ sourceSocket }) => sourceSocket),
        ...[...words, ...sourceWords],
      ]);
      try {
        await source.ready(() => sockets.every((socket) => socket.isNew));
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

  get complaint(): string {
    return `${this.source.complaint}\n${this.target.complaint}`;
  }

  async close(): Promise<void> {
    await Promise.all([this.source.close(), this.target.close()]);
  }
}

export function endProcess(pid: number): void {
  try {
    process.kill(pid);
  } catch {
    // It has ended by itself.
  }
}

/** Whether anybody in the namespace of a process listens on a TCP port; nothing is connected. */
export function listensOn(pid: number, port: number): boolean {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return rowsOf(pid).some(([, local, , state]) => local.endsWith(suffix) && state === "0A");
}

/**
 * A unix socket appears at its place when it accepts. One that was there before is what a killed
 * tunnel has left: nobody listens there, until it is replaced.
 */
class SocketWatch {
  #path: string;
  #before: number | undefined;

  constructor(path: string) {
    this.#path = path;
    this.#before = this.#inode;
  }

  get isNew(): boolean {
    return this.#inode !== undefined && this.#inode !== this.#before;
  }

  get #inode(): number | undefined {
    return statSync(this.#path, { throwIfNoEntry: false })?.ino;
  }
}

/** The kernel's table of the tcp sockets in a process's network; empty when that has ended. */
function rowsOf(pid: number): string[][] {
  try {
    const lines = readFileSync(`/proc/${pid}/net/tcp`, "utf8").trim().split("\n");
    return lines.slice(1).map((line) => line.trim().split(/\s+/));
  } catch {
    return [];
  }
}
