// Looks for named pages in the store of the rack: in batches, a few at a time, again and again with
// growing delays. What it finds is checked against its digest before it is handed on.
import { PagefoldError } from "../core/errors.ts";
import type { Clock } from "./adaptiverate.ts";
import type { BoundedCalls } from "./boundedcalls.ts";
import { RecentPages } from "./recentpages.ts";
import { digestsOf, type Wait } from "./waitingnames.ts";

/** Digests of one look-up, and look-ups under way. */
const CALL_DIGESTS = 256;
const CALLS = 4;
/** Until a page that is not there is looked for again. */
const DELAYS_MS = [10, 20, 40, 80, 100];
/** Pages that are kept, because names come again. */
const RECENT_PAGES = 1024;
/** Digests that the store has lied about; beyond, it may lie again. */
const MAX_REFUSED = 4096;

export interface RackLookupsOptions {
  readonly calls: BoundedCalls;
  readonly clock: Clock;
  get(digests: Uint8Array): Promise<(Uint8Array | undefined)[]>;
  verify(digests: Uint8Array, pages: readonly Uint8Array[]): Promise<readonly boolean[]>;
  found(wait: Wait, page: Uint8Array): void;
  /** These are not looked for: the store is left alone, or has something else in their place. */
  unavailable(waits: readonly Wait[]): void;
}

export class RackLookups {
  /** Pages in the store that were not what their digests say. */
  refusedPages = 0;
  private readonly options: RackLookupsOptions;
  private ready: Wait[] = [];
  /** By the time at which they are looked for again, by how often they have been. */
  private readonly later: { readonly at: number; readonly waits: readonly Wait[] }[][] =
    DELAYS_MS.map(() => []);
  private readonly lookups = new WeakMap<Wait, number>();
  private readonly recent = new RecentPages(RECENT_PAGES);
  private readonly refused = new Set<string>();
  private underWay = 0;
  private isSoon = false;

  constructor(options: RackLookupsOptions) {
    this.options = options;
  }

  /** Looks for it once everything of this moment has been named. */
  add(wait: Wait): void {
    this.ready.push(wait);
    if (this.isSoon) return;
    this.isSoon = true;
    queueMicrotask(() => {
      this.isSoon = false;
      this.look();
    });
  }

  /** Looks again for what is due. */
  tick(): void {
    const now = this.options.clock.now();
    for (const later of this.later) {
      while (later.length > 0 && later[0].at <= now) {
        for (const wait of later.shift()?.waits ?? []) this.ready.push(wait);
      }
    }
    this.look();
  }

  clear(): void {
    this.ready = [];
    for (const later of this.later) later.length = 0;
  }

  private look(): void {
    const { calls, found, unavailable } = this.options;
    while (this.ready.length > 0 && (this.underWay < CALLS || !calls.isOpen)) {
      const { isOpen } = calls;
      const waits: Wait[] = [];
      const without: Wait[] = [];
      for (const wait of this.ready.splice(0, CALL_DIGESTS)) {
        if (!isWaiting(wait)) continue;
        const page = this.recent.get(wait.key);
        if (page) found(wait, page);
        else if (isOpen && !this.refused.has(wait.key)) waits.push(wait);
        else without.push(wait);
      }
      if (without.length > 0) unavailable(without);
      if (waits.length > 0) void this.lookUp(waits);
    }
  }

  private async lookUp(waits: readonly Wait[]): Promise<void> {
    const { calls, unavailable } = this.options;
    this.underWay++;
    await calls.ask(() => this.fetch(waits));
    this.underWay--;
    const left = waits.filter(isWaiting);
    const without = left.filter(({ key }) => this.refused.has(key));
    if (without.length > 0) unavailable(without);
    this.lookLater(left.filter(({ key }) => !this.refused.has(key)));
    this.look();
  }

  /** Hands on what is there and is what it should be, however late the answer is. */
  private async fetch(waits: readonly Wait[]): Promise<void> {
    const { get, verify, found } = this.options;
    const answer = await get(digestsOf(waits));
    const isWanted = waits.map(({ numbers }, i) => answer[i] !== undefined && numbers.size > 0);
    const there = waits.filter((_, i) => isWanted[i]);
    if (there.length === 0) return;
    const pages = answer.filter((page, i) => page !== undefined && isWanted[i]) as Uint8Array[];
    const isRight = await verify(digestsOf(there), pages);
    const wrong: Wait[] = [];
    there.forEach((wait, i) => {
      if (!isRight[i]) {
        wrong.push(wait);
        return;
      }
      this.recent.add(wait.key, pages[i]);
      found(wait, pages[i]);
    });
    if (wrong.length === 0) return;
    this.refusedPages += wrong.length;
    for (const { key } of wrong) if (this.refused.size < MAX_REFUSED) this.refused.add(key);
    throw new PagefoldError("MISMATCH", `${wrong.length} pages are not what their digests say`);
  }

  private lookLater(waits: readonly Wait[]): void {
    const now = this.options.clock.now();
    const byDelay = DELAYS_MS.map((): Wait[] => []);
    for (const wait of waits) {
      const lookups = this.lookups.get(wait) ?? 0;
      this.lookups.set(wait, lookups + 1);
      byDelay[Math.min(lookups, DELAYS_MS.length - 1)].push(wait);
    }
    byDelay.forEach((some, i) => {
      if (some.length > 0) this.later[i].push({ at: now + DELAYS_MS[i], waits: some });
    });
  }
}

/** Somebody does, and for the store. */
function isWaiting({ numbers, isAsked }: Wait): boolean {
  return numbers.size > 0 && !isAsked;
}
