// A primary and its backup over a link in memory: what the backup holds is the memory of an epoch
// that was captured, whatever becomes of the link.
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { CheckpointPrimary, type EpochReport } from "../../src/replication/primary.ts";
import { temporaryFolder } from "../support/folder.ts";
import { MadeBackup } from "../support/madebackup.ts";
import { MadeGuest } from "../support/madeguest.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const LIMIT_MS = 60_000;

/** Replicates until `isEnough`, and returns what was reported. */
async function replicate(
  guest: MadeGuest,
  backup: MadeBackup,
  isEnough: (reports: readonly EpochReport[]) => boolean,
  more: { onLost?: (reason: string) => void; granularity?: "page" } = {},
): Promise<EpochReport[]> {
  const over = new AbortController();
  const reports: EpochReport[] = [];
  const primary = new CheckpointPrimary({
    source: guest,
    connect: backup.connect,
    intervalMs: 5,
    retryMs: 5,
    ...more,
    onEpoch(report) {
      reports.push(report);
      if (isEnough(reports)) over.abort();
    },
  });
  await primary.run(over.signal);
  await backup.ended();
  return reports;
}

describe("a primary", { timeout: LIMIT_MS }, () => {
  it("has every epoch stored as it was captured", async () => {
    const guest = new MadeGuest(seededRandom(randomSeed("primary")), [300, 7]);
    guest.work(500);
    const backup = new MadeBackup(temporaryFolder());
    const reports = await replicate(guest, backup, ({ length }) => length === 6);
    expect(reports.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(reports.map(({ isFull }) => isFull)).toEqual([true, ...Array(5).fill(false)]);
    const { epoch, memory } = await backup.memory(guest.frameCount);
    // The next one may have been on its way.
    expect([6, 7]).toContain(epoch);
    expect(memory).toEqual(guest.epochs[epoch - 1]);
    for (const { pageCount, blockCount } of reports.slice(1)) {
      expect(pageCount).toBeLessThanOrEqual(30);
      expect(blockCount).toBeLessThan(pageCount * 64);
    }
  });

  it("sends whole pages when it is told to", async () => {
    const guest = new MadeGuest(seededRandom(randomSeed("primary pages")), [100]);
    const backup = new MadeBackup(temporaryFolder());
    const enough = ({ length }: readonly EpochReport[]): boolean => length === 3;
    const reports = await replicate(guest, backup, enough, { granularity: "page" });
    for (const { pageCount, blockCount } of reports) expect(blockCount).toBe(64 * pageCount);
    const { epoch, memory } = await backup.memory(guest.frameCount);
    expect(memory).toEqual(guest.epochs[epoch - 1]);
  });

  it("goes on with what has changed when the link was lost at any moment", async () => {
    const random = seededRandom(randomSeed("primary losses"));
    const guest = new MadeGuest(random, [200]);
    const backup = new MadeBackup(temporaryFolder());
    let isOver = false;
    const lost: string[] = [];
    const cut = async (): Promise<void> => {
      while (!isOver) {
        await sleep(20 + random.int(200));
        backup.connection?.destroy(new Error("cut"));
      }
    };
    const cutting = cut();
    const reports = await replicate(guest, backup, ({ length }) => length === 12, {
      onLost: (reason) => lost.push(reason),
    });
    isOver = true;
    await cutting;
    const { epoch, memory } = await backup.memory(guest.frameCount);
    // What was durable though nobody heard of it was captured too: epochs that were never sent
    // have no number of their own.
    const captured = guest.epochs.findLastIndex((one) => Buffer.compare(one, memory) === 0);
    expect(captured).toBeGreaterThanOrEqual(0);
    expect(epoch).toBeGreaterThanOrEqual(reports.at(-1)?.epoch ?? 0);
    expect(lost.length).toBeGreaterThan(0);
    expect(reports.filter(({ isFull }) => isFull).length).toBeLessThanOrEqual(1);
  });

  it("sends everything to a backup that has lost it", async () => {
    const random = seededRandom(randomSeed("primary anew"));
    const guest = new MadeGuest(random, [100]);
    const folder = temporaryFolder();
    await replicate(guest, new MadeBackup(folder), ({ length }) => length === 3);
    // Another primary of the same guest knows nothing of what was sent.
    const again = new MadeBackup(folder);
    const reports = await replicate(guest, again, ({ length }) => length === 2);
    expect(reports[0].isFull).toBe(true);
    expect(reports[1].isFull).toBe(false);
    expect(reports[0].epoch).toBeGreaterThan(3);
    const { memory } = await again.memory(guest.frameCount);
    expect(guest.epochs.some((one) => Buffer.compare(one, memory) === 0)).toBe(true);
  });

  it("is told why when the directory is another guest's", async () => {
    const random = seededRandom(randomSeed("primary other"));
    const folder = temporaryFolder();
    const first = new MadeGuest(random, [20]);
    await replicate(first, new MadeBackup(folder), ({ length }) => length === 1);
    const other = new MadeGuest(random, [20], "made-2.0");
    const over = new AbortController();
    const lost: string[] = [];
    const primary = new CheckpointPrimary({
      source: other,
      connect: new MadeBackup(folder).connect,
      intervalMs: 5,
      retryMs: 5,
      onLost(reason) {
        lost.push(reason);
        over.abort();
      },
    });
    await primary.run(over.signal);
    expect(lost[0]).toMatch(/machine made-1.0, not made-2.0/);
  });

  it("ends when the guest cannot be captured", async () => {
    const folder = temporaryFolder();
    const primary = new CheckpointPrimary({
      source: { epoch: () => Promise.reject(new Error("the guest is gone")) },
      connect: new MadeBackup(folder).connect,
      intervalMs: 5,
    });
    await expect(primary.run()).rejects.toThrow("the guest is gone");
  });
});
