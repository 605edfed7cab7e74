// The index in memory, with a clock of its own: the contract, and the lives of entries.
import { describe, expect, it } from "vitest";
import { MemoryIndex } from "../../src/store/memoryindex.ts";
import { describeIndex, handlesFrom, newDigests } from "../support/rackcontract.ts";

function ofMemory() {
  let now = 1000;
  const index = new MemoryIndex({ now: () => now });
  return {
    open: async () => index,
    pass: async (ms: number) => {
      now += ms;
    },
  };
}

describeIndex("memory", async () => ofMemory());

describe("memory index", () => {
  it("forgets entries after their life", async () => {
    const trial = ofMemory();
    const index = await trial.open();
    const member = await index.join("rack", "host");
    const [old, young] = [newDigests(3), newDigests(2)];
    await member.claim(old, handlesFrom(0, 3));
    await member.stored(old);
    await trial.pass(9 * 60_000);
    await member.claim(young, handlesFrom(3, 2));
    expect((await index.status()).entries).toBe(5);
    await trial.pass(2 * 60_000);
    expect((await index.status()).entries).toBe(2);
    expect([...(await member.claim(old, handlesFrom(0, 3))).states]).toEqual([1, 1, 1]);
  });
});
