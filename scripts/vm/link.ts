// Two hosts in one machine: network namespaces joined by a veth pair. A token bucket on both ends
// shapes it, the kernel counts its bytes, and it can be cut. Needs root and iproute2.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { leftovers, ownPrefix } from "./leftovers.ts";

const run = promisify(execFile);

export interface Host {
  namespace: string;
  address: string;
}

/** What hosts call their one network device. */
export const DEVICE = "pagefold0";
export const NAMESPACES = "/run/netns";
const PREFIX = "pagefold-host";
/** What may pass in one go: some milliseconds' worth, or a fast link would never be full. */
const BURST_MS = 4;
const MIN_BURST_BYTES = 512 * 1024;
/** How long a packet may wait for its turn before it is dropped. */
const LATENCY = "50ms";
let links = 0;

export class Link {
  readonly a: Host;
  readonly b: Host;

  private constructor() {
    const name = `${ownPrefix(PREFIX)}${links++}`;
    this.a = { namespace: `${name}a`, address: "10.77.0.1" };
    this.b = { namespace: `${name}b`, address: "10.77.0.2" };
  }

  /** `mbit` in millions of bits a second, each way; without it nothing is shaped. */
  static async open(mbit?: number): Promise<Link> {
    for (const namespace of leftovers(NAMESPACES, PREFIX)) await ip("netns", "del", namespace);
    const link = new Link();
    try {
      for (const { namespace } of link.hosts) await ip("netns", "add", namespace);
      const peer = ["peer", "name", DEVICE, "netns", link.b.namespace];
      const first = ["netns", link.a.namespace];
      await ip("link", "add", "name", DEVICE, ...first, "type", "veth", ...peer);
      for (const { namespace, address } of link.hosts) {
        await ip("-n", namespace, "link", "set", "lo", "up");
        await ip("-n", namespace, "addr", "add", `${address}/24`, "dev", DEVICE);
        await ip("-n", namespace, "link", "set", DEVICE, "up");
      }
      if (mbit !== undefined) await link.shape(mbit);
      return link;
    } catch (error) {
      await link.close();
      throw error;
    }
  }

  get hosts(): readonly [Host, Host] {
    return [this.a, this.b];
  }

  async shape(mbit: number): Promise<void> {
    for (const { namespace } of this.hosts) await shapeDevice(namespace, DEVICE, mbit);
  }

  /** Whatever is sent from now on is lost, as with a pulled cable; nobody is told. */
  async cut(): Promise<void> {
    await ip("-n", this.a.namespace, "link", "set", DEVICE, "down");
  }

  async mend(): Promise<void> {
    await ip("-n", this.a.namespace, "link", "set", DEVICE, "up");
  }

  async close(): Promise<void> {
    for (const { namespace } of this.hosts) {
      await ip("netns", "del", namespace).catch(() => undefined);
    }
  }
}

/** Bytes that a host has sent so far, headers included. */
export async function sentBytes({ namespace }: Host): Promise<number> {
  const found = (await countersOf(namespace)).get(DEVICE);
  if (!found) throw new Error(`${namespace} has no ${DEVICE}`);
  return found.sentBytes;
}

export interface Counters {
  sentBytes: number;
  receivedBytes: number;
}

/** What each device of a namespace has sent and received so far, headers included. */
export async function countersOf(namespace: string): Promise<Map<string, Counters>> {
  const { stdout } = await run("ip", ["-n", namespace, "-s", "-j", "link", "show"]);
  type Device = { ifname: string; stats64: { tx: { bytes: number }; rx: { bytes: number } } };
  return new Map(
    (JSON.parse(stdout) as Device[]).map(({ ifname, stats64: { tx, rx } }) => [
      ifname,
      { sentBytes: tx.bytes, receivedBytes: rx.bytes },
    ]),
  );
}

/** What leaves a device passes a token bucket from now on. */
export async function shapeDevice(namespace: string, device: string, mbit: number): Promise<void> {
  const burst = Math.max(MIN_BURST_BYTES, Math.round((mbit * 1e6 * BURST_MS) / 8000));
  const bucket = ["tbf", "rate", `${mbit}mbit`, "burst", `${burst}`, "latency", LATENCY];
  await run("tc", ["-n", namespace, "qdisc", "replace", "dev", device, "root", ...bucket]);
}

export async function ip(...words: string[]): Promise<void> {
  await run("ip", words);
}
