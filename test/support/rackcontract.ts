// What every index and every page store of racks must do, whatever keeps it: the same suite for
// memory, a Redis server and a Redis cluster.
import { describe, expect, it } from "vitest";
import {
  Claim,
  GROUP_NAME_BYTES,
  type IndexMember,
  type PageStore,
  type RackIndex,
  type SealedGroup,
} from "../../src/store/store.ts";
import { randomSeed, seededRandom } from "./random.ts";

/** Empty when a test begins, and closed when it ends. */
export interface IndexTrial {
  /** A connection of one more host to the same index. */
  open(): Promise<RackIndex>;
  /** Lets time pass: of the index' own, or the world's. */
  pass(ms: number): Promise<void>;
}

export interface StoreTrial {
  open(): Promise<PageStore>;
  pass(ms: number): Promise<void>;
}

export const DIGEST = 32;
const { OURS, CLAIMED, STORED } = Claim;
const NO_WANTS = { digests: new Uint8Array(0), handles: new Uint32Array(0) };

/** `count` digests that nobody has seen, one after another. */
export function newDigests(count: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(count * DIGEST));
}

export function handlesFrom(first: number, count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, i) => first + i);
}

export function at(digests: Uint8Array, ...places: number[]): Uint8Array {
  const of = (i: number) => [...digests.subarray(i * DIGEST, (i + 1) * DIGEST)];
  return Uint8Array.from(places.flatMap(of));
}

async function statesOf(member: IndexMember, digests: Uint8Array, first = 0): Promise<number[]> {
  const handles = handlesFrom(first, digests.length / DIGEST);
  return [...(await member.claim(digests, handles)).states];
}

