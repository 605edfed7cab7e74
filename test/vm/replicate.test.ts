// Guests at work are replicated by the command line; backups, primaries and hypervisors are killed
// at any moment, and what is resumed is exactly the last epoch that was durable.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Failover } from "../../scripts/vm/failover.ts";
import { Gang, type Workload } from "../../scripts/vm/gang.ts";
import type { Guest } from "../../scripts/vm/guest.ts";
import { type Replicator, startBackup, startPrimary } from "../../scripts/vm/replicator.ts";
import { randomSeed, type SeededRandom, seededRandom } from "../support/random.ts";
import { pagesUnlike } from "./replicaram.ts";

const LIMIT_MS = 120_000;
const ROUNDS = Number(process.env.PAGEFOLD_KILL_ROUNDS ?? 3);
const WORKLOADS: readonly Workload[] = ["redis", "churn", "nginx"];
const LATE_MS = 400;
let gang: Gang;
let folder: string;
let ends: Replicator[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "pagefold-replicate-"));
  gang = await Gang.boot({ workloads: WORKLOADS, memoryMiB: 128 });
  for (const guest of gang.guests) await guest.pause();
});
afterAll(async () => {
  for (const end of ends) await end.kill();
  await gang?.close();
  await rm(folder, { recursive: true, force: true });
});

const address = (): string => `unix:${folder}/link`;

async function newBackup(directory: string): Promise<Replicator> {
  const backup = await startBackup(directory, { host: gang.link.b, address: address() });
  ends.push(backup);
  return backup;
}

function newPrimary(guest: Guest): Replicator {
  const words = ["--interval", "200ms"];
  const primary = startPrimary(guest, { host: gang.link.a, address: address(), words });
  ends.push(primary);
  return primary;
}

/** One guest after another works; the others stand still. */
async function withGuest(i: number, work: (guest: Guest, directory: string) => Promise<Guest>) {
  const directory = join(folder, `replica-${i}`);
  const guest = gang.guests[i];
  await guest.resume();
  const now = await work(guest, directory);
  gang.guests = gang.guests.with(i, now);
  for (const end of ends) await end.kill();
  ends = [];
  await now.pause();
  await rm(directory, { recursive: true, force: true });
}

/** Kills the backup, later the primary and its QEMU, and brings the guest back. */
async function killRound(guest: Guest, directory: string, random: SeededRandom): Promise<Guest> {
  const first = await newBackup(directory);
  const primary = newPrimary(guest);
  await primary.epochsMore(2 + random.int(2));
  await sleep(random.int(LATE_MS));
  await first.kill();
  const before = primary.epochs.length;
  await newBackup(directory);
  await primary.epochsMore(2);
  // A backup that comes back needs no second copy of everything.
  expect(primary.epochs.slice(before).some(({ isFull }) => isFull)).toBe(false);
  const failover = await Failover.prepare(guest, { host: gang.link.b });
  await sleep(random.int(LATE_MS));
  const deaths = [() => primary.kill(), () => guest.kill()];
  if (random.int(2) === 0) deaths.reverse();
  for (const die of deaths) await die();
  const durable = primary.epochs.at(-1)?.epoch ?? 0;
  const { epoch } = await failover.resume(directory);
  expect(epoch).toBeGreaterThanOrEqual(durable);
  expect(await pagesUnlike(directory, epoch, failover.target)).toEqual([]);
  await guest.close();
  await failover.target.resume();
  await failover.target.expectAlive();
  const { length } = primary.epochs;
  console.log(`${guest.name}: ${length} epochs, ${durable} was durable, resumed ${epoch}`);
  return failover.target;
}

describe("a replicated guest", { timeout: ROUNDS * LIMIT_MS }, () => {
  it("lives on with the last durable epoch whatever is killed", async () => {
    const random = seededRandom(randomSeed("replicate kills"));
    for (let round = 0; round < ROUNDS; round++) {
      await withGuest(round % WORKLOADS.length, (guest, directory) =>
        killRound(guest, directory, random),
      );
    }
  });

  it("is sent as a whole by a new primary, which leaves it running", async () => {
    await withGuest(0, async (guest, directory) => {
      await newBackup(directory);
      for (let time = 0; time < 2; time++) {
        const primary = newPrimary(guest);
        await primary.epochsMore(2);
        expect(primary.epochs.map(({ isFull }) => isFull).slice(0, 2)).toEqual([true, false]);
        await primary.kill("SIGINT");
        await guest.connect();
        expect(await guest.status()).toBe("running");
      }
      await guest.expectAlive();
      return guest;
    });
  });
});
