// Pages that were sent by name lie in a fixed part of memory until their names are resolved.
import { describe, expect, it } from "vitest";
import { HeldPages } from "../../src/migration/heldpages.ts";
import { openResources } from "../support/gang.ts";

const PAGE_BYTES = 4096;

describe("held pages", () => {
  it("are what they were, until they are dropped", async () => {
    const { arena } = await openResources(1);
    const free = arena.largestFreeBytes;
    const held = new HeldPages(arena, 2);
    const page = arena.reserve(2 * PAGE_BYTES, "a page");
    const [from, to] = [page.ptr, page.ptr + PAGE_BYTES];
    const put = (name: number): void => {
      arena.bytes.fill(name, from, to);
      held.put(name, from);
    };
    const copied = (name: number): number | undefined => {
      arena.bytes.fill(0, to, to + PAGE_BYTES);
      if (!held.copy(name, to)) return undefined;
      const bytes = arena.bytes.subarray(to, to + PAGE_BYTES);
      expect(bytes.every((byte) => byte === bytes[0])).toBe(true);
      return bytes[0];
    };
    put(7);
    put(9);
    expect(() => held.put(11, from)).toThrow("more pages are held than there is room for");
    expect([7, 8, 9, 7].map(copied)).toEqual([7, undefined, 9, 7]);
    held.drop(7);
    held.drop(7);
    held.drop(8);
    put(11);
    expect([7, 9, 11].map(copied)).toEqual([undefined, 9, 11]);
    expect(() => held.put(12, from)).toThrow("more pages are held");
    held.close();
    arena.release(page);
    expect(arena.largestFreeBytes).toBe(free);
  });
});
