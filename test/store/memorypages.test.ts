// The page store in memory: the contract, and what happens when it is full.
import { describe, expect, it } from "vitest";
import { MemoryPages } from "../../src/store/memorypages.ts";
import { describePages, newDigests, newGroup } from "../support/rackcontract.ts";

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
    const groups = [0, 1, 2].map(() => newGroup(newDigests(2), 4136));
    await expect(store.put(groups, 1000)).rejects.toMatchObject({ code: "LIMIT" });
    await trial.pass(1001);
    await store.put(groups.slice(2), 1000);
    const found = await store.get(groups.map(({ name }) => name));
    expect(found.map((sealed) => sealed?.length)).toEqual([undefined, undefined, 4136]);
    expect((await store.status()).pages).toBe(2);
  });
});
