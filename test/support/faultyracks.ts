// An index and a store of racks that fail as they are told to, and a clock for which little time
// lasts long: what is bounded by seconds ends in a test's time.
import { setTimeout as sleep } from "node:timers/promises";
import { DIGEST_BYTES } from "../../src/core/page.ts";
import type { Clock } from "../../src/migration/adaptiverate.ts";
import { MemoryIndex } from "../../src/store/memoryindex.ts";
import { MemoryPages } from "../../src/store/memorypages.ts";
import {
  Claim,
  type IndexMember,
  type IndexStatus,
  type PageStore,
  type RackIndex,
  type SealedGroup,
} from "../../src/store/store.ts";

/** Told of each call before it is made: what it throws or waits for, the caller gets. */
export type BeforeCall = (call: string) => Promise<void> | void;

export function never(): Promise<never> {
  return new Promise(() => undefined);
}

/** One on which `times` as much time passes. */
export function hastyClock(times: number): Clock {
  return {
    now: () => performance.now() * times,
    sleep: (ms, signal) => sleep(ms / times, undefined, { signal }),
  };
}

export class FaultyIndex implements RackIndex {
  before: BeforeCall = () => undefined;
  readonly inner: RackIndex;

  constructor(clock: Clock) {
    this.inner = new MemoryIndex(clock);
  }

  async join(rack: string, host: string): Promise<IndexMember> {
    const member = await this.inner.join(rack, host);
    const about = async <T>(name: string, call: () => Promise<T>): Promise<T> => {
      await this.before(name);
      return call();
    };
    return {
      token: member.token,
      claim: (digests, handles) => about("claim", () => member.claim(digests, handles)),
      wants: () => about("wants", () => member.wants()),
      stored: (digests) => about("stored", () => member.stored(digests)),
      takeOver: (digests, handles) => about("takeOver", () => member.takeOver(digests, handles)),
      release: (digests) => about("release", () => member.release(digests)),
      leave: () => about("leave", () => member.leave()),
    };
  }

  status(): Promise<IndexStatus> {
    return this.inner.status();
  }

  async close(): Promise<void> {}
}

/** Says of every page that the store has it. */
export class LyingIndex extends FaultyIndex {
  override async join(rack: string, host: string): Promise<IndexMember> {
    return {
      ...(await super.join(rack, host)),
      claim: async (digests) => ({
        states: new Uint8Array(digests.length / DIGEST_BYTES).fill(Claim.STORED),
        wants: { digests: new Uint8Array(0), handles: new Uint32Array(0) },
      }),
    };
  }
}

export class FaultyPages implements PageStore {
  before: BeforeCall = () => undefined;
  /** Changes what is found. */
  change: (sealed: Uint8Array) => Uint8Array | undefined = (sealed) => sealed;
  inner: PageStore;
  private readonly clock: Clock;

  constructor(clock: Clock, maxBytes?: number) {
    this.clock = clock;
    this.inner = new MemoryPages({ clock, maxBytes });
  }

  /** Everything is gone. */
  flush(): void {
    this.inner = new MemoryPages({ clock: this.clock });
  }

  rack(): Promise<string> {
    return this.inner.rack();
  }

  async put(groups: readonly SealedGroup[], lifeMs: number): Promise<void> {
    const own = groups.map(({ name, digests, sealed }) => {
      return { name, digests: digests.slice(), sealed: new Uint8Array(sealed) };
    });
    await this.before("put");
    return this.inner.put(own, lifeMs);
  }

  async find(digests: Uint8Array): Promise<(Uint8Array | undefined)[]> {
    await this.before("get");
    return this.inner.find(digests);
  }

  async get(names: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    const found = await this.inner.get(names);
    return found.map((sealed) => sealed && this.change(sealed));
  }

  status() {
    return this.inner.status();
  }

  async close(): Promise<void> {}
}
