// A redis-server in the namespace of a host: what racks share. It asks for a password, keeps
// nothing on disk, and can be killed, stopped and flushed.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { RackStatus } from "../../src/store/rackstatus.ts";
import type { Host } from "./link.ts";
import { listensOn, PAGEFOLD } from "./tunnel.ts";

const run = promisify(execFile);
const PORT = 6379;
const START_LIMIT_MS = 20_000;
const STATUS_LIMIT_MS = 5000;

export class RedisServer {
  readonly host: Host;
  readonly password = randomBytes(12).toString("hex");
  #process: ChildProcess;
  #said = "";

  private constructor(host: Host, words: readonly string[]) {
    this.host = host;
    const inside = ["--pdeathsig", "KILL", "ip", "netns", "exec", host.namespace];
    const server = ["redis-server", "--port", `${PORT}`, "--bind", host.address];
    const keep = ["--save", "", "--appendonly", "no", "--dir", tmpdir()];
    const secret = ["--requirepass", this.password];
    const all = [...inside, ...server, ...keep, ...secret, ...words];
    this.#process = spawn("setpriv", all, { stdio: ["ignore", "pipe", "pipe"] });
    for (const output of [this.#process.stdout, this.#process.stderr]) {
      output?.on("data", (text) => {
        this.#said += text;
      });
    }
  }

  /** Resolves when it takes commands. `words` are more of its own. */
  static async open(host: Host, words: readonly string[] = []): Promise<RedisServer> {
    const server = new RedisServer(host, words);
    const end = Date.now() + START_LIMIT_MS;
    while (!listensOn(server.pid, PORT)) {
      if (server.#process.exitCode !== null || Date.now() > end) {
        await server.close();
        throw new Error(`redis-server does not listen: ${server.#said.slice(-1500)}`);
      }
      await sleep(10);
    }
    return server;
  }

  get url(): string {
    return `redis://:${this.password}@${this.host.address}:${PORT}`;
  }

  get pid(): number {
    const { pid } = this.#process;
    if (pid === undefined) throw new Error("redis-server did not start");
    return pid;
  }

  /** SIGSTOP: connections stay, and nobody answers. */
  signal(signal: "SIGSTOP" | "SIGCONT" | "SIGKILL"): void {
    this.#process.kill(signal);
  }

  /** What its own client prints. */
  async ask(...words: readonly string[]): Promise<string> {
    const client = ["redis-cli", "--no-auth-warning", "-h", this.host.address, "-a", this.password];
    const inside = ["netns", "exec", this.host.namespace];
    return (await run("ip", [...inside, ...client, ...words])).stdout.trim();
  }

  /** What pagefold says that it does for racks. */
  async status(): Promise<RackStatus> {
    const words = ["netns", "exec", this.host.namespace, ...PAGEFOLD, "rack", "status"];
    return JSON.parse(
      (await run("ip", [...words, this.url, "--json"], { timeout: STATUS_LIMIT_MS })).stdout,
    );
  }

  async close(): Promise<void> {
    const { exitCode, signalCode, pid } = this.#process;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    this.#process.kill("SIGKILL");
    await once(this.#process, "exit");
  }
}
