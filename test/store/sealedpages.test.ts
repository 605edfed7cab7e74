// Pages as they lie in a store: opened by who has the key and asks for what was sealed, and no
// value whatsoever breaks the look-up of the others.
import { describe, expect, it } from "vitest";
import { MemoryPages } from "../../src/store/memorypages.ts";
import { rackKeys } from "../../src/store/rackkeys.ts";
import { SealedPages } from "../../src/store/sealedpages.ts";
import { at, newDigests } from "../support/rackcontract.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const { sealKey } = rackKeys(undefined, "tests");
const LIFE_MS = 60_000;
const OVERHEAD = 40;

function newPages(count: number): Uint8Array[] {
  return Array.from({ length: count }, () => crypto.getRandomValues(new Uint8Array(4096)));
}

const hex = (pages: readonly (Uint8Array | undefined)[]) =>
  pages.map((page) => page && Buffer.from(page).toString("hex"));

describe("sealed pages", () => {
  it("are opened by every host that has the key", async () => {
    const store = new MemoryPages();
    const [one, other] = [new SealedPages(store, sealKey), new SealedPages(store, sealKey)];
    const digests = newDigests(3);
    const pages = newPages(3);
    await one.put(at(digests, 0, 1), pages.slice(0, 2));
    await other.put(at(digests, 2), pages.slice(2));
    for (const host of [one, other]) expect(hex(await host.get(digests))).toEqual(hex(pages));
    const [value] = await store.get(digests);
    expect(value?.length).toBe(4096 + OVERHEAD);
    expect(Buffer.from(value ?? []).includes(Buffer.from(pages[0].subarray(0, 32)))).toBe(false);
  });

  it("never seal two pages with the same nonce", async () => {
    const store = new MemoryPages();
    const sealed = new SealedPages(store, sealKey);
    const digests = newDigests(20);
    await sealed.put(at(digests, ...Array(10).keys()), newPages(10));
    await sealed.put(digests.subarray(320), newPages(10));
    const heads = (await store.get(digests)).map((value) => hex([value?.subarray(0, 24)])[0]);
    expect(new Set(heads).size).toBe(20);
  });

  it("are nothing to who has another key, and under another digest", async () => {
    const store = new MemoryPages();
    const digests = newDigests(2);
    await new SealedPages(store, sealKey).put(digests, newPages(2));
    const stranger = new SealedPages(store, rackKeys(new Uint8Array(32), "tests").sealKey);
    expect(await stranger.get(digests)).toEqual([undefined, undefined]);
    const [first] = await store.get(digests);
    await store.put(at(digests, 1), [first as Uint8Array], LIFE_MS);
    const [own, moved] = await new SealedPages(store, sealKey).get(digests);
    expect(own?.length).toBe(4096);
    expect(moved).toBeUndefined();
  });

  it("are nothing when a byte of them differs, is missing or too many", async () => {
    const random = seededRandom(randomSeed("sealed pages"));
    const store = new MemoryPages();
    const sealed = new SealedPages(store, sealKey);
    const digests = newDigests(2);
    const pages = newPages(2);
    await sealed.put(digests, pages);
    const [whole] = (await store.get(digests)) as Uint8Array[];
    for (let round = 0; round < 400; round++) {
      let value: Uint8Array = new Uint8Array(whole);
      const how = random.int(4);
      if (how === 0) value[random.int(value.length)] ^= 1 << random.int(8);
      else if (how === 1) value = value.subarray(0, random.int(value.length));
      else if (how === 2) value = Uint8Array.from([...value, ...random.bytes(1 + random.int(40))]);
      else value = random.bytes(random.int(5000));
      await store.put(at(digests, 0), [value], LIFE_MS);
      const [broken, other] = await sealed.get(digests);
      expect(broken).toBeUndefined();
      expect(other?.[0]).toBe(pages[1][0]);
    }
    // The canary: unchanged it opens.
    await store.put(at(digests, 0), [whole], LIFE_MS);
    expect(hex(await sealed.get(digests))).toEqual(hex(pages));
  });

  it("seal and open pages of any size", async () => {
    const sealed = new SealedPages(new MemoryPages(), sealKey);
    const digests = newDigests(2);
    await sealed.put(digests, [new Uint8Array(0), Uint8Array.of(7)]);
    expect((await sealed.get(digests)).map((page) => page && [...page])).toEqual([[], [7]]);
  });

  it("take a key of 32 bytes", () => {
    const open = () => new SealedPages(new MemoryPages(), new Uint8Array(31));
    expect(open).toThrow("key: 31 bytes, it takes 32");
  });
});