export function describeIndex(name: string, begin: () => Promise<IndexTrial>): void {
  describe(`${name}: index`, () => {
    it("gives a digest to the first who claims it, and to nobody else", async () => {
      const { a, b } = await twoHosts(begin);
      expect(b.token).toBeGreaterThan(a.token);
      const digests = newDigests(5);
      expect(await statesOf(a, digests)).toEqual([OURS, OURS, OURS, OURS, OURS]);
      const asked = Uint8Array.from([...at(digests, 3, 0), ...newDigests(1)]);
      expect(await statesOf(b, asked)).toEqual([CLAIMED, CLAIMED, OURS]);
      expect(await statesOf(a, at(digests, 3))).toEqual([OURS]);
      expect(await statesOf(a, new Uint8Array(0))).toEqual([]);
    });

    it("takes the same digest twice in one call", async () => {
      const { a, b } = await twoHosts(begin);
      const digests = newDigests(2);
      expect(await statesOf(a, at(digests, 0, 1, 0, 0))).toEqual([OURS, OURS, OURS, OURS]);
      expect(await statesOf(b, at(digests, 0, 0))).toEqual([CLAIMED, CLAIMED]);
      expect((await a.wants()).handles.length).toBe(1);
    });

    it("keeps racks apart", async () => {
      const trial = await begin();
      const index = await trial.open();
      const [a, b] = [await index.join("one", "host-a"), await index.join("two", "host-b")];
      const digests = newDigests(2);
      expect(await statesOf(a, digests)).toEqual([OURS, OURS]);
      expect(await statesOf(b, digests)).toEqual([OURS, OURS]);
    });

    it("says what is stored, but only by who has claimed it", async () => {
      const { a, b } = await twoHosts(begin);
      const digests = newDigests(2);
      await statesOf(a, digests);
      await b.stored(digests);
      expect(await statesOf(b, digests)).toEqual([CLAIMED, CLAIMED]);
      await a.stored(Uint8Array.from([...at(digests, 0), ...newDigests(1)]));
      expect(await statesOf(b, digests)).toEqual([STORED, CLAIMED]);
      expect(await statesOf(a, digests)).toEqual([STORED, OURS]);
    });

    it("tells a want once to the claimer, with the handle of its claim", async () => {
      const { a, b, trial } = await twoHosts(begin);
      const digests = newDigests(3);
      await statesOf(a, digests, 0xffff_fffd);
      expect(await a.wants()).toEqual(NO_WANTS);
      await statesOf(b, at(digests, 2, 1));
      const { digests: wanted, handles } = await a.wants();
      expect(pairs(wanted, handles)).toEqual(pairs(at(digests, 1, 2), handlesFrom(0xffff_fffe, 2)));
      await statesOf(b, at(digests, 1));
      expect(await a.wants()).toEqual(NO_WANTS);
      await statesOf(b, at(digests, 0));
      // A claim takes those that are where it asks, which in a cluster need not be all.
      const { wants: first } = await a.claim(newDigests(1), handlesFrom(7, 1));
      const rest = await a.wants();
      expect([
        ...pairs(first.digests, first.handles),
        ...pairs(rest.digests, rest.handles),
      ]).toEqual(pairs(at(digests, 0), handlesFrom(0xffff_fffd, 1)));
      // It was answered by nothing.
      await trial.pass(3100);
      await statesOf(b, at(digests, 1));
      expect((await a.wants()).digests).toEqual(at(digests, 1));
      expect(await b.wants()).toEqual(NO_WANTS);
    });

    it("frees what was claimed by a session that has left, unless it is stored", async () => {
      const { a, b } = await twoHosts(begin);
      const digests = newDigests(2);
      await statesOf(a, digests);
      await a.stored(at(digests, 0));
      await a.leave();
      expect(await statesOf(b, digests)).toEqual([STORED, OURS]);
      await expect(a.wants()).rejects.toMatchObject({ code: "CONNECTION" });
    });

    it("frees what was claimed by a session without signs of life; it comes too late", async () => {
      const { a, b, trial } = await twoHosts(begin);
      const digests = newDigests(3);
      await statesOf(a, digests);
      await trial.pass(3000);
      // Any call is a sign.
      await a.wants();
      await trial.pass(3000);
      expect(await statesOf(b, at(digests, 0))).toEqual([CLAIMED]);
      await trial.pass(2500);
      expect(await statesOf(b, at(digests, 0, 1))).toEqual([OURS, OURS]);
      await a.stored(at(digests, 0));
      await a.release(at(digests, 1));
      expect(await statesOf(a, digests)).toEqual([CLAIMED, CLAIMED, OURS]);
      await b.stored(at(digests, 1));
      expect(await statesOf(a, at(digests, 1))).toEqual([STORED]);
    });

    it("lets the next one claim what was released", async () => {
      const { a, b } = await twoHosts(begin);
      const digests = newDigests(3);
      await statesOf(a, digests);
      await a.stored(at(digests, 2));
      await b.release(at(digests, 0));
      await a.release(at(digests, 1, 2));
      expect(await statesOf(b, digests)).toEqual([CLAIMED, OURS, STORED]);
    });

    it("gives what was taken over to who took it", async () => {
      const { a, b } = await twoHosts(begin);
      const digests = newDigests(3);
      await statesOf(a, digests);
      await a.stored(at(digests, 0));
      await b.takeOver(at(digests, 0, 1, 1), Uint32Array.of(10, 11, 12));
      await b.takeOver(newDigests(2), handlesFrom(20, 2));
      await a.stored(at(digests, 0, 1));
      expect(await statesOf(a, digests)).toEqual([CLAIMED, CLAIMED, OURS]);
      const { digests: wanted, handles } = await b.wants();
      expect(pairs(wanted, handles)).toEqual(pairs(at(digests, 0, 1), Uint32Array.of(10, 12)));
    });

    it("counts", async () => {
      const { a, b, index } = await twoHosts(begin);
      const digests = newDigests(10);
      await statesOf(a, digests);
      await a.stored(at(digests, 0, 1, 2));
      await statesOf(b, at(digests, 0, 1, 2, 3));
      const { members, ...counts } = await index.status();
      expect(counts).toEqual({ entries: 10, asked: 14, ours: 10, claimed: 1, stored: 3 });
      const byHost = members.map(({ host, rack }) => `${host} ${rack}`).sort();
      expect(byHost).toEqual(["host-a rack", "host-b rack"]);
      await a.leave();
      expect((await index.status()).members).toEqual([{ host: "host-b", rack: "rack" }]);
    });

    it("gives each digest to exactly one of many who ask at the same time", async () => {
      const random = seededRandom(randomSeed(name));
      const trial = await begin();
      const hosts = await Promise.all([0, 1, 2, 3].map(() => trial.open()));
      const members = await Promise.all(hosts.map((host, i) => host.join("rack", `host-${i}`)));
      const count = 600;
      const digests = newDigests(count);
      const owners = Array.from({ length: count }, () => new Set<number>());
      const ask = async (member: number) => {
        for (let call = 0; call < 30; call++) {
          const places = Array.from({ length: 1 + random.int(80) }, () => random.int(count));
          const states = await statesOf(members[member], at(digests, ...places));
          for (const [i, place] of places.entries()) {
            if (states[i] === OURS) owners[place].add(member);
          }
        }
      };
      // Two calls of each at a time.
      await Promise.all(members.flatMap((_, i) => [ask(i), ask(i)]));
      expect(owners.filter((who) => who.size > 1)).toEqual([]);
      const left = members.map((member) => statesOf(member, digests));
      const all = await Promise.all(left);
      for (let i = 0; i < count; i++) {
        const who = all.flatMap((states, member) => (states[i] === OURS ? [member] : []));
        expect(who.length).toBe(1);
        for (const owner of owners[i]) expect(who).toEqual([owner]);
      }
    });
  });
}

