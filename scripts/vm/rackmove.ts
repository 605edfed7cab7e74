// One migration of a whole rack: the guests of every host to its counterpart in the other rack, all
// ordered at the same moment. Each pair of hosts is a `Move`; with pagefold, each has a tunnel.
import type { TunnelReport } from "../../src/index.ts";
import type { RackStatus } from "../../src/store/rackstatus.ts";
import { Flow, type FlowOptions } from "./flow.ts";
import type { Guest } from "./guest.ts";
import { Move, type MoveOptions } from "./move.ts";
import type { GuestOutcome, MoveReport } from "./outcome.ts";
import type { Racks, RackTraffic, RackWay } from "./racks.ts";
import { RedisServer } from "./redisserver.ts";
import type { TunnelOptions } from "./tunnel.ts";

export interface RackMoveOptions extends MoveOptions {
  /** Tunnels must report with --json. */
  via: MoveOptions["via"];
  /** Whether tunnels share an index in the rack they leave and a store in the other one. */
  shares?: boolean;
  /** More words for both Redis servers. */
  redisWords?: readonly string[];
  /** Other traffic the same way. */
  flow?: FlowOptions | undefined;
}

export interface RackReport extends Pick<MoveReport, "totalMs" | "qemuCpuSeconds" | "tunnel"> {
  /** Over the core, without the other traffic. */
  coreBytes: number;
  coreReturnBytes: number;
  /** What hosts with guests have sent in the rack they leave, and received in the other. */
  edgeBytes: number;
  arrivedBytes: number;
  /** What index and store have received and sent. */
  indexBytes: number;
  storeBytes: number;
  /** Of all guests, those of the first host first. */
  downtimesMs: number[];
  differing?: number[];
  /** What arrived of the other traffic meanwhile, in Mbit/s. */
  flowMbit?: number;
  /** Of each pair of hosts, what its tunnel has printed. */
  tunnels?: { source: TunnelReport; target: TunnelReport }[];
  /** What the Redis servers did; undefined for one that does not answer. */
  shared?: { index: RackStatus | undefined; store: RackStatus | undefined };
}

/** What racks share while they move. */
interface Shared {
  index: RedisServer;
  store: RedisServer;
}

export class RackMove {
  /** One for each pair of hosts. */
  readonly moves: readonly Move[];
  readonly shared: Shared | undefined;
  #racks: Racks;
  #way: RackWay;
  #flow: Flow | undefined;
  #before: RackTraffic | undefined;

  private constructor(
    moves: readonly Move[],
    { racks, way }: { racks: Racks; way: RackWay },
    { shared, flow }: { shared: Shared | undefined; flow: Flow | undefined },
  ) {
    this.moves = moves;
    this.shared = shared;
    this.#racks = racks;
    this.#way = way;
    this.#flow = flow;
  }

  /** Starts all that is needed; only other traffic moves yet. `guests`: those of each host. */
  static async prepare(
    guests: readonly (readonly Guest[])[],
    place: { racks: Racks; way: RackWay },
    options: RackMoveOptions,
  ): Promise<RackMove> {
    const { from, to } = place.way;
    const { flow, shares = false, redisWords, ...moveOptions } = options;
    const moves: Move[] = [];
    const shared = shares ? await openShared(place.way, redisWords) : undefined;
    const via = shared && moveOptions.via !== "tcp" ? sharing(moveOptions.via, shared) : undefined;
    try {
      for (const [i, ofHost] of guests.entries()) {
        const way = { from: from.hosts[i], to: to.hosts[i] };
        moves.push(await Move.prepare(ofHost, way, { ...moveOptions, ...(via && { via }) }));
      }
      const flowing = flow && (await Flow.open(from.flow, to.flow, flow));
      return new RackMove(moves, place, { shared, flow: flowing });
    } catch (error) {
      await Promise.all(moves.map((move) => move.abandon()));
      await closeShared(shared);
      throw error;
    }
  }

  /** Orders all guests to migrate. */
  async begin(): Promise<void> {
    this.#before = await this.#racks.traffic(this.#way);
    await Promise.all(this.moves.map((move) => move.begin()));
  }

  /** Resolves when every source has reached an end of its migration; by host. */
  async settled(limitMs: number): Promise<GuestOutcome[][]> {
    return Promise.all(this.moves.map((move) => move.settled(limitMs)));
  }

