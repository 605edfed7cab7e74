// The adaptive rate by hand-made rounds, and the clock of the machine.
import { describe, expect, it } from "vitest";
import { AdaptiveRate, MACHINE_CLOCK } from "../../src/migration/adaptiverate.ts";

const PAGE_BYTES = 4096;

/** A round of `pages` uncompressed pages. */
function round(pages: number, elapsedMs: number, dirtiedPages: number) {
  return { pages, wireBytes: pages * PAGE_BYTES, elapsedMs, dirtiedPages };
}

describe("adaptive rate", () => {
  it("begins with the minimum and goes with the dirty rate and the margin", () => {
    const rate = new AdaptiveRate({ minimum: 1e6, maximum: 1e8, margin: 2e6 });
    expect(rate.bytesPerSecond).toBe(1e6);
    rate.next(round(10_000, 2000, 5000));
    expect(rate.bytesPerSecond).toBe(2500 * PAGE_BYTES + 2e6);
    expect(rate.isExceeded).toBe(false);
    rate.next(round(5000, 1000, 50_000));
    expect(rate.bytesPerSecond).toBe(1e8);
    expect(rate.isExceeded).toBe(true);
  });

  it("never goes below the minimum, and takes 50 Mbit/s for the margin", () => {
    const rate = new AdaptiveRate({ minimum: 1e7, maximum: 1e8 });
    rate.next(round(10_000, 4096, 1000));
    expect(rate.bytesPerSecond).toBe(1e7);
    rate.next(round(10_000, 4096, 4000));
    expect(rate.bytesPerSecond).toBe(4e6 + 6.25e6);
  });

  it("counts dirty pages as what they cost on the wire", () => {
    const rate = new AdaptiveRate({ minimum: 1, maximum: 1e9, margin: 0 });
    rate.next({ pages: 1000, wireBytes: 300_000, elapsedMs: 1000, dirtiedPages: 500 });
    expect(rate.bytesPerSecond).toBe(150_000);
    // A round in which nothing was sent says nothing about the cost of a page.
    rate.next({ pages: 0, wireBytes: 100, elapsedMs: 1000, dirtiedPages: 100 });
    expect(rate.bytesPerSecond).toBe(30_000);
  });

  it.each([
    { minimum: 0, maximum: 1 },
    { minimum: 2, maximum: 1 },
    { minimum: 1, maximum: Number.NaN },
    { minimum: 1, maximum: 2, margin: -1 },
  ])("refuses %o", (limits) => {
    expect(() => new AdaptiveRate(limits)).toThrow("rate limits make no sense");
  });
});

describe("the clock of the machine", () => {
  it("sleeps, and wakes with the reason of the signal", async () => {
    const before = MACHINE_CLOCK.now();
    await MACHINE_CLOCK.sleep(30);
    expect(MACHINE_CLOCK.now() - before).toBeGreaterThan(25);
    const abort = new AbortController();
    const sleeping = MACHINE_CLOCK.sleep(60_000, abort.signal);
    abort.abort(new Error("enough"));
    await expect(sleeping).rejects.toThrow("enough");
  });
});
