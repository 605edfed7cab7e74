// The target's end of a rack over stores that have pages, get them later, lie, are slow or gone, in
// virtual time.
import { describe, expect, it } from "vitest";
import { PagefoldError } from "../../src/core/errors.ts";
import type { PageGroup } from "../../src/core/pagegroup.ts";
import { RackPages } from "../../src/migration/rackpages.ts";
import { groupOf, hashed, unpackPlainly } from "../support/pagegroups.ts";
import { VirtualClock } from "../support/virtualclock.ts";

/** A digest of 32 equal bytes, and the page that has it: it begins with that byte. */
const digest = (n: number) => new Uint8Array(32).fill(n);
const page = (n: number) => new Uint8Array(4096).fill(n);

/** A store whose calls do what a test says. */
class ScriptedStore {
  readonly pages = new Map<number, Uint8Array>();
  /** What comes with a page because it was put with it. */
  readonly beside = new Map<number, PageGroup[]>();
  readonly gets: number[][] = [];
  readonly puts: number[][] = [];
  beforeGet: () => Promise<void> = async () => {};
  beforePut: () => Promise<void> = async () => {};

  async get(digests: Uint8Array): Promise<readonly PageGroup[]> {
    const wanted = firsts(digests);
    this.gets.push(wanted);
    await this.beforeGet();
    return wanted.flatMap((n) => {
      const page = this.pages.get(n);
      return page ? [groupOf(digest(n), [page]), ...(this.beside.get(n) ?? [])] : [];
    });
  }

  async put(groups: readonly PageGroup[]): Promise<void> {
    const all = groups.flatMap(({ digests }) => firsts(digests));
    this.puts.push(all);
    await this.beforePut();
    const pages = Buffer.concat(groups.map(({ cluster }) => cluster));
    for (const [i, n] of all.entries()) {
      this.pages.set(n, new Uint8Array(pages.subarray(i * 4096, (i + 1) * 4096)));
    }
  }
}

function firsts(digests: Uint8Array): number[] {
  return Array.from({ length: digests.length / 32 }, (_, i) => digests[i * 32]);
}

function made() {
  const clock = new VirtualClock();
  const store = new ScriptedStore();
  const said: string[] = [];
  const missing: number[][] = [];
  const arrived: [number, number][] = [];
  const pages = new RackPages({
    store,
    clock,
    session: {
      unpack: async (groups, visit) => {
        unpackPlainly(groups, ({ 0: n }, { 0: byte }) => n === byte, visit);
      },
      arrived: (number, { bytes: { 0: byte } }) => arrived.push([number, byte]),
      missing: (numbers) => missing.push([...numbers]),
      resolved: (numbers) => said.push(`resolved ${numbers}`),
      stored: (digests) => said.push(`stored ${firsts(digests)}`),
      notice: (message) => said.push(message),
    },
  });
  return { clock, store, pages, said, missing, arrived };
}

async function ended({ clock, pages }: ReturnType<typeof made>): Promise<void> {
  await clock.run(pages.close());
  expect(clock.waiting).toBe(0);
}