  /** After all have completed: see `Move`. */
  async finish(outcomes: readonly GuestOutcome[][], limitMs: number): Promise<RackReport> {
    const { moves } = this;
    const reports = await Promise.all(moves.map((move, i) => move.finish(outcomes[i], limitMs)));
    const startedMs = Math.min(...reports.map((report) => report.startedMs));
    const endedMs = Math.max(...reports.map((report) => report.startedMs + report.totalMs));
    const tunnels = reports.flatMap(({ tunnel }) => (tunnel ? [tunnel] : []));
    const report: RackReport = {
      ...(await this.#bytes()),
      totalMs: endedMs - startedMs,
      downtimesMs: reports.flatMap(({ downtimesMs }) => downtimesMs),
      qemuCpuSeconds: sum(reports.map(({ qemuCpuSeconds }) => qemuCpuSeconds)),
    };
    if (tunnels.length > 0) {
      report.tunnel = {
        cpuSeconds: sum(tunnels.map(({ cpuSeconds }) => cpuSeconds)),
        sourcePeakBytes: Math.max(...tunnels.map(({ sourcePeakBytes }) => sourcePeakBytes)),
        targetPeakBytes: Math.max(...tunnels.map(({ targetPeakBytes }) => targetPeakBytes)),
      };
    }
    const differing = reports.flatMap((one) => one.differing ?? []);
    if (differing.length > 0) report.differing = differing;
    if (this.#flow) report.flowMbit = this.#flow.mbitBetween(startedMs, endedMs);
    const ends = moves.flatMap(({ tunnel }) => tunnel ?? []);
    if (ends.length > 0) {
      report.tunnels = ends.map(({ source, target }) => {
        return { source: source.report, target: target.report };
      });
    }
    if (this.shared) {
      const { index, store } = this.shared;
      const [ofIndex, ofStore] = await Promise.all([index, store].map(statusOf));
      report.shared = { index: ofIndex, store: ofStore };
    }
    await this.release();
    return report;
  }

  /** For a move that failed: the guests go on in the rack they were to leave. */
  async abandon(): Promise<void> {
    await Promise.all(this.moves.map((move) => move.abandon()));
    await this.release();
  }

  /** Ends what was shared and the other traffic; `finish` and `abandon` do. */
  async release(): Promise<void> {
    await this.#flow?.close();
    await closeShared(this.shared);
  }

  async #bytes() {
    const { from, to } = this.#way;
    const now = await this.#racks.traffic(this.#way);
    const before = this.#before ?? now;
    const moved = ({ namespace }: { namespace: string }, what: "sentBytes" | "receivedBytes") =>
      (now.hosts.get(namespace)?.[what] ?? 0) - (before.hosts.get(namespace)?.[what] ?? 0);
    const both = (host: { namespace: string }) =>
      moved(host, "sentBytes") + moved(host, "receivedBytes");
    return {
      coreBytes: now.coreBytes - before.coreBytes,
      coreReturnBytes: now.coreReturnBytes - before.coreReturnBytes,
      edgeBytes: sum(from.hosts.map((host) => moved(host, "sentBytes"))),
      arrivedBytes: sum(to.hosts.map((host) => moved(host, "receivedBytes"))),
      indexBytes: both(from.shared),
      storeBytes: both(to.shared),
    };
  }
}

async function openShared({ from, to }: RackWay, words?: readonly string[]): Promise<Shared> {
  const index = await RedisServer.open(from.shared, words);
  try {
    return { index, store: await RedisServer.open(to.shared, words) };
  } catch (error) {
    await index.close();
    throw error;
  }
}

/** One that was killed or stopped says nothing. */
async function statusOf(server: RedisServer): Promise<RackStatus | undefined> {
  return server.status().catch(() => undefined);
}

async function closeShared(shared: Shared | undefined): Promise<void> {
  await Promise.all([shared?.index.close(), shared?.store.close()]);
}

/** The words of a tunnel and those that make it share. */
function sharing(via: TunnelOptions, { index, store }: Shared): TunnelOptions {
  const { sourceWords = [], targetWords = [] } = via;
  return {
    ...via,
    sourceWords: [...sourceWords, "--rack-index", index.url],
    targetWords: [...targetWords, "--rack-store", store.url],
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}