async function twoHosts(begin: () => Promise<IndexTrial>) {
  const trial = await begin();
  const [index, other] = [await trial.open(), await trial.open()];
  const a = await index.join("rack", "host-a");
  return { trial, index, a, b: await other.join("rack", "host-b") };
}

/** In the order of their handles. */
function pairs(digests: Uint8Array, handles: Uint32Array): string[] {
  const of = (i: number) => `${handles[i]} ${Buffer.from(at(digests, i)).toString("hex")}`;
  return Array.from(handles, (_, i) => of(i)).sort();
}

export function describePages(name: string, begin: () => Promise<StoreTrial>): void {
  describe(`${name}: pages`, () => {
    it("gives back what was put, byte for byte, to every host", async () => {
      const trial = await begin();
      const [one, other] = [await trial.open(), await trial.open()];
      const digests = newDigests(6);
      const groups = [
        newGroup(at(digests, 0, 1, 2), 6000),
        newGroup(at(digests, 3), 40),
        newGroup(at(digests, 4, 5), 0),
      ];
      await one.put(groups, 60_000);
      expect(await other.rack()).toBe(await one.rack());
      const asked = Uint8Array.from([...at(digests, 4), ...newDigests(1), ...at(digests, 3, 0, 2)]);
      const found = await other.find(asked);
      expect(hex(found)).toEqual(
        hex([groups[2].name, undefined, groups[1].name, groups[0].name, groups[0].name]),
      );
      const names = [groups[1].name, newName(), groups[0].name, groups[2].name];
      expect(hex(await other.get(names))).toEqual(
        hex([groups[1].sealed, undefined, groups[0].sealed, groups[2].sealed]),
      );
      expect([await one.find(new Uint8Array(0)), await one.get([])]).toEqual([[], []]);
      await one.put([], 1000);
    });

    it("knows the last group of a page, and forgets when its life is over", async () => {
      const trial = await begin();
      const store = await trial.open();
      const digests = newDigests(2);
      const [both, first] = [newGroup(digests, 10), newGroup(at(digests, 0), 10)];
      await store.put([both], 60_000);
      await store.put([first], 500);
      expect(hex(await store.find(digests))).toEqual(hex([first.name, both.name]));
      await trial.pass(600);
      expect(hex(await store.find(digests))).toEqual(hex([undefined, both.name]));
      expect(hex(await store.get([first.name, both.name]))).toEqual(hex([undefined, both.sealed]));
    });

    it("counts", async () => {
      const trial = await begin();
      const store = await trial.open();
      const digests = newDigests(3);
      await store.put([newGroup(digests, 5)], 60_000);
      await store.find(Uint8Array.from([...digests, ...newDigests(2)]));
      const rack = await store.rack();
      expect(await store.status()).toEqual({ rack, pages: 3, hits: 3, misses: 2 });
    });
  });
}

function newName(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(GROUP_NAME_BYTES));
}

/** Of no sealed pages: a store does not look. */
export function newGroup(digests: Uint8Array, byteLength: number): SealedGroup {
  const sealed = crypto.getRandomValues(new Uint8Array(byteLength));
  return { name: newName(), digests, sealed };
}

function hex(all: readonly (Uint8Array | undefined)[]): (string | undefined)[] {
  return all.map((bytes) => bytes && Buffer.from(bytes).toString("hex"));
}
