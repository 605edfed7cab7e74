// Two racks in one machine: hosts are network namespaces, those of a rack hang at a bridge, and one
// link, the core, joins the bridges. Edges and core are shaped, and all their bytes are counted.
// Needs root and iproute2.

import { leftovers, ownPrefix } from "./leftovers.ts";
import {
  type Counters,
  countersOf,
  DEVICE,
  type Host,
  ip,
  NAMESPACES,
  shapeDevice,
} from "./link.ts";

export interface RackSpeeds {
  /** Of each edge, each way; default: not shaped. */
  edgeMbit?: number | undefined;
  /** Of the link between the racks, each way; default: not shaped. */
  coreMbit?: number | undefined;
}

export interface Rack {
  /** Where guests live. */
  hosts: readonly Host[];
  /** Where Redis runs. */
  shared: Host;
  /** An end of other traffic. */
  flow: Host;
  /** The namespace of the bridge. */
  bridge: string;
}

/** From one rack to the other. */
export interface RackWay {
  from: Rack;
  to: Rack;
}

/** Bytes, headers included, since the racks were opened. */
export interface RackTraffic {
  /** From the rack of departure to the other, and back, without what hosts for flows received. */
  coreBytes: number;
  coreReturnBytes: number;
  /** By the namespace of each host. */
  hosts: ReadonlyMap<string, Counters>;
}

const PREFIX = "pagefold-rack";
const BRIDGE = "bridge";
const CORE = "core";
/** 10.78.1.1 is the first host of the first rack, 10.78.2.1 that of the second. */
const NETWORK = "10.78";
let opened = 0;

export class Racks {
  readonly racks: readonly [Rack, Rack];

  private constructor(hostCount: number) {
    const name = `${ownPrefix(PREFIX)}${opened++}`;
    const rack = (letter: string, number: number): Rack => {
      const host = (i: number): Host => ({
        namespace: `${name}${letter}${i}`,
        address: `${NETWORK}.${number}.${i + 1}`,
      });
      const hosts = Array.from({ length: hostCount }, (_, i) => host(i));
      const [shared, flow] = [host(hostCount), host(hostCount + 1)];
      return { hosts, shared, flow, bridge: `${name}${letter}` };
    };
    this.racks = [rack("a", 1), rack("b", 2)];
  }

  /** `hostCount` hosts for guests in each rack. */
  static async open(hostCount: number, speeds: RackSpeeds = {}): Promise<Racks> {
    for (const namespace of leftovers(NAMESPACES, PREFIX)) await ip("netns", "del", namespace);
    const racks = new Racks(hostCount);
    try {
      for (const rack of racks.racks) await openRack(rack);
      const [a, b] = racks.racks;
      const peer = ["peer", "name", CORE, "netns", b.bridge];
      await ip("link", "add", "name", CORE, "netns", a.bridge, "type", "veth", ...peer);
      for (const { bridge } of racks.racks) await plugIn(bridge, CORE);
      await racks.shape(speeds);
      return racks;
    } catch (error) {
      await racks.close();
      throw error;
    }
  }

  async shape({ edgeMbit, coreMbit }: RackSpeeds): Promise<void> {
    for (const rack of this.racks) {
      if (coreMbit !== undefined) await shapeDevice(rack.bridge, CORE, coreMbit);
      if (edgeMbit === undefined) continue;
      for (const [i, { namespace }] of hostsOf(rack).entries()) {
        await shapeDevice(namespace, DEVICE, edgeMbit);
        await shapeDevice(rack.bridge, edge(i), edgeMbit);
      }
    }
  }

  async traffic({ from, to }: RackWay): Promise<RackTraffic> {
    const hosts = new Map<string, Counters>();
    const coming: number[] = [];
    for (const rack of [from, to]) {
      const counters = await countersOf(rack.bridge);
      const flow = counters.get(edge(rack.hosts.length + 1)) ?? NOTHING;
      // Both in one look, because other traffic does not wait for the next one.
      coming.push((counters.get(CORE) ?? NOTHING).receivedBytes - flow.sentBytes);
      for (const [i, { namespace }] of hostsOf(rack).entries()) {
        // What leaves the bridge is what the host receives.
        const { sentBytes, receivedBytes } = counters.get(edge(i)) ?? NOTHING;
        hosts.set(namespace, { sentBytes: receivedBytes, receivedBytes: sentBytes });
      }
    }
    return { coreBytes: coming[1], coreReturnBytes: coming[0], hosts };
  }

  async close(): Promise<void> {
    for (const rack of this.racks) {
      for (const namespace of [...hostsOf(rack).map((host) => host.namespace), rack.bridge]) {
        await ip("netns", "del", namespace).catch(() => undefined);
      }
    }
  }
}

const NOTHING: Counters = { sentBytes: 0, receivedBytes: 0 };

function hostsOf({ hosts, shared, flow }: Rack): readonly Host[] {
  return [...hosts, shared, flow];
}

/** What the bridge calls the link to a host. */
function edge(i: number): string {
  return `edge${i}`;
}

async function openRack(rack: Rack): Promise<void> {
  const { bridge } = rack;
  await ip("netns", "add", bridge);
  await ip("-n", bridge, "link", "add", "name", BRIDGE, "type", "bridge");
  await ip("-n", bridge, "link", "set", BRIDGE, "up");
  for (const [i, { namespace, address }] of hostsOf(rack).entries()) {
    await ip("netns", "add", namespace);
    const peer = ["peer", "name", edge(i), "netns", bridge];
    await ip("link", "add", "name", DEVICE, "netns", namespace, "type", "veth", ...peer);
    await ip("-n", namespace, "link", "set", "lo", "up");
    await ip("-n", namespace, "addr", "add", `${address}/16`, "dev", DEVICE);
    await ip("-n", namespace, "link", "set", DEVICE, "up");
    await plugIn(bridge, edge(i));
  }
}

async function plugIn(bridge: string, device: string): Promise<void> {
  await ip("-n", bridge, "link", "set", device, "master", BRIDGE);
  await ip("-n", bridge, "link", "set", device, "up");
}
