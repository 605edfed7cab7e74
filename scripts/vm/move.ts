// One migration of a whole gang: all guests at once from one host to the other, straight from QEMU
// to QEMU or through a tunnel. Step by step, so that a test can break something in between.
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { differingPages } from "./compare.ts";
import type { Guest } from "./guest.ts";
import type { Host, Link } from "./link.ts";
import { Tunnel, type TunnelOptions } from "./tunnel.ts";
import { usageOf } from "./usage.ts";

/** How the QEMUs are told to migrate. */
export interface Setting {
  capabilities?: readonly string[];
  parameters?: Readonly<Record<string, string | number>>;
}

export interface MoveOptions extends Setting {
  via: "tcp" | TunnelOptions;
  /**
   * "starts": the target goes on by itself, as in production, which the downtime asks for. "stays
   * paused": RAM is compared before it goes on. Default: "starts".
   */
  arrival?: "starts" | "stays paused";
  /** Switches to post-copy so long after the begin. */
  postCopyAfterMs?: number;
}

/** What became of one guest. Times are milliseconds since 1970. */
export interface GuestOutcome {
  name: string;
  /** QEMU's word at the source: "completed", "failed", "cancelled"; "gone" when it has ended. */
  status: string;
  /** QEMU's own reason. */
  reason?: string | undefined;
  stoppedMs?: number | undefined;
  resumedMs?: number | undefined;
  completedMs?: number | undefined;
}

export interface MoveReport {
  wireBytes: number;
  /** Bytes on the way back, from the target to the source. */
  returnBytes: number;
  /** From the order to migrate until no guest needs the source any more and all are there. */
  totalMs: number;
  /** From the source's STOP to the target's RESUME; only of targets that start by themselves. */
  downtimesMs: number[];
  /** Pages of RAM that differ, per guest; only when targets stay paused. */
  differing?: number[];
  /** Processor seconds of all QEMUs, guests included, from the order to the end. */
  qemuCpuSeconds: number;
  tunnel?: { cpuSeconds: number; sourcePeakBytes: number; targetPeakBytes: number };
}

/** The limit on RAM and device state that QEMU applies is not what is measured here. */
const MAX_BANDWIDTH = 10240 * 2 ** 20;
const FIRST_PORT = 7000;
const CAPABILITIES = ["xbzrle", "multifd", "postcopy-ram", "return-path", "events"];
const FINAL = ["completed", "failed", "cancelled"];

export class Move {
  readonly sources: readonly Guest[];
  readonly targets: readonly Guest[];
  readonly tunnel: Tunnel | undefined;
  #options: MoveOptions;
  #link: Link;
  #from: Host;
  #to: Host;
  #uris: readonly string[];
  #startedMs = 0;
  #sentBefore: readonly number[] = [];
  #cpuBefore = 0;

  private constructor(
    sources: readonly Guest[],
    targets: readonly Guest[],
    { link, from, to }: { link: Link; from: Host; to: Host },
    options: MoveOptions,
    { uris, tunnel }: { uris: readonly string[]; tunnel: Tunnel | undefined },
  ) {
    this.sources = sources;
    this.targets = targets;
    this.tunnel = tunnel;
    this.#options = options;
    this.#link = link;
    this.#from = from;
    this.#to = to;
    this.#uris = uris;
  }

  /** Starts the target's QEMUs, and the tunnel; nothing moves yet. */
  static async prepare(
    sources: readonly Guest[],
    way: { link: Link; from: Host; to: Host },
    options: MoveOptions,
  ): Promise<Move> {
    const incoming = options.arrival ?? "starts";
    const { namespace } = way.to;
    const targets = sources.map((source) => source.arrival({ namespace, incoming }));
    try {
      await Promise.all(targets.map((target) => target.connect()));
      for (const guest of [...sources, ...targets]) await configure(guest, options);
      if (options.via === "tcp") {
        const uris = targets.map((_, i) => `tcp:${way.to.address}:${FIRST_PORT + i}`);
        await listen(targets, uris);
        return new Move(sources, targets, way, options, { uris, tunnel: undefined });
      }
      const ends = targets.map((target) => ({
        name: target.name,
        sourceSocket: join(target.options.folder, `${target.fileName}.out`),
        targetSocket: join(target.options.folder, `${target.fileName}.in`),
      }));
      await listen(
        targets,
        ends.map(({ targetSocket }) => `unix:${targetSocket}`),
      );
      const tunnel = await Tunnel.open(way.from, way.to, ends, options.via);
      const uris = ends.map(({ sourceSocket }) => `unix:${sourceSocket}`);
      return new Move(sources, targets, way, options, { uris, tunnel });
    } catch (error) {
      await Promise.all(targets.map((target) => target.close()));
      throw error;
    }
  }

