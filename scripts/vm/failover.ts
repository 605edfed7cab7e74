// Brings a replicated guest back at its backup: a QEMU that waits for it, and the command line that
// feeds it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Guest } from "./guest.ts";
import type { Host } from "./link.ts";
import { PAGEFOLD } from "./tunnel.ts";

const LIMIT_MS = 120_000;

export interface FailoverOptions {
  host: Host;
  /** Default: "stays paused", so that somebody can compare its memory. */
  arrival?: "starts" | "stays paused";
  /** The memory was captured from a shared file. */
  isShared?: boolean;
}

/** A QEMU of the same guest that waits. */
export class Failover {
  readonly target: Guest;
  readonly #options: FailoverOptions;

  private constructor(target: Guest, options: FailoverOptions) {
    this.target = target;
    this.#options = options;
  }

  static async prepare(guest: Guest, options: FailoverOptions): Promise<Failover> {
    const { host, arrival = "stays paused", isShared = false } = options;
    const target = guest.arrival({ incoming: arrival, namespace: host.namespace });
    const failover = new Failover(target, options);
    try {
      await target.connect();
      await failover.#capabilities(isShared);
      await target.qmp.execute("migrate-incoming", { uri: failover.#socket });
      return failover;
    } catch (error) {
      await target.close();
      throw error;
    }
  }

  /** Resolves when the guest is loaded, or runs, with the number of its epoch. */
  async resume(directory: string): Promise<{ epoch: number; loadedAtMs: number }> {
    const { arrival = "stays paused", isShared = false } = this.#options;
    const { target } = this;
    const words = ["resume", directory, "--incoming", this.#socket, "--json"];
    if (isShared) words.push("--ram-file", target.ramPath);
    const epoch = await this.#run(words);
    const isOver = ({ name, data }: { name: string; data: { status?: unknown } }) =>
      arrival === "starts"
        ? name === "RESUME"
        : name === "MIGRATION" && data.status === "completed";
    const { timeMs } = await target.qmp.event(isOver, { timeoutMs: LIMIT_MS });
    if (isShared) await this.#capabilities(false);
    // It is to be replicated into the same directory once more.
    await rm(join(directory, "resumed.json"), { force: true });
    return { epoch, loadedAtMs: timeMs };
  }

  async #run(words: readonly string[]): Promise<number> {
    const [program, ...first] = PAGEFOLD;
    const all = [...first, "replicate", ...words];
    const child = spawn(program, all, { stdio: ["ignore", "pipe", "pipe"] });
    const [out, complaints]: [string[], string[]] = [[], []];
    child.stdout.on("data", (text) => out.push(`${text}`));
    child.stderr.on("data", (text) => complaints.push(`${text}`));
    const [code] = await once(child, "close");
    if (code !== 0) throw new Error(`resume ended with ${code}: ${complaints.join("")}`);
    return JSON.parse(out.join("")).epoch;
  }

  async #capabilities(isShared: boolean): Promise<void> {
    const capabilities = [
      { capability: "events", state: true },
      { capability: "x-ignore-shared", state: isShared },
    ];
    await this.target.qmp.execute("migrate-set-capabilities", { capabilities });
  }

  get #socket(): string {
    const { options, fileName } = this.target;
    return `unix:${join(options.folder, `${fileName}.in`)}`;
  }
}
