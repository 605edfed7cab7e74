// Looks for named pages in the store of the rack: in batches, a few at a time, again and again when
// they may be there. They come in groups with others, which may be waited for as well, or soon.
// Each page is checked against its digest before it is handed on.
import { digestKey } from "../core/digests.ts";
import type { HashedPage, PageGroup, PageVisitor } from "../core/pagegroup.ts";
import type { Clock } from "./adaptiverate.ts";
import type { BoundedCalls } from "./boundedcalls.ts";
import { RecentPages } from "./recentpages.ts";
import { digestsOf, type Wait } from "./waitingnames.ts";

/** Digests of one look-up, and look-ups under way. */
const CALL_DIGESTS = 256;
const CALLS = 4;
/** Until a page that is not there is looked for again: what they usually take, within bounds. */
const SHORTEST_MS = 20;
const LONGEST_MS = 200;
const FIRST_GUESS_MS = 50;
/** So many of the last pages say what is usual. */
const LEARNT_FROM = 64;
/** Answers in a row with pages that are not what their digests say. */
const LIES = 3;
/** Pages that are kept, because names come again, and others with them. */
const RECENT_PAGES = 2048;
/** Digests that the store has lied about; beyond, it may lie again. */
const MAX_REFUSED = 4096;

export interface RackLookupsOptions {
  readonly calls: BoundedCalls;
  readonly clock: Clock;
  get(digests: Uint8Array): Promise<readonly PageGroup[]>;
  unpack(groups: readonly PageGroup[], visit: PageVisitor): Promise<void>;
  waitOf(key: string): Wait | undefined;
  found(wait: Wait, page: HashedPage): void;
  /** These are not looked for: the store is left alone, or has something else in their place. */
  unavailable(waits: readonly Wait[]): void;
}

export class RackLookups {
  /** Pages in the store that were not what their digests say. */
  refusedPages = 0;
  private readonly options: RackLookupsOptions;
  private ready: Wait[] = [];
  private later: { readonly at: number; readonly waits: readonly Wait[] }[] = [];
  private readonly looked = new WeakMap<Wait, { readonly firstAt: number; count: number }>();
  private usualMs = FIRST_GUESS_MS;
  private lies = 0;
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
    const due = this.later.filter(({ at }) => at <= now);
    this.later = this.later.filter(({ at }) => at > now);
    for (const { waits } of due) for (const wait of waits) this.ready.push(wait);
    this.look();
  }

  clear(): void {
    this.ready = [];
    this.later = [];
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
    const { calls, get, unavailable } = this.options;
    this.underWay++;
    const answer = await calls.ask(
      () => get(digestsOf(waits)),
      (groups) => void this.take(groups),
    );
    if (answer) await this.take(answer.value);
    this.underWay--;
    const left = waits.filter(isWaiting);
    const isWithout = ({ key }: Wait) => !calls.isOpen || this.refused.has(key);
    const without = left.filter(isWithout);
    this.lookLater(left.filter((wait) => !isWithout(wait)));
    if (without.length > 0) unavailable(without);
    this.look();
  }

  /** Hands on what is there and is what it should be, however late the answer is. */
  private async take(groups: readonly PageGroup[]): Promise<void> {
    if (groups.length === 0) return;
    const { unpack, waitOf, found } = this.options;
    const wrong: string[] = [];
    const visit: PageVisitor = (digests, i, page) => {
      const key = digestKey(digests, i);
      if (!page) {
        wrong.push(key);
        return;
      }
      this.recent.add(key, page);
      const wait = waitOf(key);
      if (!wait) return;
      this.learn(wait);
      found(wait, page);
    };
    // Where nobody can check them, they are not there.
    const isChecked = await unpack(groups, visit).then(
      () => true,
      () => false,
    );
    if (isChecked) this.refuse(wrong);
  }

  /** A store that lies again and again is left alone. */
  private refuse(wrong: readonly string[]): void {
    this.lies = wrong.length > 0 ? this.lies + 1 : 0;
    this.refusedPages += wrong.length;
    for (const key of wrong) if (this.refused.size < MAX_REFUSED) this.refused.add(key);
    if (this.lies < LIES) return;
    this.lies = 0;
    const reason = "what it has is not what its digests say";
    this.options.calls.leaveAlone("MISMATCH", reason);
  }

  /** How long pages take to get into the store once they are named. */
  private learn(wait: Wait): void {
    const looked = this.looked.get(wait);
    if (!looked || looked.count === 0) return;
    const ms = this.options.clock.now() - looked.firstAt;
    this.usualMs += (ms - this.usualMs) / LEARNT_FROM;
  }

  /** The second time when they usually are there, and then more often. */
  private lookLater(waits: readonly Wait[]): void {
    const now = this.options.clock.now();
    const [second, later]: [Wait[], Wait[]] = [[], []];
    for (const wait of waits) {
      const looked = this.looked.get(wait) ?? { firstAt: now, count: 0 };
      this.looked.set(wait, looked);
      (looked.count++ === 0 ? second : later).push(wait);
    }
    const within = (ms: number) => Math.min(Math.max(ms, SHORTEST_MS), LONGEST_MS);
    if (second.length > 0) this.later.push({ at: now + within(this.usualMs), waits: second });
    if (later.length > 0) this.later.push({ at: now + within(this.usualMs / 2), waits: later });
  }
}

/** Somebody does, and for the store. */
function isWaiting({ numbers, isAsked }: Wait): boolean {
  return numbers.size > 0 && !isAsked;
}
