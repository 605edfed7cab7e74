// The target's end of a rack: finds the pages that were named in the store of the rack, and asks
// their own source for what is not there in time. Puts into the store what other targets want.
// Nothing here waits for a guest: what arrives is handed on at once.
import { PagefoldError } from "../core/errors.ts";
import type { HashedPage, PageGroup, PageVisitor } from "../core/pagegroup.ts";
import type { Clock } from "./adaptiverate.ts";
import { BoundedCalls } from "./boundedcalls.ts";
import { RackLookups } from "./racklookups.ts";
import { RackPuts } from "./rackputs.ts";
import { type Wait, WaitingNames } from "./waitingnames.ts";

/** A look-up that takes longer counts as a failure, and so does a call that puts. */
const GET_MS = 1000;
const PUT_MS = 2000;
/** What is due is seen to so often. */
const TICK_MS = 25;
/** After that the source of a name is asked. No guest stalls meanwhile, but its source holds it. */
const PATIENCE_MS = 4000;
/** Names of one message to the source. */
const MESSAGE_NAMES = 256;
/** Resolved names are said together: so many, or those of so long. The source has room for them. */
const RESOLVED_NAMES = 512;
const RESOLVED_MS = 100;

export interface RackPagesOptions {
  /** Opened groups: those that have some of the pages. */
  readonly store: {
    put(groups: readonly PageGroup[]): Promise<void>;
    get(digests: Uint8Array): Promise<readonly PageGroup[]>;
  };
  readonly clock: Clock;
  /** What the session does; none of it throws. */
  readonly session: {
    /** Visits all pages of groups; each is valid during the call. */
    unpack(groups: readonly PageGroup[], visit: PageVisitor): Promise<void>;
    /** A name is resolved: page is valid during the call. */
    arrived(number: number, page: HashedPage): void;
    /** To the source. */
    missing(numbers: readonly number[]): void;
    resolved(numbers: readonly number[]): void;
    stored(digests: Uint8Array): void;
    notice(message: string): void;
  };
}

export class RackPages {
  private readonly numbers = {
    /** Names that came; those that the store resolved, their own source, or nobody needed. */
    named: 0,
    fetched: 0,
    answered: 0,
    cancelled: 0,
    /** Names that the source was asked for. */
    missing: 0,
  };
  private readonly options: RackPagesOptions;
  private readonly names = new WaitingNames();
  private readonly getCalls: BoundedCalls;
  private readonly putCalls: BoundedCalls;
  private readonly lookups: RackLookups;
  private readonly puts: RackPuts;
  private readonly told = new Set<string>();
  private resolvedNames: number[] = [];
  private saidAt = Number.NEGATIVE_INFINITY;
  private ticking: Promise<void> | undefined;
  private readonly closed = new AbortController();

  constructor(options: RackPagesOptions) {
    const { store, clock, session } = options;
    this.options = options;
    this.getCalls = this.callsOf(GET_MS);
    this.putCalls = this.callsOf(PUT_MS);
    this.lookups = new RackLookups({
      calls: this.getCalls,
      clock,
      get: (digests) => store.get(digests),
      unpack: (groups, visit) => session.unpack(groups, visit),
      waitOf: (key) => this.names.waitFor(key),
      found: (wait, page) => {
        this.numbers.fetched += this.resolve(wait, page);
      },
      // The answer for one of a digest is for all.
      unavailable: (waits) => this.askSource(waits.flatMap(({ numbers }) => [...numbers])),
    });
    this.puts = new RackPuts({
      calls: this.putCalls,
      put: (groups) => store.put(groups),
      stored: (digests) => session.stored(digests),
    });
  }

  get counts() {
    return { ...this.numbers, refused: this.lookups.refusedPages, ...this.puts.counts };
  }

