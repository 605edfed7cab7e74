// One run of the simulator: racks, hosts and links are made, all hosts of the source racks move at
// once, and what that took is counted. The same scenario and seed give the same figures.
import { VirtualClock } from "../../test/support/virtualclock.ts";
import { type Fleet, makeFleet, type Statistics } from "./fleet.ts";
import { Mover, type Place } from "./mover.ts";
import { Link, Server } from "./network.ts";
import { movePlain } from "./plain.ts";
import { SimIndex, SimStore } from "./services.ts";

export const WAYS = ["plain", "gang", "rack"] as const;
export type Way = (typeof WAYS)[number];

export interface Scenario {
  /** Half of them are emptied into the other half, each into one. */
  readonly racks: number;
  /** Hosts that are emptied. */
  readonly hosts: number;
  readonly guestsPerHost: number;
  readonly kinds: number;
  readonly isUniform: boolean;
  readonly isAligned: boolean;
  readonly edgeMbit: number;
  /** What the hosts of a rack could send together, against what leaves it. */
  readonly oversubscription: number;
  /** Link of each node of an index or a store. */
  readonly serviceMbit: number;
  /** Part of the core that others use. */
  readonly coreLoad: number;
  readonly cores: number;
  /** All hosts share so many processors instead: as in a test on one machine. */
  readonly sharedCores?: number | undefined;
  /** One index for all racks; otherwise one for each. */
  readonly isIndexShared: boolean;
  readonly indexNodes: number;
  readonly storeNodes: number;
  readonly heldPages: number;
  readonly scale: number;
  readonly seed: number;
}

export interface Figures {
  readonly way: Way;
  /** Over the links that leave racks, and what went that way for the index alone. */
  readonly coreBytes: number;
  readonly totalMs: number;
  readonly cpuMs: number;
  /** Of the busiest index and the busiest store. */
  readonly indexCallsPerSecond: number;
  readonly indexDigestsPerSecond: number;
  readonly indexBusy: number;
  readonly storePutsPerSecond: number;
  readonly storeGetsPerSecond: number;
  readonly storeBusy: number;
  /** Distinct pages per target rack, summed up; those sent, and how many more than once each. */
  readonly distinctPages: number;
  readonly contentPages: number;
  readonly raceRate: number;
  readonly namedPages: number;
  readonly answeredPages: number;
  readonly timeouts: number;
  readonly peakHeldPages: number;
  /** Pages that came twice, and that did not come: none, or the simulator is wrong. */
  readonly faults: number;
}

const LATENCY_MS = 0.05;

interface Rack {
  readonly up: Link;
  readonly down: Link;
  readonly targetUp: Link;
  readonly targetDown: Link;
  readonly store: SimStore;
  readonly storeLinks: readonly [Link, Link];
  contents: number;
}

interface Indexed {
  readonly index: SimIndex;
  readonly links: readonly [Link, Link];
  readonly rack: number;
}

class Run {
  private readonly clock = new VirtualClock();
  private readonly scenario: Scenario;
  private readonly statistics: Statistics;
  private readonly fleet: Fleet;
  private readonly racks: Rack[];
  private readonly indexes: Indexed[];
  private readonly sharedCpu: Server | undefined;
  private readonly cpus: Server[] = [];

  constructor(statistics: Statistics, scenario: Scenario, fleet: Fleet) {
    const { racks, hosts, edgeMbit, oversubscription, coreLoad, scale } = scenario;
    const { clock } = this;
    this.scenario = scenario;
    this.statistics = statistics;
    this.fleet = fleet;
    const pairs = racks / 2;
    const coreMbit = ((Math.ceil(hosts / pairs) * edgeMbit) / oversubscription) * (1 - coreLoad);
    const link = (mbit: number) => new Link(clock, mbit, LATENCY_MS);
    const service = (nodes: number) => {
      const mbit = scenario.serviceMbit * nodes;
      return [link(mbit), link(mbit)] as const;
    };
    if (scenario.sharedCores) this.sharedCpu = new Server(clock, scenario.sharedCores);
    const machine = this.sharedCpu;
    this.racks = Array.from({ length: pairs }, () => ({
      ...{ up: link(coreMbit), down: link(coreMbit) },
      ...{ targetUp: link(coreMbit), targetDown: link(coreMbit) },
      store: new SimStore(clock, scale, scenario.storeNodes, machine),
      storeLinks: service(scenario.storeNodes),
      contents: 0,
    }));
    this.indexes = Array.from({ length: scenario.isIndexShared ? 1 : pairs }, (_, rack) => ({
      index: new SimIndex(clock, scale, scenario.indexNodes, machine),
      links: service(scenario.indexNodes),
      rack,
    }));
  }

  async play(way: Way): Promise<Figures> {
    const { clock, fleet } = this;
    const movers: Mover[] = [];
    const works = fleet.hosts.map(async (pages, i) => {
      const { place, edges } = this.place(i);
      if (way === "plain") return movePlain(place, pages);
      const shares = way === "rack" ? await this.shares(i, edges) : undefined;
      const mover = new Mover(place, pages, shares);
      movers.push(mover);
      return mover.run();
    });
    await clock.run(Promise.all(works));
    const totalMs = clock.now();
    const figures = this.figures(way, totalMs, movers);
    await clock.run(Promise.all(movers.map((mover) => mover.close())));
    return figures;
  }

