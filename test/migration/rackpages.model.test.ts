// Both ends of racks together, in random worlds: hosts with common pages, an index and a store that
// are slow, gone, flushed or wrong for a while, hosts that die. Whatever happens, every page that a
// living host has sent arrives once, is right, and comes in bounded time.
import { describe, expect, it } from "vitest";
import { PagefoldError } from "../../src/core/errors.ts";
import type { PageGroup } from "../../src/core/pagegroup.ts";
import { MemoryIndex } from "../../src/store/memoryindex.ts";
import { MemoryPages } from "../../src/store/memorypages.ts";
import { SealedPages } from "../../src/store/sealedpages.ts";
import type { ClaimAnswer, IndexMember } from "../../src/store/store.ts";
import { groupOf } from "../support/pagegroups.ts";
import { Pair, pageOf, type World } from "../support/rackworld.ts";
import { randomSeed, type SeededRandom, seededRandom } from "../support/random.ts";
import { VirtualClock } from "../support/virtualclock.ts";

const FAULTS = ["slow", "gone", "silent", "flushed", "wrong"] as const;
type Fault = (typeof FAULTS)[number];

/** A service that is well but for some time. */
class Trouble {
  private readonly clock: VirtualClock;
  private readonly random: SeededRandom;
  private readonly fault: Fault | undefined;
  private readonly from: number;
  private readonly to: number;

  constructor(clock: VirtualClock, random: SeededRandom, fault: Fault | undefined) {
    this.clock = clock;
    this.random = random;
    this.fault = fault;
    this.from = random.int(200);
    this.to = this.from + 100 + random.int(random.int(2) === 0 ? 400 : 8000);
  }

  get now(): Fault | undefined {
    const ms = this.clock.now();
    return ms >= this.from && ms < this.to ? this.fault : undefined;
  }

  async call<T>(call: () => Promise<T>): Promise<T> {
    await this.clock.sleep(this.random.int(4));
    const { now } = this;
    if (now === "slow") await this.clock.sleep(1000);
    if (now === "silent") return new Promise(() => {});
    if (now === "gone") throw new PagefoldError("CONNECTION", "nobody listens there");
    const value = await call();
    await this.clock.sleep(this.random.int(4));
    return value;
  }
}

/** An index that forgets everything, or says anything. */
class Racks {
  private readonly clock: VirtualClock;
  private readonly random: SeededRandom;
  private readonly trouble: Trouble;
  private index: MemoryIndex;
  private isFlushed = false;

  constructor(clock: VirtualClock, random: SeededRandom, trouble: Trouble) {
    this.clock = clock;
    this.random = random;
    this.trouble = trouble;
    this.index = new MemoryIndex(clock);
  }

  async join(host: string): Promise<IndexMember> {
    const { trouble } = this;
    let index = this.index;
    let member = await index.join("rack", host);
    const call = <T>(ask: (member: IndexMember) => Promise<T>) => {
      return trouble.call(async () => {
        this.flush();
        if (index !== this.index) member = await this.index.join("rack", host);
        index = this.index;
        return ask(member);
      });
    };
    return {
      token: member.token,
      claim: (digests, handles) => {
        return call(async (to) => this.said(await to.claim(digests, handles), digests));
      },
      wants: () => call((to) => to.wants()),
      stored: (digests) => call((to) => to.stored(digests)),
      takeOver: (digests, handles) => call((to) => to.takeOver(digests, handles)),
      release: (digests) => call((to) => to.release(digests)),
      leave: () => call((to) => to.leave()),
    };
  }

  private flush(): void {
    if (this.trouble.now !== "flushed" || this.isFlushed) return;
    this.index = new MemoryIndex(this.clock);
    this.isFlushed = true;
  }

  private said(answer: ClaimAnswer, digests: Uint8Array): ClaimAnswer {
    if (this.trouble.now !== "wrong") return answer;
    const states = answer.states.map(() => this.random.int(5));
    const handles = Uint32Array.from(states, () => this.random.int(1000));
    return { states, wants: { digests, handles } };
  }
}

function storeOf(clock: VirtualClock, trouble: Trouble) {
  const made = () => new SealedPages(new MemoryPages({ clock }), new Uint8Array(32));
  let pages = made();
  let isFlushed = false;
  const there = () => {
    if (trouble.now === "flushed" && !isFlushed) {
      pages = made();
      isFlushed = true;
    }
    return pages;
  };
  const wrong = ({ digests }: PageGroup) => {
    const count = digests.length / 32;
    return groupOf(digests, Array(count).fill(pageOf(9999)));
  };
  return {
    put: (groups: readonly PageGroup[]) => trouble.call(() => there().put(groups)),
    get: (digests: Uint8Array) => {
      return trouble.call(async () => {
        const found = await there().get(digests);
        return trouble.now === "wrong" ? found.map(wrong) : found;
      });
    },
  };
}

