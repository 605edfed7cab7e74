// The pages of a fleet: guests of several kinds of work whose pages are shared by all guests (the
// system), by those of the same work, or by nobody, as often as measured guests share theirs.
import { readFileSync } from "node:fs";
import { type SeededRandom, seededRandom } from "../../test/support/random.ts";

/** Pages of a guest by what they share; see statistics.json for where the numbers come from. */
export interface Workload {
  readonly name: string;
  readonly zero: number;
  /** Those that the same guest has before. */
  readonly duplicate: number;
  /** Distinct pages that every guest has, every guest of this work, this guest alone. */
  readonly system: number;
  readonly work: number;
  readonly own: number;
}

export interface Statistics {
  readonly how: string;
  readonly workloads: readonly Workload[];
  /** What a page of these takes on the wire, compressed. */
  readonly wireBytes: { readonly system: number; readonly work: number; readonly own: number };
  /** Pages that a guest at work sends again, of those it has. */
  readonly again: number;
}

export interface FleetOptions {
  readonly hosts: number;
  readonly guestsPerHost: number;
  /** Kinds of work in the fleet; each is like one of the statistics, with pages of its own. */
  readonly kinds: number;
  /** Whether each host has the same guests, one of each work: as bench:interrack has. */
  readonly isUniform: boolean;
  /** Whether guests have common pages in the same order, so that twins come to them together. */
  readonly isAligned: boolean;
  /** Pages that one of the simulation stands for. */
  readonly scale: number;
  readonly seed: number;
}

/** What a host has to send. Pages are numbers; equal numbers, equal pages. */
export interface HostPages {
  /** Distinct pages by batch, in their order. */
  readonly batches: readonly Uint32Array[];
  /** Of the real host: pages without content of their own, and all that are not zero. */
  readonly zeros: number;
  readonly duplicates: number;
  readonly nonZero: number;
  readonly again: number;
}

export interface Fleet {
  readonly hosts: readonly HostPages[];
  /** Numbers below are shared: first those of the system, then those of each work. */
  readonly sharedCount: number;
  readonly systemCount: number;
}

export function readStatistics(): Statistics {
  return JSON.parse(readFileSync(new URL("statistics.json", import.meta.url), "utf8"));
}

export function makeFleet(statistics: Statistics, options: FleetOptions): Fleet {
  const { workloads } = statistics;
  const { scale, kinds, seed } = options;
  const scaled = (pages: number) => Math.max(Math.round(pages / scale), 1);
  const systemCount = scaled(Math.max(...workloads.map(({ system }) => system)));
  const bases: number[] = [];
  let next = systemCount;
  for (let kind = 0; kind < kinds; kind++) {
    bases.push(next);
    next += scaled(workloads[kind % workloads.length].work);
  }
  const sharedCount = next;
  const random = seededRandom(seed);
  const hosts = Array.from({ length: options.hosts }, () => {
    const guests = Array.from({ length: options.guestsPerHost }, (_, i) => {
      const kind = options.isUniform ? i % kinds : random.int(kinds);
      const workload = workloads[kind % workloads.length];
      const pages = new Uint32Array(
        scaled(workload.system) + scaled(workload.work) + scaled(workload.own),
      );
      let at = 0;
      for (let n = 0; n < scaled(workload.system); n++) pages[at++] = n;
      for (let n = 0; n < scaled(workload.work); n++) pages[at++] = bases[kind] + n;
      while (at < pages.length) pages[at++] = next++;
      shuffle(pages, options.isAligned ? seededRandom(seed + kind) : random);
      return { workload, pages };
    });
    return hostOf(guests, statistics, scale);
  });
  return { hosts, sharedCount, systemCount };
}

function hostOf(
  guests: readonly { readonly workload: Workload; readonly pages: Uint32Array }[],
  statistics: Statistics,
  scale: number,
): HostPages {
  const batchPages = Math.max(Math.round(256 / scale), 1);
  const batches: Uint32Array[] = [];
  const seen = new Set<number>();
  let total = 0;
  for (let first = 0; guests.some(({ pages }) => first < pages.length); first += batchPages) {
    for (const { pages } of guests) {
      const part = pages.subarray(first, first + batchPages);
      total += part.length;
      const fresh = part.filter((page) => !seen.has(page));
      for (const page of fresh) seen.add(page);
      if (part.length > 0) batches.push(fresh);
    }
  }
  const sum = (count: (workload: Workload) => number) =>
    guests.reduce((pages, { workload }) => pages + count(workload), 0);
  const nonZero = sum(({ duplicate, system, work, own }) => duplicate + system + work + own);
  return {
    batches,
    zeros: sum(({ zero }) => zero),
    duplicates: sum(({ duplicate }) => duplicate) + (total - seen.size) * scale,
    nonZero,
    again: Math.round(nonZero * statistics.again),
  };
}

/** Fisher and Yates. */
function shuffle(pages: Uint32Array, random: SeededRandom): void {
  for (let last = pages.length - 1; last > 0; last--) {
    const other = random.int(last + 1);
    [pages[last], pages[other]] = [pages[other], pages[last]];
  }
}