describe("rack pages: names", () => {
  it("finds what is in the store at once, once for all who wait for it", async () => {
    const rack = made();
    const { clock, store, pages, said, arrived } = rack;
    store.pages.set(1, page(1)).set(2, page(2));
    [1, 2, 1].forEach((n, number) => {
      pages.named(number, digest(n));
    });
    await clock.pass(1);
    expect(store.gets).toEqual([[1, 2]]);
    expect(arrived).toEqual([
      [0, 1],
      [2, 1],
      [1, 2],
    ]);
    await clock.pass(25);
    expect(said).toEqual(["resolved 0,2,1"]);
    // It comes again: the page is at hand.
    pages.named(3, digest(2));
    await clock.pass(10);
    expect(arrived.at(-1)).toEqual([3, 2]);
    expect(store.gets).toHaveLength(1);
    expect(pages.counts).toMatchObject({ named: 4, fetched: 4, missing: 0 });
    expect(said).toHaveLength(1);
    await clock.pass(100);
    expect(said.slice(1)).toEqual(["resolved 3"]);
    expect(clock.waiting).toBe(0);
    await ended(rack);
  });

  it("takes what comes with a page for who waits for it, and keeps it for who will", async () => {
    const rack = made();
    const { clock, store, pages, arrived } = rack;
    store.beforeGet = () => clock.sleep(30);
    pages.named(0, digest(2));
    await clock.pass(31);
    store.pages.set(1, page(1));
    store.beside.set(1, [
      groupOf(new Uint8Array(96).fill(2, 0, 32).fill(3, 32), [2, 3, 3].map(page)),
    ]);
    pages.named(1, digest(1));
    await clock.pass(31);
    expect(arrived).toEqual([
      [1, 1],
      [0, 2],
    ]);
    const { length } = store.gets;
    pages.named(2, digest(3));
    await clock.pass(5);
    expect(arrived.at(-1)).toEqual([2, 3]);
    await clock.pass(500);
    expect(store.gets).toHaveLength(length);
    await ended(rack);
  });

  it("looks again for what is not there, and asks the source after four seconds", async () => {
    const rack = made();
    const { clock, store, pages, missing, arrived } = rack;
    pages.named(0, digest(1));
    pages.named(1, digest(2));
    await clock.pass(400);
    expect(store.gets.length).toBeGreaterThan(4);
    store.pages.set(1, page(1));
    await clock.pass(120);
    expect(arrived).toEqual([[0, 1]]);
    await clock.pass(3475);
    expect(missing).toEqual([]);
    await clock.pass(20);
    expect(missing).toEqual([[1]]);
    // Not more often than it takes to find anything.
    expect(store.gets.length).toBeGreaterThan(15);
    expect(store.gets.length).toBeLessThan(180);
    const { length } = store.gets;
    await clock.pass(2000);
    expect(store.gets).toHaveLength(length);
    pages.answered(1, hashed(page(2)));
    expect(arrived.at(-1)).toEqual([1, 2]);
    expect(pages.counts).toMatchObject({ fetched: 1, missing: 1, answered: 1 });
    await ended(rack);
  });

  it("asks the source for the oldest first, in bounded messages, once for a digest", async () => {
    const rack = made();
    const { clock, pages, missing, arrived } = rack;
    for (let n = 0; n < 400; n++) pages.named(n, digest(n % 200));
    await clock.pass(4020);
    expect(missing).toEqual([Array.from({ length: 200 }, (_, n) => n)]);
    pages.answered(7, hashed(page(7)));
    expect(arrived).toEqual([
      [7, 7],
      [207, 7],
    ]);
    for (let n = 400; n < 1000; n++)
      pages.named(
        n,
        Uint8Array.from({ length: 32 }, () => n >> 2),
      );
    pages.urge(Array.from({ length: 600 }, (_, i) => 999 - i));
    expect(missing.slice(1).every(({ length }) => length <= 256)).toBe(true);
    expect(missing[1]).toEqual([...missing[1]].sort((a, b) => a - b));
    await ended(rack);
  });

  it("asks at once for what is urged, and not twice", async () => {
    const rack = made();
    const { clock, pages, missing } = rack;
    for (let n = 0; n < 3; n++) pages.named(n, digest(n));
    await clock.pass(5);
    pages.urge([2, 1]);
    pages.urge([1]);
    expect(missing).toEqual([[1, 2]]);
    await clock.pass(4020);
    expect(missing).toEqual([[1, 2], [0]]);
    await ended(rack);
  });

  it("forgets what nobody needs, and asks for the others who wait for the same", async () => {
    const rack = made();
    const { clock, pages, said, missing, arrived } = rack;
    for (let n = 0; n < 3; n++) pages.named(n, digest(1));
    pages.named(3, digest(2));
    pages.cancel(3);
    pages.cancel(3);
    pages.urge([0, 1, 2]);
    pages.cancel(0);
    expect(missing).toEqual([[0], [1]]);
    // The source had sent it before it heard of that.
    pages.answered(0, hashed(page(1)));
    expect(arrived).toEqual([]);
    pages.answered(1, hashed(page(1)));
    await clock.pass(25);
    expect(arrived.map(([number]) => number)).toEqual([1, 2]);
    expect(said).toEqual(["resolved 3,0,1,2"]);
    expect(pages.counts).toMatchObject({ cancelled: 2, missing: 2, answered: 2 });
    await ended(rack);
  });

  it("refuses numbers out of turn", async () => {
    const rack = made();
    rack.pages.named(0, digest(1));
    expect(() => rack.pages.named(2, digest(1))).toThrow("name 2 came where 1 is due");
    expect(() => rack.pages.answered(1, hashed(page(1)))).toThrow(PagefoldError);
    await ended(rack);
  });

  it("looks again when pages usually are there", async () => {
    const rack = made();
    const { clock, store, pages } = rack;
    const lookups: number[] = [];
    for (let n = 0; n < 200; n++) {
      store.gets.length = 0;
      pages.named(n, digest(n));
      await clock.pass(150);
      store.pages.set(n, page(n));
      await clock.pass(250);
      lookups.push(store.gets.length);
    }
    expect(lookups[0]).toBeGreaterThan(5);
    expect(lookups[199]).toBeLessThan(4);
    await ended(rack);
  });
});