interface Ended {
  readonly pairs: readonly Pair[];
  readonly ms: number;
  readonly distinct: number;
  readonly seed: string;
}

async function play(seed: number, indexFault?: Fault, storeFault?: Fault, isDeadly = false) {
  const random = seededRandom(seed);
  const clock = new VirtualClock();
  const index = new Racks(clock, random, new Trouble(clock, random, indexFault));
  const pageCount = 50 + random.int(400);
  const world: World = {
    clock,
    random,
    store: storeOf(clock, new Trouble(clock, random, storeFault)),
    heldPages: random.int(2) === 0 ? 1000 : 20 + random.int(100),
    goneWants: random.int(2) === 0 ? 1e9 : 10,
    digests: Array.from({ length: pageCount }, () => random.bytes(32)),
  };
  const used = new Set<number>();
  const pairs: Pair[] = [];
  for (let host = 2 + random.int(5); host > 0; host--) {
    const member = await index.join(`host${host}`);
    const frames = world.digests.map((_, page) => page).filter(() => random.int(3) > 0);
    // Every host begins elsewhere.
    const turned = random.int(frames.length);
    frames.push(...frames.splice(0, turned));
    for (const page of frames) used.add(page);
    pairs.push(new Pair(world, member, frames));
  }
  if (isDeadly) clock.at(20 + random.int(300), () => pairs[0].kill());
  await clock.run(Promise.all(pairs.map((pair) => pair.run())), 60_000);
  const ms = clock.now();
  await clock.pass(2000);
  await clock.run(Promise.all(pairs.map((pair) => pair.close())));
  await clock.pass(3000);
  expect(clock.waiting, "timers that are left").toBe(0);
  return { pairs, ms, distinct: used.size, seed: `PAGEFOLD_SEED=${seed}` } satisfies Ended;
}

function expectWhole({ pairs, ms, seed }: Ended): void {
  for (const { faults, names, pages, isDead } of pairs) {
    expect(faults, seed).toEqual([]);
    if (isDead) continue;
    const { named, fetched, answered } = pages.counts;
    expect(fetched + answered, seed).toBe(named);
    expect(names.counts.named, seed).toBe(named);
  }
  expect(ms, seed).toBeLessThan(10_000);
}

const sum = (pairs: readonly Pair[], count: (pair: Pair) => number) => {
  return pairs.reduce((total, pair) => total + count(pair), 0);
};

const first = randomSeed("rack pages");
const seeds = Array.from({ length: 4 }, (_, i) => (first + i) >>> 0);

describe("rack pages and rack names", () => {
  it("send each page once but for counted races", async () => {
    for (const seed of seeds) {
      const ended = await play(seed);
      expectWhole(ended);
      const { pairs, distinct } = ended;
      const repeated = sum(pairs, ({ names }) => names.counts.answered + names.counts.repeated);
      // What its host cannot share any more is claimed by another, and sent once more.
      const gone = sum(pairs, ({ names }) => names.counts.gone);
      const again = sum(pairs, ({ contents }) => contents) - distinct - repeated;
      expect(again, ended.seed).toBeGreaterThanOrEqual(0);
      expect(again, ended.seed).toBeLessThanOrEqual(gone);
      const notices = sum(pairs, (pair) => pair.notices.length);
      expect(notices, ended.seed).toBe(0);
    }
  });

  it.each(FAULTS)("bring every page when the index is %s", async (fault) => {
    for (const seed of seeds) expectWhole(await play(seed, fault));
  });

  it.each(FAULTS)("bring every page when the store is %s", async (fault) => {
    for (const seed of seeds) expectWhole(await play(seed, undefined, fault));
  });

  it("bring every page of the others when a host dies", async () => {
    for (const seed of seeds) expectWhole(await play(seed, undefined, undefined, true));
  });

  it("bring every page when all of that happens", async () => {
    for (const seed of seeds) {
      const random = seededRandom(seed);
      const fault = () => FAULTS[random.int(FAULTS.length)];
      const ended = await play(seed, fault(), fault(), true);
      expectWhole(ended);
      for (const { notices } of ended.pairs) expect(notices.length, ended.seed).toBeLessThan(5);
    }
  });

  it("are the same for the same seed", async () => {
    const numbers = async () => {
      const { pairs, ms } = await play(first, "slow", "gone", true);
      return [
        ms,
        pairs.map(({ names, pages, contents }) => [names.counts, pages.counts, contents]),
      ];
    };
    expect(await numbers()).toEqual(await numbers());
  });
});
