// A guest tells the world an ever higher number. Whatever is killed at whatever moment, it is never
// resumed behind what the world has heard, if its output was held; and it is, if not.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Failover } from "../../scripts/vm/failover.ts";
import { Gang } from "../../scripts/vm/gang.ts";
import type { Guest } from "../../scripts/vm/guest.ts";
import { type Replicator, startBackup, startPrimary } from "../../scripts/vm/replicator.ts";
import { PAGEFOLD } from "../../scripts/vm/tunnel.ts";
import { OutputFilters, replicaStatus, resumeReplica } from "../../src/index.ts";
import { randomSeed, seededRandom } from "../support/random.ts";
import { Outside } from "./outside.ts";

const LIMIT_MS = 120_000;
const ROUNDS = Number(process.env.PAGEFOLD_KILL_ROUNDS ?? 3);
const HOLD = ["--hold-output", "net0"];
let gang: Gang;
let folder: string;
let outside: Outside;
let ends: Replicator[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "pagefold-output-"));
  outside = await Outside.open(join(folder, "net"));
  const { netdev } = outside;
  gang = await Gang.boot({ workloads: ["counter"], memoryMiB: 128, netdev, ...qemuWord() });
});
afterEach(endAll);
afterAll(async () => {
  await gang?.close();
  outside?.close();
  await rm(folder, { recursive: true, force: true });
});

async function endAll(): Promise<void> {
  for (const end of ends) await end.kill();
  ends = [];
}

/** For another QEMU than the one that is installed. */
function qemuWord() {
  const { PAGEFOLD_QEMU: qemu } = process.env;
  return qemu === undefined ? {} : { qemu };
}

const address = (): string => `unix:${folder}/link`;
const directory = (): string => join(folder, "replica");

async function newBackup(): Promise<Replicator> {
  const backup = await startBackup(directory(), { host: gang.link.b, address: address() });
  ends.push(backup);
  return backup;
}

function newPrimary(guest: Guest, more: readonly string[]): Replicator {
  const words = ["--interval", "100ms", ...more];
  const primary = startPrimary(guest, { host: gang.link.a, address: address(), words });
  ends.push(primary);
  return primary;
}

const outputs = ({ epochs }: Replicator) => epochs.map(({ output }) => output);
const isHeld = (primary: Replicator) => outputs(primary).filter((o) => o === "held").length >= 3;

/** The guest, which has died, lives on at the backup. */
async function failOver(guest: Guest): Promise<{ heard: number; first: number }> {
  const voice = outside.voices.length - 1;
  await outside.silence(voice);
  const heard = outside.highest;
  const failover = await Failover.prepare(guest, { host: gang.link.b, arrival: "starts" });
  const { target } = failover;
  await failover.resume(directory());
  const first = await outside.firstOf(voice + 1);
  await endAll();
  await guest.close();
  gang.guests = [target];
  return { heard, first };
}

