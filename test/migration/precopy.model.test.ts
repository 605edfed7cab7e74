// The real loop against the closed form of pre-copy, on a clock of its own: bytes and number of
// rounds and the downtime of a guest that dirties other pages all the time.
import { describe, expect, it } from "vitest";
import { precopy } from "../../src/migration/precopy.ts";
import type { PrecopyOptions } from "../../src/migration/precopyapi.ts";
import { precopyModel } from "../oracle/precopymodel.ts";
import { CopyLink, LiveGuest, SimulatedClock, sweeper } from "../support/liveguest.ts";

const PAGES = 8000;
/** Pages per second. */
const BANDWIDTH = 4000;
const PAGE_BYTES = 4096;

async function migrate(dirtyRate: number, options: PrecopyOptions) {
  const clock = new SimulatedClock();
  const guest = new LiveGuest(PAGES, sweeper(clock, dirtyRate));
  const link = new CopyLink(PAGES, { clock, bytesPerSecond: BANDWIDTH * PAGE_BYTES });
  const report = await precopy(guest, link, { clock, downtimeLimitMs: 0, ...options });
  expect(link.target.equals(guest.memory)).toBe(true);
  return report;
}

describe("pre-copy against its model", () => {
  // Within 1 % and two pages of every round: a chunk that is under way when a round ends.
  it.each([0.05, 0.2, 0.5, 0.7, 0.8])("moves V0 (D/B)^i in round i, D/B = %f", async (ratio) => {
    const dirtyRate = ratio * BANDWIDTH;
    const model = precopyModel(PAGES, dirtyRate, BANDWIDTH, 50);
    const report = await migrate(dirtyRate, { putOff: false, maxVolume: 6 });
    expect(report.stopReason).toBe("small remainder");
    const pages = report.rounds.map((round) => round.pages);
    expect(pages.length).toBe(model.rounds.length + 1);
    for (const [i, expected] of [...model.rounds, model.rest].entries()) {
      expect(Math.abs(pages[i] - expected)).toBeLessThan(expected * 0.01 + 2);
    }
    expect(Math.abs(report.pagesTransferred / model.totalPages - 1)).toBeLessThan(0.01);
    expect(Math.abs(report.downtimeMs - model.downtimeMs)).toBeLessThan(0.5);
    expect(report.totalMigrationTimeMs).toBeCloseTo(report.preparationTimeMs + report.downtimeMs);
  });

  it.each([0.2, 0.5, 0.8])("moves less when it puts frames off, D/B = %f", async (ratio) => {
    const plain = await migrate(ratio * BANDWIDTH, { putOff: false, maxVolume: 6 });
    const report = await migrate(ratio * BANDWIDTH, { maxVolume: 6 });
    expect(report.stopReason).toBe("small remainder");
    expect(report.pagesTransferred).toBeLessThanOrEqual(plain.pagesTransferred);
  });

  it.each([
    [1, false],
    [1, true],
    [1.5, false],
    [1.5, true],
    [20, false],
    [20, true],
  ])("stops by force when D/B = %f, putting off: %s", async (ratio, putOff) => {
    const report = await migrate(ratio * BANDWIDTH, { putOff });
    expect(["no progress", "writable set", "volume limit"]).toContain(report.stopReason);
    expect(report.rounds.length).toBeLessThanOrEqual(10);
    expect(report.pagesTransferred).toBeLessThanOrEqual(5 * PAGES);
    const rest = report.rounds.at(-1)?.pages ?? 0;
    expect(Math.abs(report.downtimeMs - (rest / BANDWIDTH) * 1000)).toBeLessThan(0.5);
  });

  // Not so slow at first that the guest dirties all it has: then nobody knows how fast it is.
  it("follows the dirty rate with its own, and holds the maximum", async () => {
    const maximum = 0.8 * BANDWIDTH * PAGE_BYTES;
    const rate = { minimum: maximum / 4, maximum, margin: maximum / 4 };
    const dirtyRate = 0.1 * BANDWIDTH;
    const report = await migrate(dirtyRate, { putOff: false, rate });
    expect(report.stopReason).toBe("small remainder");
    const [first, second, ...others] = report.rounds;
    expect(first.bytesPerSecond).toBe(rate.minimum);
    const wanted = dirtyRate * PAGE_BYTES + rate.margin;
    expect(Math.abs((second.bytesPerSecond ?? 0) / wanted - 1)).toBeLessThan(0.02);
    expect(others.at(-1)?.bytesPerSecond).toBe(maximum);
    for (const { wireBytes, elapsedMs, bytesPerSecond = 0 } of report.rounds) {
      expect((wireBytes / elapsedMs) * 1000).toBeLessThan(bytesPerSecond * 1.01);
    }
  });

  it("stops the guest when its dirty rate and the margin are over the maximum", async () => {
    const maximum = 0.5 * BANDWIDTH * PAGE_BYTES;
    const rate = { minimum: 0.8 * maximum, maximum, margin: 0.4 * maximum };
    const reasonAt = async (ratio: number) =>
      (await migrate(ratio * BANDWIDTH, { putOff: false, rate })).stopReason;
    expect(await reasonAt(0.29)).toBe("small remainder");
    expect(await reasonAt(0.31)).toBe("dirty rate");
  });
});
