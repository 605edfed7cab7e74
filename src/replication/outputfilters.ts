// Holds what a QEMU guest sends, in filters on its network backends (filter-buffer, queue=rx: what
// the backend receives from the guest; input passes). A filter that goes hands its packets on:
//
//   guest → [epoch running] → [captured, in flight] → [in flight before] → network
//
// so a seal puts a new filter next to the guest, and a release takes the oldest one away.
import { PagefoldError } from "../core/errors.ts";
import type { Qmp } from "../qemu/qmp.ts";
import type { OutputHold } from "./outputhold.ts";

const PREFIX = "pagefold-output-";
/** After this time of the guest a filter lets everything go: its µs have 32 bits. */
const INTERVAL_US = 2 ** 32 - 1;
/** A filter is replaced long before. */
const RENEW_MS = 20 * 60_000;
const wait = { timeoutMs: 10_000 };

export interface OutputFilterOptions {
  /** For tests: after how long QEMU lets go by itself, and when a filter is replaced. */
  readonly intervalMs?: number;
  readonly renewMs?: number;
}

/** A filter on each backend. */
interface Bucket {
  filters: string[];
  /** Not yet: packets of the epoch that runs. */
  seal: number | undefined;
  madeAt: number;
}

export class OutputFilters implements OutputHold {
  private readonly qmp: Qmp;
  private readonly netdevs: readonly string[];
  private readonly intervalUs: number;
  private readonly renewMs: number;
  private readonly timer: NodeJS.Timeout;
  /** The oldest first; the last one is next to the guest. */
  private buckets: Bucket[] = [];
  private nextNumber = 1;
  /** One thing after another, also when nobody waits for it. */
  private last: Promise<unknown> = Promise.resolve();

  /**
   * Takes over what an earlier one has left. Rejects with USAGE and one line if QEMU cannot hold
   * what is sent there, or if something is held elsewhere.
   */
  static async open(
    qmp: Qmp,
    netdevs: readonly string[],
    options: OutputFilterOptions = {},
  ): Promise<OutputFilters> {
    const left = await filtersOf(qmp);
    const other = left.find(({ netdev }) => !netdevs.includes(netdev));
    if (other) {
      const reason = `output of ${other.netdev} is held by one that has ended`;
      throw new PagefoldError("USAGE", `${reason}: hold it as well, or release the guest`);
    }
    const opened = new OutputFilters(qmp, netdevs, options);
    try {
      for (const { number } of left) opened.nextNumber = Math.max(opened.nextNumber, number + 1);
      for (const netdev of netdevs) await opened.check(netdev);
      if (left.length > 0) await opened.adopt(left.map(({ name }) => name));
      return opened;
    } catch (error) {
      opened.close();
      throw error;
    }
  }

  private constructor(qmp: Qmp, netdevs: readonly string[], options: OutputFilterOptions) {
    const { intervalMs, renewMs = RENEW_MS } = options;
    this.qmp = qmp;
    this.netdevs = netdevs;
    this.intervalUs = intervalMs === undefined ? INTERVAL_US : intervalMs * 1000;
    this.renewMs = renewMs;
    // What fails here fails again at the next seal, or with the monitor.
    const renew = (): void => void this.renew().catch(() => undefined);
    this.timer = setInterval(renew, renewMs / 4).unref();
  }

  get isHolding(): boolean {
    return this.buckets.length > 0;
  }

  seal(number: number): Promise<void> {
    return this.inOrder(async () => {
      const filters = await this.add(() => ({ position: "tail" }));
      const open = this.buckets.at(-1);
      if (open) open.seal = number;
      this.buckets.push({ filters, seal: undefined, madeAt: performance.now() });
    });
  }

  release(number: number): Promise<void> {
    return this.inOrder(async () => {
      while (this.buckets.length > 0) {
        const [{ seal, filters }] = this.buckets;
        if (seal === undefined || seal > number) return;
        this.buckets.shift();
        await removeFilters(this.qmp, filters);
      }
    });
  }

