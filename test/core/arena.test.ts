// The arena hands out linear memory and gets it back.
import { describe, expect, it } from "vitest";
import { Arena, type Region } from "../../src/core/arena.ts";
import { seededRandom } from "../support/random.ts";

const ALL = 64 * 4096;
const newArena = (): Arena => new Arena({ buffer: new ArrayBuffer(65536 + ALL) });

describe("arena", () => {
  it("keeps the module's first 64 KiB and hands out whole grains", () => {
    const arena = newArena();
    expect(arena.largestFreeBytes).toBe(ALL);
    const first = arena.reserve(1, "a byte");
    expect(first).toEqual({ ptr: 65536, byteLength: 4096 });
    expect(arena.reserve(4097, "more").ptr).toBe(65536 + 4096);
    expect(arena.largestFreeBytes).toBe(ALL - 3 * 4096);
  });

  it("can be used up to the last byte, and says what is left when it is not enough", () => {
    const arena = newArena();
    const all = arena.reserve(ALL, "all");
    expect(arena.largestFreeBytes).toBe(0);
    expect(() => arena.reserve(1, "a byte too much")).toThrow(
      "memory: 4096 bytes for a byte too much, 0 are left: give the engine more",
    );
    arena.release(all);
    expect(arena.reserve(ALL, "all again")).toEqual(all);
  });

  it("joins what was given back in any order", () => {
    const random = seededRandom(5);
    for (let round = 0; round < 50; round++) {
      const arena = newArena();
      const held: Region[] = [];
      for (let n = 0; n < 16; n++) held.push(arena.reserve(4096 * (1 + random.int(4)), "part"));
      const sorted = [...held].sort((a, b) => a.ptr - b.ptr);
      for (const [i, region] of sorted.entries()) {
        if (i > 0) expect(region.ptr).toBe(sorted[i - 1].ptr + sorted[i - 1].byteLength);
      }
      while (held.length > 0) arena.release(held.splice(random.int(held.length), 1)[0]);
      expect(arena.largestFreeBytes).toBe(ALL);
    }
  });

  it("fills a hole before it takes from the end", () => {
    const arena = newArena();
    const hole = arena.reserve(8192, "hole");
    arena.reserve(4096, "fence");
    arena.release(hole);
    expect(arena.reserve(4096, "fits").ptr).toBe(hole.ptr);
    expect(arena.reserve(8192, "does not fit").ptr).toBe(65536 + 3 * 4096);
  });

  it("takes back everything that a failure had reserved", () => {
    const arena = newArena();
    const held = arena.reserve(4096, "held");
    const take = () => [arena.reserve(ALL / 2, "half"), arena.reserve(ALL / 2, "other half")];
    expect(() => arena.allOrNothing(take)).toThrow("for other half");
    expect(arena.largestFreeBytes).toBe(ALL - 4096);
    arena.release(held);
    expect(arena.allOrNothing(take)).toHaveLength(2);
  });

  it("numbers its sessions", () => {
    const arena = newArena();
    expect([arena.nextSession(), arena.nextSession()]).toEqual([1, 2]);
  });
});