  private cpu(): Server {
    const cpu = this.sharedCpu ?? new Server(this.clock, this.scenario.cores);
    if (!this.cpus.includes(cpu)) this.cpus.push(cpu);
    return cpu;
  }

  private place(host: number) {
    const { clock, fleet, scenario } = this;
    const { edgeMbit, scale, heldPages } = scenario;
    const rack = this.racks[host % this.racks.length];
    const link = () => new Link(clock, edgeMbit, LATENCY_MS);
    const edges = {
      source: [link(), link()] as const,
      target: [link(), link()] as const,
    };
    const { system, work, own } = this.statistics.wireBytes;
    const place: Place = {
      clock,
      scale,
      there: [edges.source[0], rack.up, rack.targetDown, edges.target[1]],
      back: [edges.target[0], rack.targetUp, rack.down, edges.source[1]],
      sourceCpu: this.cpu(),
      targetCpu: this.cpu(),
      heldPages,
      wireBytes: (page) => {
        if (page < fleet.systemCount) return system;
        return page < fleet.sharedCount ? work : own;
      },
      contentSent: () => {
        rack.contents += scale;
      },
    };
    return { place, edges };
  }

  private async shares(host: number, edges: ReturnType<Run["place"]>["edges"]) {
    const at = host % this.racks.length;
    const rack = this.racks[at];
    const { index, links, rack: home } = this.indexes[at % this.indexes.length];
    // An index of another rack is reached over the core.
    const out = home === at ? [] : [rack.up, this.racks[home].down];
    const back = home === at ? [] : [this.racks[home].up, rack.down];
    const member = await index.join(`rack${at}`, `host${host}`, {
      there: [edges.source[0], ...out, links[1]],
      back: [links[0], ...back, edges.source[1]],
    });
    const [storeOut, storeIn] = rack.storeLinks;
    const store = rack.store.at({
      there: [edges.target[0], storeIn],
      back: [storeOut, edges.target[1]],
    });
    return { member, store };
  }

  private figures(way: Way, totalMs: number, movers: readonly Mover[]): Figures {
    const { racks, indexes, scenario } = this;
    const sum = <T>(all: readonly T[], of: (one: T) => number) =>
      all.reduce((total, one) => total + of(one), 0);
    const busiest = <T>(all: readonly T[], of: (one: T) => number) => Math.max(...all.map(of));
    const perSecond = (count: number) => (count / totalMs) * 1000;
    const distinctPages = way === "plain" ? 0 : this.distinctPages();
    const contentPages = sum(racks, ({ contents }) => contents);
    const { indexNodes, storeNodes } = scenario;
    return {
      way,
      coreBytes: sum(racks, ({ up }) => up.bytes),
      totalMs,
      cpuMs: sum(this.cpus, ({ busyMs }) => busyMs),
      indexCallsPerSecond: perSecond(busiest(indexes, ({ index }) => index.calls)),
      indexDigestsPerSecond: perSecond(busiest(indexes, ({ index }) => index.digests)),
      indexBusy: busiest(indexes, ({ index }) => index.server.busyMs / totalMs / indexNodes),
      storePutsPerSecond: perSecond(busiest(racks, ({ store }) => store.puts)),
      storeGetsPerSecond: perSecond(busiest(racks, ({ store }) => store.hits + store.misses)),
      storeBusy: busiest(racks, ({ store }) => store.server.busyMs / totalMs / storeNodes),
      distinctPages,
      contentPages,
      raceRate: way === "rack" ? contentPages / distinctPages - 1 : 0,
      namedPages: sum(movers, ({ names }) => names?.counts.named ?? 0) * scenario.scale,
      answeredPages: sum(movers, ({ names }) => names?.counts.answered ?? 0) * scenario.scale,
      timeouts: sum(movers, ({ names }) => names?.counts.timeouts ?? 0),
      peakHeldPages: Math.max(0, ...movers.map(({ peakHeld }) => peakHeld)) * scenario.scale,
      faults: sum(movers, ({ faults }) => faults),
    };
  }

  /** Of each target rack. */
  private distinctPages(): number {
    const { fleet, racks, scenario } = this;
    return racks.reduce((total, _, rack) => {
      const seen = new Uint8Array(fleet.sharedCount);
      let count = 0;
      fleet.hosts.forEach(({ batches }, host) => {
        if (host % racks.length !== rack) return;
        for (const page of batches.flatMap((batch) => [...batch])) {
          if (page < fleet.sharedCount && seen[page]++ > 0) continue;
          count++;
        }
      });
      return total + count * scenario.scale;
    }, 0);
  }
}

/** Moves all hosts in each of the ways. */
export async function play(
  statistics: Statistics,
  scenario: Scenario,
  ways: readonly Way[] = WAYS,
): Promise<Figures[]> {
  const { racks, hosts } = scenario;
  if (racks < 2 || racks % 2 !== 0 || hosts < racks / 2) {
    throw new Error(`${racks} racks do not make pairs for ${hosts} hosts`);
  }
  const fleet = makeFleet(statistics, scenario);
  const all: Figures[] = [];
  for (const way of ways) all.push(await new Run(statistics, scenario, fleet).play(way));
  return all;
}