  /** Orders all guests to migrate. */
  async begin(): Promise<void> {
    this.#sentBefore = await this.#sent();
    this.#cpuBefore = this.#qemuCpuSeconds();
    this.#startedMs = Date.now();
    await Promise.all(
      this.sources.map((source, i) => source.qmp.execute("migrate", { uri: this.#uris[i] })),
    );
    const { postCopyAfterMs } = this.#options;
    if (postCopyAfterMs === undefined) return;
    await sleep(postCopyAfterMs);
    await Promise.all(this.sources.map(({ qmp }) => qmp.execute("migrate-start-postcopy")));
  }

  /** Resolves when every source has reached an end of its migration, whichever. */
  async settled(limitMs: number): Promise<GuestOutcome[]> {
    return Promise.all(this.sources.map((_, i) => this.#outcome(i, limitMs)));
  }

  /**
   * After all have completed: waits for the targets, compares and starts those that stay paused,
   * and ends the source's QEMUs.
   */
  async finish(outcomes: readonly GuestOutcome[], limitMs: number): Promise<MoveReport> {
    const failed = outcomes.filter(({ status }) => status !== "completed");
    if (failed.length > 0) {
      const reasons = failed.map(({ name, status, reason }) => `${name} ${status}: ${reason}`);
      const { source, target } = this.tunnel ?? {};
      throw new Error([...reasons, source?.complaint, target?.complaint].join("\n"));
    }
    const isPaused = this.#options.arrival === "stays paused";
    const arrived = await Promise.all(
      this.targets.map(({ qmp }) =>
        qmp.event(
          ({ name, values }) =>
            isPaused ? name === "MIGRATION" && values.status === "completed" : name === "RESUME",
          limitMs,
        ),
      ),
    );
    if (this.tunnel) {
      for (const end of [this.tunnel.source, this.tunnel.target]) {
        const status = await end.ended(limitMs);
        if (status !== 0) throw new Error(`${end.complaint} ended with ${status}`);
      }
    }
    const sent = await this.#sent();
    const ends = [...outcomes.map(({ completedMs }) => completedMs ?? 0), ...arrived.map(timeOf)];
    const report: MoveReport = {
      wireBytes: sent[0] - this.#sentBefore[0],
      returnBytes: sent[1] - this.#sentBefore[1],
      totalMs: Math.max(...ends) - this.#startedMs,
      downtimesMs: isPaused
        ? []
        : arrived.map(({ timeMs }, i) => timeMs - (outcomes[i].stoppedMs ?? Number.NaN)),
      qemuCpuSeconds: this.#qemuCpuSeconds() - this.#cpuBefore,
    };
    if (this.tunnel) report.tunnel = usageOfTunnel(this.tunnel);
    if (isPaused) report.differing = await this.#compareAndStart();
    await Promise.all(this.sources.map((source) => source.close()));
    return report;
  }

  /** Where each guest runs at this moment: at no end, one, or, which must never be, both. */
  async running(): Promise<("source" | "target")[][]> {
    return Promise.all(
      this.sources.map(async (source, i) => [
        ...((await source.runs()) ? (["source"] as const) : []),
        ...((await this.targets[i].runs()) ? (["target"] as const) : []),
      ]),
    );
  }

  /** Ends the target's QEMUs and the tunnel; for a move that failed. */
  async abandon(): Promise<void> {
    await this.tunnel?.close();
    await Promise.all(this.targets.map((target) => target.close()));
  }

  async #outcome(i: number, limitMs: number): Promise<GuestOutcome> {
    const { name, qmp } = this.sources[i];
    const mine = ({ timeMs }: { timeMs: number }) => timeMs >= this.#startedMs;
    try {
      const end = await qmp.event(
        (event) =>
          mine(event) && event.name === "MIGRATION" && FINAL.includes(`${event.values.status}`),
        limitMs,
      );
      const { "error-desc": reason } = (await qmp.execute("query-migrate")) as {
        "error-desc"?: string;
      };
      return {
        name,
        status: `${end.values.status}`,
        reason,
        completedMs: end.timeMs,
        stoppedMs: qmp.events.find((event) => mine(event) && event.name === "STOP")?.timeMs,
      };
    } catch (error) {
      if (this.sources[i].isRunning) throw error;
      return { name, status: "gone" };
    }
  }

  async #compareAndStart(): Promise<number[]> {
    const counts: number[] = [];
    for (const [i, { ramPath }] of this.sources.entries()) {
      counts.push((await differingPages(ramPath, this.targets[i].ramPath)).length);
    }
    await Promise.all(this.targets.map((target) => target.resume()));
    return counts;
  }

  async #sent(): Promise<[number, number]> {
    return [await this.#link.sentBytes(this.#from), await this.#link.sentBytes(this.#to)];
  }

  #qemuCpuSeconds(): number {
    const pids = [...this.sources, ...this.targets].map(({ pid }) => pid ?? 0);
    return pids.reduce((sum, pid) => sum + (usageOf(pid)?.cpuSeconds ?? 0), 0);
  }
}

function timeOf({ timeMs }: { timeMs: number }): number {
  return timeMs;
}

function usageOfTunnel({ source, target }: Tunnel): NonNullable<MoveReport["tunnel"]> {
  return {
    cpuSeconds: source.usage.cpuSeconds + target.usage.cpuSeconds,
    sourcePeakBytes: source.usage.peakBytes,
    targetPeakBytes: target.usage.peakBytes,
  };
}

async function listen(targets: readonly Guest[], uris: readonly string[]): Promise<void> {
  await Promise.all(targets.map(({ qmp }, i) => qmp.execute("migrate-incoming", { uri: uris[i] })));
}

/** Sets every capability that we know, because a guest keeps those of its last migration. */
async function configure({ qmp }: Guest, options: MoveOptions): Promise<void> {
  const wanted = new Set(["events", ...(options.capabilities ?? [])]);
  if (options.via !== "tcp") wanted.add("return-path");
  if (options.postCopyAfterMs !== undefined) wanted.add("postcopy-ram");
  await qmp.execute("migrate-set-capabilities", {
    capabilities: CAPABILITIES.map((capability) => ({
      capability,
      state: wanted.has(capability),
    })),
  });
  await qmp.execute("migrate-set-parameters", {
    "max-bandwidth": MAX_BANDWIDTH,
    "multifd-compression": "none",
    ...options.parameters,
  });
}
