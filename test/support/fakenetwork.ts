// The filters of a QEMU guest's network backends, made up: packets pass, wait, and are handed on by
// a filter that goes, as they were seen to by QEMU 7.2 and 10.
import type { Qmp } from "../../src/qemu/qmp.ts";

interface Filter {
  readonly id: string;
  readonly netdev: string;
  readonly isOn: boolean;
  readonly packets: number[];
}

export class FakeNetwork {
  /** What has left, by backend. */
  readonly heard = new Map<string, number[]>();
  /** Commands that changed something. */
  readonly changes: string[] = [];
  /** What QEMU says of a backend that it refuses a filter for. */
  readonly faults = new Map<string, string>();
  /** Set it to have the next command fail. */
  failure: Error | undefined;
  private readonly types: ReadonlyMap<string, string>;
  /** The one at the end is next to the guest. */
  private filters: Filter[] = [];

  constructor(types: Record<string, string> = { net0: "tap", net1: "user" }) {
    this.types = new Map(Object.entries(types));
    for (const netdev of this.types.keys()) this.heard.set(netdev, []);
  }

  get qmp(): Qmp {
    return { execute: async (command: string, args: object) => this.run(command, args) } as Qmp;
  }

  get filterCount(): number {
    return this.filters.length;
  }

  /** The guest sends. */
  send(packet: number, netdev = "net0"): void {
    this.pass(packet, netdev, this.filters.length);
  }

  /** On its way to the network, a packet meets the filters before `end`. */
  private pass(packet: number, netdev: string, end: number): void {
    const isMet = (one: Filter): boolean => one.netdev === netdev && one.isOn;
    const filter = this.filters.slice(0, end).findLast(isMet);
    (filter?.packets ?? (this.heard.get(netdev) as number[])).push(packet);
  }

  private run(command: string, args: object): unknown {
    if (this.failure) throw this.failure;
    const words = args as Record<string, string>;
    if (command === "qom-list") return this.filters.map(({ id }) => ({ name: id }));
    if (command === "human-monitor-command") return this.describe();
    this.changes.push(`${command} ${words.id}`);
    if (command === "object-add") this.add(words);
    else if (command === "object-del") this.remove(words.id);
    else throw new Error(`unknown command ${command}`);
    return {};
  }

  private describe(): string {
    const lines = [...this.types].map(([netdev, type]) => ` \\ ${netdev}: index=0,type=${type},x`);
    return lines.join("\r\n");
  }

  private add({ id, netdev, queue, status, position = "tail", insert }: Record<string, string>) {
    const fault = this.faults.get(netdev);
    if (fault !== undefined) throw new Error(fault);
    if (!this.types.has(netdev)) throw new Error("a network backend id");
    if (queue !== "rx") throw new Error("it would hold what the guest receives");
    if (this.filters.some((one) => one.id === id)) throw new Error(`duplicate ${id}`);
    const filter = { id, netdev, isOn: status === "on", packets: [] };
    const other = position.startsWith("id=") ? position.slice(3) : undefined;
    let at = position === "head" ? 0 : this.filters.length;
    if (other !== undefined) {
      at = this.filters.findIndex((one) => one.id === other) + (insert === "before" ? 0 : 1);
    }
    this.filters.splice(at, 0, filter);
  }

  private remove(id: string): void {
    const at = this.filters.findIndex((one) => one.id === id);
    if (at < 0) throw new Error(`no object ${id}`);
    const { packets, netdev } = this.filters[at];
    for (const packet of packets) this.pass(packet, netdev, at);
    this.filters.splice(at, 1);
  }
}
