// A guest at work is replicated by the command line, backups and hypervisors are killed, and what
// is resumed is exactly the last epoch that was durable.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Gang } from "../../scripts/vm/gang.ts";
import type { Guest } from "../../scripts/vm/guest.ts";
import { PAGEFOLD } from "../../scripts/vm/tunnel.ts";
import type { EpochReport } from "../../src/index.ts";
import { ReplicaStore } from "../../src/index.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const LIMIT_MS = 120_000;
const ROUNDS = Number(process.env.PAGEFOLD_KILL_ROUNDS ?? 3);
/** The block whose content lies in the file of the guest. */
const RAM = "ram";
let gang: Gang;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "pagefold-replicate-"));
  gang = await Gang.boot({ workloads: ["redis"], memoryMiB: 160 });
});
afterAll(async () => {
  await gang?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A process of the command line, and the epochs that it tells of. */
class Replicator {
  readonly epochs: EpochReport[] = [];
  readonly lines: string[] = [];
  private readonly process: ChildProcess;
  private readonly closed: Promise<unknown>;

  constructor(...words: string[]) {
    const [program, ...first] = PAGEFOLD;
    const all = [...first, "replicate", ...words, "--progress", "json"];
    this.process = spawn(program, all, { stdio: ["ignore", "ignore", "pipe"] });
    this.closed = once(this.process, "close");
    createInterface({ input: this.process.stderr as NodeJS.ReadableStream }).on("line", (line) => {
      this.lines.push(line);
      if (line.includes("replicate-epoch")) this.epochs.push(JSON.parse(line));
    });
  }

  async reaches(isSo: (self: this) => boolean): Promise<void> {
    for (const end = Date.now() + LIMIT_MS; !isSo(this); await sleep(5)) {
      if (Date.now() > end || this.process.exitCode !== null) {
        throw new Error(`it did not come about: ${this.lines.slice(-5).join("\n")}`);
      }
    }
  }

  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    this.process.kill(signal);
    await this.closed;
  }
}

const link = (): string => `unix:${folder}/link`;

async function startBackup(): Promise<Replicator> {
  const backup = new Replicator("backup", "--listen", link(), "--dir", `${folder}/replica`);
  await backup.reaches(({ lines }) => lines.some((line) => line.includes("waiting at")));
  return backup;
}

function startPrimary(guest: Guest): Replicator {
  guest.leaveMonitor();
  const words = ["--qmp", `unix:${guest.qmpPath}`, "--connect", link(), "--interval", "200ms"];
  return new Replicator("primary", ...words);
}

/** Brings the guest back; it is compared before it runs on. It may be replicated to here again. */
async function resume(guest: Guest): Promise<{ target: Guest; epoch: number }> {
  const target = guest.arrival({ incoming: "stays paused" });
  await target.connect();
  const capabilities = [{ capability: "events", state: true }];
  await target.qmp.execute("migrate-set-capabilities", { capabilities });
  const socket = `unix:${join(folder, "in.sock")}`;
  await target.qmp.execute("migrate-incoming", { uri: socket });
  const [program, ...first] = PAGEFOLD;
  const words = [...first, "replicate", "resume", `${folder}/replica`, "--incoming", socket];
  const child = spawn(program, [...words, "--json"], { stdio: ["ignore", "pipe", "inherit"] });
  let out = "";
  child.stdout.on("data", (text) => {
    out += text;
  });
  const [code] = await once(child, "close");
  expect(code).toBe(0);
  await rm(`${folder}/replica/resumed.json`);
  const isLoaded = ({ name, data }: { name: string; data: { status?: unknown } }) =>
    name === "MIGRATION" && data.status === "completed";
  await target.qmp.event(isLoaded, { timeoutMs: LIMIT_MS });
  const { epoch } = JSON.parse(out) as { epoch: number };
  expect(differingPages(await readFile(target.ramPath), await ramOf(epoch))).toEqual([]);
  return { target, epoch };
}

function differingPages(found: Buffer, wanted: Buffer): number[] {
  expect(found.length).toBe(wanted.length);
  const differing: number[] = [];
  for (let at = 0; at < found.length; at += 4096) {
    if (found.compare(wanted, at, at + 4096, at, at + 4096) !== 0) differing.push(at / 4096);
  }
  return differing;
}

/** The block of RAM in the replica. */
async function ramOf(epoch: number): Promise<Buffer> {
  await using store = await ReplicaStore.open(`${folder}/replica`);
  await using reader = await store.read(epoch);
  await reader.verify();
  let frame = 0;
  for (const { name, byteLength } of store.identity.ramBlocks) {
    if (name === RAM) {
      const content = Buffer.alloc(byteLength);
      await reader.read(frame, byteLength / 4096, content);
      return content;
    }
    frame += byteLength / 4096;
  }
  throw new Error(`the replica has no block ${RAM}`);
}

describe("a replicated guest", { timeout: 10 * LIMIT_MS }, () => {
  it("lives on with the last durable epoch whatever is killed", async () => {
    const random = seededRandom(randomSeed("replicate kills"));
    for (let round = 0; round < ROUNDS; round++) {
      const [guest] = gang.guests;
      let backup = await startBackup();
      const primary = startPrimary(guest);
      await primary.reaches(({ epochs }) => epochs.length >= 3);
      await sleep(random.int(400));
      await backup.kill();
      const before = primary.epochs.length;
      backup = await startBackup();
      await primary.reaches(({ epochs }) => epochs.length >= before + 3);
      // A backup that comes back needs no second copy of everything.
      expect(primary.epochs.slice(1).some(({ isFull }) => isFull)).toBe(false);
      await sleep(random.int(400));
      const deaths = [() => primary.kill(), () => guest.kill()];
      if (random.int(2) === 0) deaths.reverse();
      for (const die of deaths) await die();
      const durable = primary.epochs.at(-1)?.epoch ?? 0;
      const { target, epoch } = await resume(guest);
      expect(epoch).toBeGreaterThanOrEqual(durable);
      await backup.kill("SIGTERM");
      await guest.close();
      gang.guests = [target];
      await target.resume();
      await target.expectAlive();
      const pauses = primary.epochs.map(({ pauseMs }) => pauseMs).sort((a, b) => a - b);
      const bytes = primary.epochs.slice(1).map(({ wireBytes }) => wireBytes);
      const medians = [pauses, bytes.sort((a, b) => a - b)].map((all) => all[all.length >> 1]);
      console.log(`${primary.epochs.length} epochs, median pause and bytes: ${medians}`);
    }
  });

  it("is sent as a whole by a new primary, which leaves it running", async () => {
    const [guest] = gang.guests;
    const backup = await startBackup();
    const primary = startPrimary(guest);
    await primary.reaches(({ epochs }) => epochs.length >= 2);
    expect(primary.epochs.map(({ isFull }) => isFull).slice(0, 2)).toEqual([true, false]);
    await primary.kill("SIGINT");
    await backup.kill("SIGTERM");
    await guest.connect();
    expect(await guest.status()).toBe("running");
    await guest.expectAlive();
  });
});