  /** A batch has named a page. CONNECTION: it is not the next number. */
  named(number: number, digest: Uint8Array): void {
    if (this.isClosed) return;
    if (number !== this.numbers.named) {
      const text = `name ${number} came where ${this.numbers.named} is due`;
      throw new PagefoldError("CONNECTION", text);
    }
    this.numbers.named++;
    const wait = this.names.add(number, digest, this.options.clock.now() + PATIENCE_MS);
    if (wait) this.lookups.add(wait);
    this.ticking ??= this.tickAll();
  }

  /** Its own source has sent the content: → arrived, resolved. CONNECTION: nobody named it. */
  answered(number: number, page: HashedPage): void {
    if (this.isClosed) return;
    if (number >= this.numbers.named) {
      throw new PagefoldError("CONNECTION", `content came for name ${number}, which nobody gave`);
    }
    // What was found or given up while the answer was under way has gone already.
    const wait = this.names.waitOf(number);
    if (wait) this.numbers.answered += this.resolve(wait, page);
  }

  /** Nobody needs it any more (newer write, guest over): → resolved, nothing arrives. */
  cancel(number: number): void {
    if (this.isClosed || !this.names.waitOf(number)) return;
    this.numbers.cancelled++;
    const next = this.names.remove(number);
    this.isResolved(number);
    // The source may drop its answers for a guest that is over, and others must not wait for them.
    if (next !== undefined) this.askSource([next]);
  }

  /** These are waited for: asks the source at once. */
  urge(numbers: readonly number[]): void {
    if (!this.isClosed) this.askSource(numbers);
  }

  /** Puts pages of our slots, which have their digests, into the rack's store: → stored. */
  put(groups: readonly PageGroup[]): void {
    if (!this.isClosed) this.puts.put(groups);
  }

  /** Nothing arrives any more, and nothing is said to the source. */
  async close(): Promise<void> {
    this.closed.abort(new PagefoldError("CONNECTION", "the session is over"));
    this.getCalls.close();
    this.putCalls.close();
    this.names.clear();
    this.lookups.clear();
    await this.ticking;
  }

  private get isClosed(): boolean {
    return this.closed.signal.aborted;
  }

  private callsOf(limitMs: number): BoundedCalls {
    return new BoundedCalls({
      clock: this.options.clock,
      service: "rack store",
      limitMs,
      effect: "hosts send again what others have sent",
      notice: (message, cause) => {
        if (!this.told.has(cause)) this.options.session.notice(message);
        this.told.add(cause);
      },
    });
  }

  /** To all that wait for it; returns how many those are. */
  private resolve(wait: Wait, page: HashedPage): number {
    let count = 0;
    for (const number of wait.numbers) {
      this.names.remove(number);
      this.options.session.arrived(number, page);
      this.isResolved(number);
      count++;
    }
    return count;
  }

  private isResolved(number: number): void {
    this.resolvedNames.push(number);
    if (this.resolvedNames.length >= RESOLVED_NAMES) this.sayResolved();
  }

  private sayResolved(): void {
    const numbers = this.resolvedNames;
    this.resolvedNames = [];
    this.saidAt = this.options.clock.now();
    if (numbers.length > 0 && !this.isClosed) this.options.session.resolved(numbers);
  }

  /** In the order of the names: the source releases the oldest first. */
  private askSource(numbers: readonly number[]): void {
    const asked = this.names.ask(numbers);
    this.numbers.missing += asked.length;
    for (let at = 0; at < asked.length; at += MESSAGE_NAMES) {
      this.options.session.missing(asked.slice(at, at + MESSAGE_NAMES));
    }
  }

  /** Runs while there is anything to be seen to. */
  private async tickAll(): Promise<void> {
    const { clock } = this.options;
    while (this.names.size > 0 || this.resolvedNames.length > 0) {
      await clock.sleep(TICK_MS, this.closed.signal).catch(() => undefined);
      if (this.isClosed) return;
      if (clock.now() >= this.saidAt + RESOLVED_MS) this.sayResolved();
      this.askSource(this.names.due(clock.now()));
      this.lookups.tick();
    }
    this.ticking = undefined;
  }
}