  letGo(): Promise<void> {
    return this.inOrder(async () => {
      for (const { filters } of this.buckets.splice(0)) await removeFilters(this.qmp, filters);
    });
  }

  /** Leaves everything held. */
  close(): void {
    clearInterval(this.timer);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Has new filters hold what old ones do, before those let it go by themselves. */
  private renew(): Promise<void> {
    return this.inOrder(async () => {
      for (const bucket of this.buckets) {
        if (performance.now() - bucket.madeAt < this.renewMs) continue;
        const old = bucket.filters;
        const behind = (i: number) => ({ position: `id=${old[i]}`, insert: "before" });
        bucket.filters = await this.add(behind);
        bucket.madeAt = performance.now();
        await removeFilters(this.qmp, old);
      }
    });
  }

  /** What was held before the first seal belongs to the first epoch. */
  private async adopt(old: readonly string[]): Promise<void> {
    const filters = await this.add(() => ({ position: "head" }));
    this.buckets.push({ filters, seal: undefined, madeAt: performance.now() });
    await removeFilters(this.qmp, old);
  }

  /** A filter on each backend. Packets of the guest meet the one at the tail first. */
  private async add(place: (i: number) => object): Promise<string[]> {
    const number = this.nextNumber++;
    const added: string[] = [];
    for (const [i, netdev] of this.netdevs.entries()) {
      const id = `${PREFIX}${number}-${netdev}`;
      const more = { status: "on", interval: this.intervalUs, ...place(i) };
      await this.qmp.execute("object-add", filter(id, netdev, more), wait);
      added.push(id);
    }
    return added;
  }

  /** QEMU refuses filters where they would hold nothing, vhost of the kernel included. */
  private async check(netdev: string): Promise<void> {
    const line = { "command-line": "info network" };
    const text = await this.qmp.execute<string>("human-monitor-command", line, wait);
    const refuse = (reason: string): never => {
      throw new PagefoldError("USAGE", `output of ${netdev} cannot be held: ${reason}`);
    };
    const [, type] =
      text
        .split(` ${netdev}: `)
        .at(1)
        ?.match(/type=([^,\s]+)/) ?? [];
    // It is refused only while its other end is there.
    if (type?.startsWith("vhost-")) refuse(`it is a ${type}, whose packets QEMU does not see`);
    const id = `${PREFIX}${this.nextNumber++}-${netdev}`;
    const off = filter(id, netdev, { status: "off", interval: 1 });
    await this.qmp.execute("object-add", off, wait).catch((error) => refuse(error.message));
    await removeFilters(this.qmp, [id]);
  }

  private inOrder(operation: () => Promise<void>): Promise<void> {
    const done = this.last.then(operation);
    this.last = done.catch(() => undefined);
    return done;
  }
}

/** Lets go whatever one that has ended holds; returns the backends. Packets keep their order. */
export async function releaseOutput(qmp: Qmp): Promise<string[]> {
  const held = await filtersOf(qmp);
  const names = held.sort((a, b) => a.number - b.number).map(({ name }) => name);
  await removeFilters(qmp, names);
  return [...new Set(held.map(({ netdev }) => netdev))];
}

function filter(id: string, netdev: string, more: object): object {
  return { "qom-type": "filter-buffer", id, netdev, queue: "rx", ...more };
}

async function filtersOf(qmp: Qmp) {
  const objects = await qmp.execute<{ name: string }[]>("qom-list", { path: "/objects" }, wait);
  return objects.flatMap(({ name }) => {
    const [, number, netdev] = /^pagefold-output-(\d+)-(.+)$/.exec(name) ?? [];
    return netdev === undefined ? [] : [{ name, number: Number(number), netdev }];
  });
}

async function removeFilters(qmp: Qmp, names: readonly string[]): Promise<void> {
  for (const id of names) await qmp.execute("object-del", { id }, wait);
}
