// One migration of a whole gang: all guests at once from one host to the other, straight from QEMU
// to QEMU or through a tunnel. Step by step, so that a test can break something in between.
import { differingPages } from "./compare.ts";
import type { Guest } from "./guest.ts";
import { type Host, sentBytes } from "./link.ts";
import type { GuestOutcome, MoveReport } from "./outcome.ts";
import { FINAL, untilIdle, untilRounds } from "./querymigrate.ts";
import { openRoute, type Route } from "./route.ts";
import { configure, type Setting } from "./setting.ts";
import type { Tunnel, TunnelOptions } from "./tunnel.ts";
import { usageOf } from "./usage.ts";

export interface MoveOptions extends Setting {
  via: "tcp" | TunnelOptions;
  /**
   * "starts": the target goes on by itself, as in production, which the downtime asks for. "stays
   * paused": RAM is compared before it goes on. Default: "starts".
   */
  arrival?: "starts" | "stays paused";
  /** Switches to post-copy when so many passes over the memory are done. */
  postCopyAfterRounds?: number;
}

export class Move {
  readonly sources: readonly Guest[];
  targets: readonly Guest[];
  readonly tunnel: Tunnel | undefined;
  readonly options: MoveOptions;
  #from: Host;
  #to: Host;
  #uris: readonly string[];
  #incoming: readonly string[];
  #startedMs = 0;
  #sentBefore: readonly number[] = [];
  #cpuBefore = 0;

  private constructor(
    sources: readonly Guest[],
    targets: readonly Guest[],
    { from, to }: { from: Host; to: Host },
    options: MoveOptions,
    { uris, incoming, tunnel }: Route,
  ) {
    this.sources = sources;
    this.targets = targets;
    this.tunnel = tunnel;
    this.options = options;
    this.#from = from;
    this.#to = to;
    this.#uris = uris;
    this.#incoming = incoming;
  }

  /** Starts the target's QEMUs, and the tunnel; nothing moves yet. */
  static async prepare(
    sources: readonly Guest[],
    way: { from: Host; to: Host },
    options: MoveOptions,
  ): Promise<Move> {
    const incoming = options.arrival ?? "starts";
    const { namespace } = way.to;
    const targets = sources.map((source) => source.arrival({ namespace, incoming }));
    try {
      await Promise.all(targets.map((target) => target.connect()));
      const setting = settingOf(options);
      for (const guest of [...sources, ...targets]) await configure(guest, setting);
      const route = await openRoute(targets, way, options.via);
      return new Move(sources, targets, way, options, route);
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
    const { postCopyAfterRounds: rounds } = this.options;
    if (rounds === undefined) return;
    await Promise.all(
      this.sources.map(async (source) => {
        await untilRounds(source, rounds);
        await source.qmp.execute("migrate-start-postcopy");
      }),
    );
  }

  /** Orders one guest to migrate once more, to a new QEMU; resolves when that has ended. */
  async retry(i: number, limitMs: number): Promise<GuestOutcome> {
    const [source, before, uri] = [this.sources[i], this.targets[i], this.#incoming[i]];
    await before.close();
    const target = source.arrival(before.options);
    this.targets = this.targets.with(i, target);
    await target.connect();
    for (const guest of [source, target]) await configure(guest, settingOf(this.options));
    await target.qmp.execute("migrate-incoming", { uri });
    this.#startedMs = Date.now();
    await source.qmp.execute("migrate", { uri: this.#uris[i] });
    return this.#outcome(i, limitMs);
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
      throw new Error([...reasons, this.tunnel?.complaint].join("\n"));
    }
    const isPaused = this.options.arrival === "stays paused";
    const arrived = await Promise.all(
      this.targets.map(({ qmp }) =>
        qmp.event(
          ({ name, data }) =>
            isPaused ? name === "MIGRATION" && data.status === "completed" : name === "RESUME",
          { timeoutMs: limitMs },
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
      startedMs: this.#startedMs,
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
        // This first: a guest goes from the source to the target, and never runs on both.
        ...((await this.targets[i].runs()) ? (["target"] as const) : []),
        ...((await source.runs()) ? (["source"] as const) : []),
      ]),
    );
  }

  /**
   * For a move that failed or is not wanted any more: ends the tunnel and the target's QEMUs, then
   * lets the guests go on at the source, those that had arrived included.
   */
  async abandon(): Promise<void> {
    await this.tunnel?.close();
    await Promise.all(this.targets.map((target) => target.close()));
    for (const source of this.sources.filter(({ isRunning }) => isRunning)) {
      await source.qmp.execute("migrate_cancel");
      // What post-copy has lost on the way does not come back.
      if ((await untilIdle(source)) === "postcopy-paused") continue;
      if ((await source.status()) !== "running") await source.resume();
    }
  }

  async #outcome(i: number, limitMs: number): Promise<GuestOutcome> {
    const { name, qmp } = this.sources[i];
    const mine = ({ timeMs }: { timeMs: number }) => timeMs >= this.#startedMs;
    try {
      const end = await qmp.event(
        (event) =>
          mine(event) && event.name === "MIGRATION" && FINAL.includes(`${event.data.status}`),
        { timeoutMs: limitMs },
      );
      type Answer = { "error-desc"?: string };
      const { "error-desc": reason } = await qmp.execute<Answer>("query-migrate");
      return {
        name,
        status: `${end.data.status}`,
        reason,
        completedMs: end.timeMs,
        stoppedMs: qmp.events.find((event) => mine(event) && event.name === "STOP")?.timeMs,
      };
    } catch (error) {
      if (!this.sources[i].isRunning) return { name, status: "gone" };
      const state = JSON.stringify(await qmp.execute("query-migrate"));
      const said = `${name} does not end: ${state}\n${this.tunnel?.complaint}`;
      throw new Error(said, { cause: error });
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
    return [await sentBytes(this.#from), await sentBytes(this.#to)];
  }

  #qemuCpuSeconds(): number {
    const pids = [...this.sources, ...this.targets].map(({ pid }) => pid ?? 0);
    return pids.reduce((sum, pid) => sum + (usageOf(pid)?.cpuSeconds ?? 0), 0);
  }
}

function settingOf(options: MoveOptions): Setting {
  const { capabilities = [], parameters = {}, via, postCopyAfterRounds } = options;
  return {
    capabilities: [
      ...capabilities,
      ...(via === "tcp" ? [] : ["return-path"]),
      ...(postCopyAfterRounds === undefined ? [] : ["postcopy-ram"]),
    ],
    parameters,
  };
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
