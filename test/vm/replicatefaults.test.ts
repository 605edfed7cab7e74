// What goes wrong around a replicated guest that lives on: the link, the disk of the backup, what
// arrives there, and a directory that is not its own. Each is said in one line, the guest works on,
// and nothing is sent twice that need not be.
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Failover } from "../../scripts/vm/failover.ts";
import { Gang } from "../../scripts/vm/gang.ts";
import {
  addressOf,
  type Replicator,
  startBackup,
  startPrimary,
} from "../../scripts/vm/replicator.ts";
import { ReplicaStore } from "../../src/index.ts";
import { Flipper } from "./flipper.ts";
import { pagesUnlike } from "./replicaram.ts";

const run = promisify(execFile);
const CUT_MS = 5000;
/** The first epoch needs a good part of the memory of the guest, and for a moment twice that. */
const DISK_MIB = 400;
let gang: Gang;
let folder: string;
let directory: string;
let ends: Replicator[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "pagefold-faults-"));
  gang = await Gang.boot({ workloads: ["redis"], memoryMiB: 128 });
});
beforeEach(async () => {
  directory = await mkdtemp(join(folder, "replica-"));
});
afterEach(async () => {
  await endAll();
  const [guest] = gang.guests;
  await guest.connect();
  // It works on, whatever was wrong.
  expect(await guest.status()).toBe("running");
  await guest.expectAlive();
});
afterAll(async () => {
  await gang?.close();
  await rm(folder, { recursive: true, force: true });
});

/** As a user would end them: a primary leaves its guest free. */
async function endAll(): Promise<void> {
  for (const end of ends) await end.kill("SIGINT");
  ends = [];
}

const socket = (name: string): string => `unix:${folder}/${name}`;

async function newBackup(address = socket("link")): Promise<Replicator> {
  const [, host] = gang.hosts;
  const backup = await startBackup(directory, { host, address });
  ends.push(backup);
  return backup;
}

function newPrimary(address = socket("link"), ...more: string[]): Replicator {
  const [guest] = gang.guests;
  const words = ["--interval", "200ms", ...more];
  const primary = startPrimary(guest, { host: gang.hosts[0], address, words });
  ends.push(primary);
  return primary;
}

/** The guest's host dies, and it goes on at the other one with the last epoch. */
async function failOver(isShared = false): Promise<void> {
  const [guest] = gang.guests;
  const failover = await Failover.prepare(guest, { host: gang.hosts[1], isShared });
  for (const end of ends) await end.kill();
  await guest.kill();
  const { epoch } = await failover.resume(directory);
  expect(await pagesUnlike(directory, epoch, failover.target)).toEqual([]);
  await guest.close();
  await failover.target.resume();
  gang.moved([failover.target]);
}

/** Epochs after the first `count` that came as a whole. */
const wholeAfter = ({ epochs }: Replicator, count: number): number =>
  epochs.slice(count).filter(({ isFull }) => isFull).length;

describe("a replicated guest", () => {
  it("goes on after 5 s without a link, and nothing is copied anew", async () => {
    const address = addressOf(gang.hosts[1]);
    await newBackup(address);
    const primary = newPrimary(address);
    await primary.epochsMore(3);
    const { length } = primary.epochs;
    await gang.link.cut();
    await sleep(CUT_MS / 2);
    await gang.guests[0].expectAlive();
    await sleep(CUT_MS / 2);
    await gang.link.mend();
    await primary.epochsMore(3);
    expect(wholeAfter(primary, length)).toBe(0);
    await failOver();
  });

  it("works on while the disk of its backup is full, and is replicated again after", async () => {
    const options = ["-t", "tmpfs", "-o", `size=${DISK_MIB}m`];
    await run("mount", [...options, "pagefold-disk", directory]);
    const disk = directory;
    directory = join(disk, "replica");
    try {
      await newBackup();
      const primary = newPrimary();
      await primary.epochsMore(3);
      const before = primary.notices.length;
      await run("sh", ["-c", `dd if=/dev/zero of=${disk}/filler bs=1M 2>/dev/null || true`]);
      await primary.reaches(({ notices }) => notices.length > before);
      expect(primary.notices[before]).toMatch(/no space left/i);
      await gang.guests[0].expectAlive();
      await rm(join(disk, "filler"));
      const { length } = primary.epochs;
      await primary.epochsMore(3);
      expect(wholeAfter(primary, length)).toBe(0);
      await failOver();
    } finally {
      await endAll();
      await run("umount", [disk]);
    }
  });

  it("is replicated on after a part of an epoch was damaged on its way", async () => {
    await newBackup(socket("backup"));
    const flipper = await Flipper.open(`${folder}/front`, `${folder}/backup`);
    try {
      const primary = newPrimary(socket("front"));
      await primary.epochsMore(2);
      const { length } = primary.epochs;
      const before = primary.notices.length;
      flipper.ask();
      await primary.reaches(({ notices }) => notices.length > before);
      expect(flipper.flips).toBe(1);
      expect(primary.notices[before]).toMatch(/EPOCH \d+ of guest 0: wrong checksum of its body/);
      await primary.epochsMore(2);
      expect(primary.notices.length).toBe(before + 1);
      expect(wholeAfter(primary, length)).toBe(0);
      await failOver();
    } finally {
      flipper.close();
    }
  });

  it("is refused by the directory of another one, which says what differs", async () => {
    await newBackup();
    const first = newPrimary();
    await first.epochsMore(1);
    await endAll();
    const { identity } = await withStore((store) => store);
    const [ram, ...others] = identity.ramBlocks;
    const ramBlocks = [{ ...ram, byteLength: 2 * ram.byteLength }, ...others];
    directory = join(folder, "of-another");
    await mkdir(directory);
    await (await ReplicaStore.open(directory, { identity: { ...identity, ramBlocks } })).close();
    await newBackup();
    const primary = newPrimary();
    await primary.reaches(({ notices }) => notices.length > 0);
    expect(primary.notices[0]).toContain(ram.name);
    expect(primary.notices[0]).toContain(`${ram.byteLength}`);
    expect(primary.epochs).toEqual([]);
  });

  it("is captured from its shared memory, and resumed from a file of it", async () => {
    await newBackup();
    const primary = newPrimary(socket("link"), "--capture", "shared");
    await primary.epochsMore(4);
    const pauses = primary.epochs.map(({ pauseMs }) => pauseMs.toFixed(0));
    console.log(`shared: paused for ${pauses.join(", ")} ms`);
    await failOver(true);
  });
});

async function withStore<T>(look: (store: ReplicaStore) => T): Promise<T> {
  await using store = await ReplicaStore.open(directory);
  return look(store);
}
