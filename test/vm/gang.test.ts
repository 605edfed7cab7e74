// Gangs of guests at work move between two hosts, straight from QEMU to QEMU: shows that what the
// tests of the tunnel stand on works, and what QEMU does when its peer dies.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Gang, WORKLOADS } from "../../scripts/vm/gang.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const SETTLE_LIMIT_MS = 60_000;
const MBIT = 1000;
let gang: Gang;

beforeAll(async () => {
  gang = await Gang.boot({ workloads: WORKLOADS, memoryMiB: 160, mbit: MBIT });
});
afterAll(() => gang?.close());

describe("a gang that QEMU moves by itself", () => {
  it("is at work", async () => {
    await gang.expectAlive();
  });

  it("arrives with the same RAM, and lives and serves on", async () => {
    const report = await gang.migrate({ via: "tcp", arrival: "stays paused" });
    expect(report.differing).toEqual(WORKLOADS.map(() => 0));
    expect(report.wireBytes).toBeGreaterThan(WORKLOADS.length * (20 << 20));
    // The link is shaped: nothing goes faster than its speed, but for what the bucket holds.
    expect((report.wireBytes * 8) / (report.totalMs / 1000)).toBeLessThan(MBIT * 1e6 * 1.1);
    await gang.expectAlive();
  });

  it("starts at the target by itself, and the downtime is known", async () => {
    const { downtimesMs } = await gang.migrate({ via: "tcp" });
    expect(downtimesMs).toHaveLength(WORKLOADS.length);
    for (const downtimeMs of downtimesMs) {
      expect(downtimeMs).toBeGreaterThan(0);
      expect(downtimeMs).toBeLessThan(SETTLE_LIMIT_MS);
    }
    await gang.expectAlive();
  });

  it("arrives with the same RAM after post-copy", async () => {
    const options = { via: "tcp", arrival: "stays paused", postCopyAfterRounds: 1 } as const;
    const { differing } = await gang.migrate(options);
    expect(differing).toEqual(WORKLOADS.map(() => 0));
    await gang.expectAlive();
  });

  it("stays where it is when the target's QEMUs are killed on the way", async () => {
    const delayMs = seededRandom(randomSeed("kill of the target")).int(1000);
    const move = await gang.prepare({ via: "tcp" });
    try {
      await move.begin();
      await sleep(delayMs);
      await Promise.all(move.targets.map((target) => target.kill()));
      const outcomes = await move.settled(SETTLE_LIMIT_MS);
      const statuses = outcomes.map(({ status }) => status);
      expect(statuses).toEqual(WORKLOADS.map(() => "failed"));
      const places = await move.running();
      expect(places).toEqual(WORKLOADS.map(() => ["source"]));
    } finally {
      await move.abandon();
    }
    await gang.expectAlive();
  });
});
