// The page store in memory: the contract, and what happens when it is full.
import { describe, expect, it } from "vitest";
import { MemoryPages } from "../../src/store/memorypages.ts";
import { at, describePages, newDigests } from "../support/rackcontract.ts";

function ofMemory(maxBytes?: number) {
  let now = 1000;
  const store = new MemoryPages({ clock: { now: () => now }, maxBytes });
  return {
    open: async () => store,
    pass: async (ms: number) => {
      now += ms;
    },
  };
}

describePages("memory", async () => ofMemory());

describe("memory pages", () => {
  it("takes no more than it may, until something has expired", async () => {
    const trial = ofMemory(10_000);
    const store = await trial.open();
    const digests = newDigests(3);
    const pages = [0, 1, 2].map((i) => new Uint8Array(4136).fill(i));
    await expect(store.put(digests, pages, 1000)).rejects.toMatchObject({ code: "LIMIT" });
    // Replacing takes no room.
    await store.put(at(digests, 0, 1), pages.slice(0, 2), 1000);
    await trial.pass(1001);
    await store.put(digests.subarray(64), pages.slice(2), 1000);
    expect((await store.get(digests)).map((page) => page?.[0])).toEqual([undefined, undefined, 2]);
  });
});
