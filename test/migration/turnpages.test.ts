// Pages that wait for their turn stay in slabs, but for the time in which a turn waits for others.
import { describe, expect, it } from "vitest";
import { PagesInTurn } from "../../src/migration/turnpages.ts";
import type { UnfoldedPages } from "../../src/pipeline/unfold.ts";

/** Pages in a slab of their own; `held` has the slabs that were not given back. */
function pagesOf(slabPtr: number, held: Set<number>): UnfoldedPages {
  held.add(slabPtr);
  const page = { slabPtr, pages: Uint8Array.of(slabPtr), pageCount: 1 };
  const hashes = { words: new Uint32Array(2), from: 0, stride: 2 };
  const own: UnfoldedPages = { ...page, hashes, copy: () => own, release: () => undefined };
  return {
    ...own,
    copy: () => own,
    release: () => {
      if (!held.delete(slabPtr)) throw new Error(`slab ${slabPtr} was given back twice`);
    },
  };
}

describe("pages in turn", () => {
  it("stay in their slabs while turns go on", async () => {
    const held = new Set<number>();
    const turns = new PagesInTurn();
    const taken = await turns.add(Promise.resolve(pagesOf(1, held)));
    expect([...held]).toEqual([1]);
    turns.release(taken);
    expect(held.size).toBe(0);
  });

  it("leave their slabs while a turn waits, those that come then as well", async () => {
    const held = new Set<number>();
    const turns = new PagesInTurn();
    const early = await turns.add(Promise.resolve(pagesOf(1, held)));
    let come: () => void = () => undefined;
    const content = new Promise<void>((resolve) => {
      come = resolve;
    });
    const waited = turns.wait(() => content);
    expect(held.size).toBe(0);
    const late = await turns.add(Promise.resolve(pagesOf(2, held)));
    expect(held.size).toBe(0);
    come();
    await waited;
    const next = await turns.add(Promise.resolve(pagesOf(3, held)));
    expect([...held]).toEqual([3]);
    expect([early, late, next].map(({ pages }) => pages.pages[0])).toEqual([1, 2, 3]);
    for (const taken of [early, late, next]) turns.release(taken);
    expect(held.size).toBe(0);
  });

  it("that could not be restored are found out in their turn", async () => {
    const taken = new PagesInTurn().add(Promise.reject(new Error("damaged")));
    await new Promise((resolve) => setImmediate(resolve));
    await expect(taken).rejects.toThrow("damaged");
  });
});
