// Other traffic over the core: a TCP stream, or some, between hosts that have no guests, and how
// much of it arrives.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Host } from "./link.ts";
import { listensOn } from "./tunnel.ts";

export interface FlowOptions {
  /** What its application has to send, all streams together. */
  mbit: number;
  streams: number;
}

const PROGRAM = fileURLToPath(new URL("flowend.mjs", import.meta.url));
const PORT = 7900;
const START_LIMIT_MS = 20_000;

export class Flow {
  /** Milliseconds since 1970, and the bytes that had arrived by then. */
  #seen: [number, number][] = [];
  #ends: ChildProcess[] = [];

  /** Resolves when bytes arrive. */
  static async open(from: Host, to: Host, { mbit, streams }: FlowOptions): Promise<Flow> {
    const flow = new Flow();
    const end = Date.now() + START_LIMIT_MS;
    const until = async (isReached: () => boolean): Promise<void> => {
      while (!isReached()) {
        if (Date.now() > end) throw new Error("the other traffic does not flow");
        await sleep(10);
      }
    };
    try {
      const sink = flow.#start(to, ["sink", to.address, `${PORT}`]);
      if (sink.stdout) {
        createInterface({ input: sink.stdout }).on("line", (line) => {
          const [timeMs, bytes] = line.split(" ").map(Number);
          flow.#seen.push([timeMs, bytes]);
        });
      }
      await until(() => listensOn(sink.pid ?? 0, PORT));
      flow.#start(from, ["source", to.address, `${PORT}`, `${mbit}`, `${streams}`]);
      await until(() => (flow.#seen.at(-1)?.[1] ?? 0) > 0);
      return flow;
    } catch (error) {
      await flow.close();
      throw error;
    }
  }

  /** What arrived between two points in time, in Mbit/s. */
  mbitBetween(startMs: number, endMs: number): number {
    const inside = this.#seen.filter(([timeMs]) => timeMs >= startMs && timeMs <= endMs);
    const [first, last] = [inside.at(0), inside.at(-1)];
    if (!first || !last || first === last) throw new Error("nothing was seen of other traffic");
    return ((last[1] - first[1]) * 8) / 1000 / (last[0] - first[0]);
  }

  async close(): Promise<void> {
    await Promise.all(
      this.#ends.map(async (end) => {
        if (end.pid === undefined || end.exitCode !== null || end.signalCode !== null) return;
        end.kill("SIGKILL");
        await once(end, "exit");
      }),
    );
  }

  #start({ namespace }: Host, words: readonly string[]): ChildProcess {
    // Its hosts are other machines: those that migrate must not take their processors.
    const inside = [
      "-n",
      "-20",
      "setpriv",
      "--pdeathsig",
      "KILL",
      "ip",
      "netns",
      "exec",
      namespace,
    ];
    const program = [process.execPath, PROGRAM, ...words];
    const end = spawn("nice", [...inside, ...program], { stdio: ["ignore", "pipe", "inherit"] });
    this.#ends.push(end);
    return end;
  }
}
