// Groups as they lie in a store: opened by who has the key, under their own names and for their own
// digests, and no value whatsoever breaks the look-up of the others.
import { describe, expect, it } from "vitest";
import type { PageGroup } from "../../src/core/pagegroup.ts";
import { MemoryPages } from "../../src/store/memorypages.ts";
import { rackKeys } from "../../src/store/rackkeys.ts";
import { SealedPages } from "../../src/store/sealedpages.ts";
import type { SealedGroup } from "../../src/store/store.ts";
import { at, newDigests } from "../support/rackcontract.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const { sealKey } = rackKeys(undefined, "tests");
const LIFE_MS = 60_000;
const TAG_AND_COUNT = 18;

function newGroup(digests: Uint8Array, byteLength: number): PageGroup {
  return { digests, cluster: crypto.getRandomValues(new Uint8Array(byteLength)) };
}

const hex = (groups: readonly PageGroup[]) =>
  groups.map(({ digests, cluster }) => Buffer.concat([digests, cluster]).toString("hex"));

/** The groups of these pages as they lie in the store. */
async function sealedOf(store: MemoryPages, digests: Uint8Array): Promise<SealedGroup[]> {
  const found = await store.find(digests);
  const names = found.filter((name) => name !== undefined);
  const values = (await store.get(names)) as Uint8Array[];
  return names.map((name, i) => ({ name, digests: at(digests, i), sealed: values[i] }));
}

describe("sealed pages", () => {
  it("are opened by every host that has the key, each group once", async () => {
    const store = new MemoryPages();
    const [one, other] = [new SealedPages(store, sealKey), new SealedPages(store, sealKey)];
    const digests = newDigests(5);
    const groups = [newGroup(at(digests, 0, 1, 2), 5000), newGroup(at(digests, 3, 4), 70)];
    await one.put(groups.slice(0, 1));
    await other.put(groups.slice(1));
    for (const host of [one, other]) {
      expect(hex(await host.get(digests))).toEqual(hex(groups));
      expect(hex(await host.get(at(digests, 4)))).toEqual(hex(groups.slice(1)));
      expect(await host.get(newDigests(3))).toEqual([]);
      expect(await host.get(new Uint8Array(0))).toEqual([]);
    }
    const [{ sealed }] = await sealedOf(store, digests);
    expect(sealed.length).toBe(TAG_AND_COUNT + 3 * 32 + 5000);
    const text = groups[0].cluster.subarray(0, 32);
    expect(Buffer.from(sealed).includes(Buffer.from(text))).toBe(false);
  });

  it("never seal two groups with the same nonce", async () => {
    const store = new MemoryPages();
    const [one, other] = [new SealedPages(store, sealKey), new SealedPages(store, sealKey)];
    const digests = newDigests(30);
    const group = (i: number) => newGroup(at(digests, i), 10);
    await one.put([...Array(10).keys()].map(group));
    await one.put([...Array(10).keys()].map((i) => group(i + 10)));
    await other.put([...Array(10).keys()].map((i) => group(i + 20)));
    const names = (await store.find(digests)).map((name) =>
      Buffer.from(name ?? []).toString("hex"),
    );
    expect(new Set(names).size).toBe(30);
    expect(new Set(names.map((name) => name.slice(0, 32))).size).toBe(2);
  });

  it("are nothing to who has another key, under another name and for other digests", async () => {
    const store = new MemoryPages();
    const digests = newDigests(4);
    const groups = [newGroup(at(digests, 0), 500), newGroup(at(digests, 1), 500)];
    const host = new SealedPages(store, sealKey);
    await host.put(groups);
    const stranger = new SealedPages(store, rackKeys(new Uint8Array(32), "tests").sealKey);
    expect(await stranger.get(digests)).toEqual([]);
    const [{ sealed, name }, other] = await sealedOf(store, digests);
    await store.put([{ name: other.name, digests: at(digests, 2), sealed }], LIFE_MS);
    expect(await host.get(at(digests, 2))).toEqual([]);
    // Somebody says that it has another page, and it says so itself.
    const changed = Uint8Array.from(sealed);
    changed.set(at(digests, 3), TAG_AND_COUNT);
    await store.put([{ name, digests: at(digests, 3), sealed: changed }], LIFE_MS);
    expect(await host.get(at(digests, 3))).toEqual([]);
    // Under its own name and digests it opens, whoever is said to be in it.
    await store.put([{ name, digests: at(digests, 3), sealed }], LIFE_MS);
    expect(hex(await host.get(at(digests, 3)))).toEqual(hex(groups.slice(0, 1)));
  });

  it("are nothing when a byte of them differs, is missing or too many", async () => {
    const random = seededRandom(randomSeed("sealed pages"));
    const store = new MemoryPages();
    const host = new SealedPages(store, sealKey);
    const digests = newDigests(3);
    const groups = [newGroup(at(digests, 0, 1), 3000), newGroup(at(digests, 2), 3000)];
    await host.put(groups);
    const [whole] = await sealedOf(store, digests);
    const put = (sealed: Uint8Array, name = whole.name) =>
      store.put([{ name, digests: at(digests, 0, 1), sealed }], LIFE_MS);
    for (let round = 0; round < 400; round++) {
      let value = new Uint8Array(whole.sealed);
      const name = new Uint8Array(whole.name);
      const how = random.int(6);
      if (how === 0) value[random.int(value.length)] ^= 1 << random.int(8);
      else if (how === 1) value[16 + random.int(2)] = random.int(256);
      else if (how === 2) value = value.slice(0, random.int(value.length));
      else if (how === 3) value = Uint8Array.from([...value, ...random.bytes(1 + random.int(40))]);
      else if (how === 4) value = new Uint8Array(random.bytes(random.int(5000)));
      else name[random.int(name.length)] ^= 1 << random.int(8);
      const isWhole = how === 1 && value[16] === 2 && value[17] === 0;
      await put(value, name);
      expect(hex(await host.get(digests))).toEqual(hex(isWhole ? groups : groups.slice(1)));
    }
    // The canary: unchanged it opens.
    await put(whole.sealed);
    expect(hex(await host.get(digests))).toEqual(hex(groups));
  });

  it("pass over names that are none", async () => {
    const store = new MemoryPages();
    const digests = newDigests(2);
    const host = new SealedPages(store, sealKey);
    const group = newGroup(at(digests, 0), 10);
    await host.put([group]);
    const sealed = new Uint8Array(100);
    await store.put([{ name: new Uint8Array(3), digests: at(digests, 1), sealed }], LIFE_MS);
    expect(hex(await host.get(digests))).toEqual(hex([group]));
  });

  it("take a key of 32 bytes", () => {
    const open = () => new SealedPages(new MemoryPages(), new Uint8Array(31));
    expect(open).toThrow("key: 31 bytes, it takes 32");
  });
});