async function release(guest: Guest): Promise<string> {
  const [program, ...first] = PAGEFOLD;
  const words = [...first, "replicate", "release", "--qmp", `unix:${guest.qmpPath}`];
  const child = spawn(program, words, { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (text) => {
    said += text;
  });
  const [code] = await once(child, "close");
  expect(code).toBe(0);
  return said;
}

describe("output that is held", { timeout: 10 * LIMIT_MS }, () => {
  it("is never ahead of the guest that is resumed, whatever is killed and when", async () => {
    const random = seededRandom(randomSeed("output kills"));
    for (let round = 0; round < ROUNDS; round++) {
      const [guest] = gang.guests;
      const backup = await newBackup();
      const primary = newPrimary(guest, HOLD);
      await primary.reaches(isHeld);
      await sleep(random.int(400));
      const deaths = [() => primary.kill(), () => guest.kill(), () => backup.kill()];
      for (let i = deaths.length; i > 0; i--) await deaths.splice(random.int(i), 1)[0]();
      const pauses = primary.epochs.map(({ pauseMs }) => pauseMs).sort((a, b) => a - b);
      const { heard, first } = await failOver(guest);
      expect(heard).toBeGreaterThan(0);
      expect(first).toBeGreaterThan(heard);
      console.log(`heard ${heard}, goes on with ${first}; paused ${pauses[pauses.length >> 1]} ms`);
    }
  });

  it("is ahead of it when it is not held", async () => {
    const [guest] = gang.guests;
    const backup = await newBackup();
    const primary = newPrimary(guest, []);
    await primary.reaches(({ epochs }) => epochs.length >= 3);
    await backup.kill();
    const before = outside.highest;
    await outside.reaches(() => outside.highest > before + 50);
    await Promise.all([primary.kill(), guest.kill()]);
    const { heard, first } = await failOver(guest);
    expect(first).toBeLessThanOrEqual(heard);
  });

  it("waits for a backup that is lost, and for a primary that was killed", async () => {
    const [guest] = gang.guests;
    const backup = await newBackup();
    const primary = newPrimary(guest, HOLD);
    await primary.reaches(isHeld);
    await backup.kill();
    await primary.reaches(({ notices }) => notices.some((line) => line.includes("is held, for")));
    const before = outside.highest;
    await sleep(1000);
    expect(outside.highest).toBe(before);
    await primary.kill();
    await sleep(500);
    expect(outside.highest).toBe(before);
    // Another one takes over what the first has left: nothing is lost, and nothing is early.
    const known = (await replicaStatus(directory())).last?.epoch ?? 0;
    await newBackup();
    const next = newPrimary(guest, HOLD);
    await outside.reaches(() => outside.highest > before);
    expect((await replicaStatus(directory())).last?.epoch).toBeGreaterThan(known);
    const numbers = outside.heard.map(({ number }) => number);
    expect(numbers).toEqual(numbers.map((_, i) => numbers[0] + i));
    await next.reaches(isHeld);
    await next.kill();
    const held = outside.highest;
    await sleep(300);
    expect(outside.highest).toBe(held);
    expect(await release(guest)).toContain("released: what it has sent to net0");
    await outside.reaches(() => outside.highest > held + 100);
  });

  it("leaves without a backup where that is allowed, and the backup knows", async () => {
    const [guest] = gang.guests;
    const backup = await newBackup();
    const primary = newPrimary(guest, [...HOLD, "--unprotect"]);
    await primary.reaches(({ epochs }) => epochs.length >= 5);
    await backup.kill();
    await primary.reaches(({ notices }) => notices.some((line) => line.includes("unprotected")));
    const before = outside.highest;
    await outside.reaches(() => outside.highest > before + 50);
    expect((await replicaStatus(directory())).last?.output).toBe("behind");
    const place = { directory: directory(), incomingPath: join(folder, "nowhere") };
    await expect(resumeReplica(place)).rejects.toThrow("may be behind the world");
    await newBackup();
    const count = primary.epochs.length;
    await primary.reaches(({ epochs }) => epochs.length > count + 3);
    // One that is told to end leaves nothing held either.
    await primary.kill("SIGTERM");
    const end = outside.highest;
    await outside.reaches(() => outside.highest > end + 100);
  });

  it("is held for longer than a filter of QEMU holds it", async () => {
    const [guest] = gang.guests;
    await guest.connect();
    const options = { intervalMs: 1500, renewMs: 500 };
    const output = await OutputFilters.open(guest.qmp, ["net0"], options);
    await output.seal(1);
    await sleep(100);
    await output.seal(2);
    const before = outside.highest;
    await sleep(4000);
    expect(outside.highest).toBe(before);
    output.close();
    // Nobody is there any more.
    await outside.reaches(() => outside.highest > before + 100);
    guest.leaveMonitor();
    expect(await release(guest)).toMatch(/released/);
  });
});