describe("rack pages: a store that fails", () => {
  it("does not believe it, and does not ask again for what it lied about", async () => {
    const rack = made();
    const { clock, store, pages, said, missing, arrived } = rack;
    store.pages.set(1, page(9)).set(2, page(2));
    pages.named(0, digest(1));
    pages.named(1, digest(2));
    await clock.pass(5);
    expect(arrived).toEqual([[1, 2]]);
    expect(missing).toEqual([[0]]);
    expect(pages.counts.refused).toBe(1);
    pages.answered(0, hashed(page(1)));
    pages.named(2, digest(1));
    await clock.pass(5);
    expect(missing).toEqual([[0], [2]]);
    expect(store.gets).toHaveLength(1);
    expect(said.filter((line) => line.startsWith("rack"))).toEqual([]);
    for (let n = 3; n < 6; n++) {
      store.pages.set(n, page(0));
      pages.named(n, digest(n));
      await clock.pass(5);
    }
    expect(said).toContain(
      "rack store: what it has is not what its digests say; " +
        "hosts send again what others have sent",
    );
    await ended(rack);
  });

  it("asks the source without waiting while a store is left alone", async () => {
    const rack = made();
    const { clock, store, pages, said, missing } = rack;
    store.beforeGet = async () => {
      throw new PagefoldError("CONNECTION", "nobody listens there");
    };
    pages.named(0, digest(1));
    await clock.pass(100);
    expect(missing).toEqual([[0]]);
    const { length } = store.gets;
    pages.named(1, digest(2));
    await clock.pass(5);
    expect(missing).toEqual([[0], [1]]);
    expect(store.gets).toHaveLength(length);
    const reason = "nobody listens there; hosts send again what others have sent";
    expect(said).toEqual([`rack store: ${reason}`]);
    // Five seconds later it is there again.
    await clock.pass(5000);
    store.beforeGet = async () => {};
    store.pages.set(3, page(3));
    pages.named(2, digest(3));
    await clock.pass(5);
    expect(pages.counts.fetched).toBe(1);
    await ended(rack);
  });

  it("takes what a slow store brings late", async () => {
    const rack = made();
    const { clock, store, pages, arrived, missing } = rack;
    store.beforeGet = () => clock.sleep(1800);
    store.pages.set(1, page(1));
    pages.named(0, digest(1));
    await clock.pass(1801);
    expect(arrived).toEqual([[0, 1]]);
    expect(missing).toEqual([]);
    await clock.pass(2000);
    await ended(rack);
  });

  it("bounds what waits to be put, and says which pages it has", async () => {
    const rack = made();
    const { clock, store, pages, said } = rack;
    store.beforePut = () => clock.sleep(10);
    const group = groupOf(new Uint8Array(16 * 32).fill(7), Array(16).fill(page(7)));
    for (let n = 0; n < 300; n++) pages.put([group]);
    expect(pages.counts).toMatchObject({ put: 0, dropped: 4800 - 2048 });
    await clock.pass(200);
    expect(pages.counts).toMatchObject({ put: 2048, dropped: 4800 - 2048 });
    expect(Math.max(...store.puts.map(({ length }) => length))).toBe(128);
    expect(store.pages.get(7)).toEqual(page(7));
    expect(said.every((line) => line.startsWith("stored 7,7"))).toBe(true);
    await ended(rack);
  });

  it("drops what a full store does not take, and says so once", async () => {
    const rack = made();
    const { clock, store, pages, said } = rack;
    store.beforePut = async () => {
      throw new PagefoldError("LIMIT", "rack store: full");
    };
    for (let n = 0; n < 10; n++) {
      pages.put([groupOf(digest(n), [page(n)])]);
      await clock.pass(1);
    }
    expect(pages.counts).toMatchObject({ put: 0, dropped: 10 });
    expect(said).toHaveLength(1);
    expect(store.puts).toHaveLength(3);
    // What it has can be had.
    store.pages.set(1, page(1));
    pages.named(0, digest(1));
    await clock.pass(1);
    expect(pages.counts.fetched).toBe(1);
    await ended(rack);
  });

  it("ends whatever is under way", async () => {
    const rack = made();
    const { store, pages, said, missing } = rack;
    store.beforeGet = () => new Promise(() => {});
    store.beforePut = () => new Promise(() => {});
    pages.named(0, digest(1));
    pages.put([groupOf(digest(2), [page(2)])]);
    await ended(rack);
    pages.named(1, digest(1));
    pages.answered(0, hashed(page(1)));
    pages.cancel(0);
    pages.urge([0]);
    pages.put([groupOf(digest(2), [page(2)])]);
    await rack.clock.pass(3000);
    expect([said, missing]).toEqual([[], []]);
  });
});
