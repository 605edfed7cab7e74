// The slab pool holds back who wants more than there is.
import { describe, expect, it } from "vitest";
import { Arena } from "../../src/core/arena.ts";
import { SLAB_BYTES } from "../../src/core/slab.ts";
import { SlabPool } from "../../src/pipeline/slabs.ts";

const newArena = (): Arena => new Arena({ buffer: new ArrayBuffer(65536 + 3 * SLAB_BYTES) });

describe("slabs", () => {
  it("are leased in turn, the last used first", async () => {
    const slabs = new SlabPool(newArena(), 2);
    const [first, second] = [await slabs.lease(), await slabs.lease()];
    expect(second).toBe(first + SLAB_BYTES);
    slabs.release(first);
    slabs.release(second);
    expect(await slabs.lease()).toBe(second);
  });

  it("are waited for in order", async () => {
    const slabs = new SlabPool(newArena(), 1);
    const slab = await slabs.lease();
    const order: string[] = [];
    const waiting = ["first", "second"].map(async (name) => {
      const leased = await slabs.lease();
      order.push(name);
      slabs.release(leased);
    });
    await Promise.resolve();
    expect(order).toEqual([]);
    slabs.release(slab);
    await Promise.all(waiting);
    expect(order).toEqual(["first", "second"]);
  });

  it("are refused, now and later, after a failure", async () => {
    const slabs = new SlabPool(newArena(), 1);
    await slabs.lease();
    const waiting = slabs.lease();
    slabs.fail(new Error("stop"));
    slabs.fail(new Error("again"));
    await expect(waiting).rejects.toThrow("stop");
    await expect(slabs.lease()).rejects.toThrow("stop");
  });

  it("give all their memory back", () => {
    const arena = newArena();
    const before = arena.largestFreeBytes;
    new SlabPool(arena, 3).close();
    expect(arena.largestFreeBytes).toBe(before);
    expect(() => new SlabPool(arena, 4)).toThrow("for slabs");
    expect(arena.largestFreeBytes).toBe(before);
  });
});
