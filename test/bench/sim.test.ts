// The simulator of racks: the same run for the same seed, every page once, and not more bytes over
// the core than without a rack.
import { describe, expect, it } from "vitest";
import { makeFleet, readStatistics } from "../../bench/sim/fleet.ts";
import { DEFAULTS } from "../../bench/sim/options.ts";
import { play, type Scenario } from "../../bench/sim/scenario.ts";

const SCENARIO: Scenario = { ...DEFAULTS, racks: 2, hosts: 4, scale: 256, isUniform: true };
const statistics = readStatistics();

describe("the simulator of racks", () => {
  it("makes a fleet that shares what was measured", () => {
    const fleet = makeFleet(statistics, { ...SCENARIO, scale: 1, kinds: 2, hosts: 3 });
    const pages = fleet.hosts.map(({ batches }) =>
      batches.reduce((sum, { length }) => sum + length, 0),
    );
    // What bench:interrack has counted on three hosts: 62 264 on one, 135 834 on all.
    for (const count of pages) expect(Math.abs(count / 62_264 - 1)).toBeLessThan(0.01);
    const all = new Set(fleet.hosts.flatMap(({ batches }) => batches.flatMap((one) => [...one])));
    expect(Math.abs(all.size / 135_834 - 1)).toBeLessThan(0.01);
  });

  it.each([
    ["as they come", {}],
    ["that have the same pages at the same time", { isAligned: true }],
    ["over racks with one index", { racks: 4, hosts: 6, isIndexShared: true }],
    ["that overload their index", { indexNodes: 0.01 }],
    ["that overload their store", { storeNodes: 0.02 }],
  ])("brings every page of hosts %s", async (_, change) => {
    const scenario = { ...SCENARIO, ...change };
    const [plain, gang, rack] = await play(statistics, scenario);
    expect([plain.faults, gang.faults, rack.faults]).toEqual([0, 0, 0]);
    expect(rack.contentPages).toBeGreaterThanOrEqual(rack.distinctPages);
    expect(rack.contentPages).toBeLessThanOrEqual(gang.contentPages);
    // At the worst there are names for nothing.
    expect(rack.coreBytes).toBeLessThan(gang.coreBytes * 1.03);
    expect(gang.coreBytes).toBeLessThan(plain.coreBytes);
  });

  it("sends each page once where index and store keep up", async () => {
    const [rack] = await play(statistics, SCENARIO, ["rack"]);
    expect(rack.raceRate).toBeLessThan(0.01);
    expect(rack.timeouts).toBe(0);
  });

  it("makes the same run of the same seed", async () => {
    const [one, again] = [await play(statistics, SCENARIO), await play(statistics, SCENARIO)];
    expect(one).toEqual(again);
    const [other] = await play(statistics, { ...SCENARIO, seed: 2 }, ["rack"]);
    expect(other).not.toEqual(one[2]);
  });
});
