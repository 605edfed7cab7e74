// The token bucket against a clock that the test turns.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RateLimit } from "../../src/transport/rate.ts";

/** A limit and a clock; `run` sends in order and returns how long that took. */
function clocked(bytesPerSecond: number, burstBytes?: number) {
  let nowMs = 1000;
  const options = { now: () => nowMs, ...(burstBytes === undefined ? {} : { burstBytes }) };
  const limit = new RateLimit(bytesPerSecond, options);
  return {
    limit,
    pass: (milliseconds: number) => {
      nowMs += milliseconds;
    },
    run(sizes: readonly number[]): number {
      const startMs = nowMs;
      for (const size of sizes) nowMs += limit.take(size);
      return nowMs - startMs;
    },
  };
}

describe("a rate limit", () => {
  it("lets a burst pass, then no more than the rate", () => {
    const { run } = clocked(1_000_000, 5000);
    expect(run([5000])).toBe(0);
    expect(run([1000])).toBeCloseTo(1);
    expect(run(new Array(100).fill(10_000))).toBeCloseTo(1000);
  });

  it("saves no more than a burst while nothing is sent", () => {
    const { run, pass } = clocked(1_000_000, 5000);
    run([5000]);
    pass(60_000);
    expect(run([5000])).toBe(0);
    expect(run([5000])).toBeCloseTo(5);
  });

  it("lets those who come later wait for those before them", () => {
    const { limit } = clocked(1_000_000, 0);
    expect([limit.take(1000), limit.take(1000), limit.take(500)]).toEqual([1, 2, 2.5]);
  });

  it("changes its rate, to none and back", () => {
    const { limit, run } = clocked(1_000_000);
    run([20_000]);
    limit.setRate(Number.POSITIVE_INFINITY);
    expect(run([1e12])).toBe(0);
    limit.setRate(2_000_000);
    expect(run([20_000, 20_000])).toBeLessThanOrEqual(20);
    expect(run([20_000])).toBeCloseTo(10);
    for (const rate of [0, -1, Number.NaN]) expect(() => limit.setRate(rate)).toThrow(RangeError);
  });

  it("never exceeds burst + rate x time, whatever is asked for", () => {
    const steps = fc.array(fc.record({ size: fc.nat(100_000), idleMs: fc.nat(50) }));
    fc.assert(
      fc.property(fc.integer({ min: 1000, max: 1e9 }), steps, (rate, sent) => {
        const { limit, pass } = clocked(rate, 4096);
        let elapsedMs = 0;
        let total = 0;
        for (const { size, idleMs } of sent) {
          const waitMs = limit.take(size);
          pass(waitMs + idleMs);
          elapsedMs += waitMs;
          total += size;
          expect(total).toBeLessThanOrEqual(4096 + (elapsedMs * rate) / 1000 + 1);
          elapsedMs += idleMs;
        }
      }),
    );
  });

  it("waits, or stops waiting when aborted", async () => {
    const limit = new RateLimit(1_000_000, { burstBytes: 1000 });
    const startMs = performance.now();
    await limit.wait(1000);
    await limit.wait(30_000);
    expect(performance.now() - startMs).toBeGreaterThan(25);
    const stop = new AbortController();
    const waiting = limit.wait(1e9, stop.signal);
    stop.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
  });
});
