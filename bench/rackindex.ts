// npm run bench:rackindex: how many digests one host claims in an index that one Redis server of
// this machine keeps, and what an entry takes there. See bench/README.md.
import { type ChildProcess, spawn } from "node:child_process";
import { randomFillSync } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type IndexMember, openRedisIndex, rackStatus } from "pagefold";
import { describeMachine, type Machine, machineLine } from "./machine.ts";
import { digits, markdownTable } from "./markdown.ts";
import { type BenchOptions, runBench } from "./options.ts";

interface RackIndexReport {
  schema: "pagefold/bench-rackindex/1";
  date: string;
  machine: Machine;
  quick: boolean;
  /** Medians over the rounds. */
  claims: {
    batch: number;
    inFlight: number;
    /** Digests a second that nobody had claimed, and that the asker had. */
    newPerSecond: number;
    knownPerSecond: number;
    /** What a call of new ones took, from the question to the answer. */
    newCallMs: number;
  }[];
  bytesPerEntry: number;
}

const USAGE = `npm run bench:rackindex
  --runs N      rounds (default: 3)
  --json FILE   the numbers as JSON as well
  --quick       a few seconds: shows that it works, measures nothing`;
const FULL = { entries: 500_000, rounds: 3 };
const QUICK: typeof FULL = { entries: 20_000, rounds: 1 };
const BATCHES = [64, 256, 512, 4096];
const IN_FLIGHT = [1, 2, 4, 8];
const DIGEST_BYTES = 32;
/** A slow answer is a figure, no failure. */
const PATIENCE_MS = 60_000;

/** A server that keeps nothing on a disk, at a unix socket. */
async function startServer(folder: string): Promise<{ url: string; server: ChildProcess }> {
  const socket = join(folder, "redis.sock");
  const words = ["--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder];
  const server = spawn("redis-server", words, { stdio: "ignore" });
  const failed = once(server, "error").then(([error]) => Promise.reject(error));
  failed.catch(() => undefined);
  const url = `redis+unix://${socket}`;
  for (let attempt = 0; ; attempt++) {
    try {
      await Promise.race([rackStatus(url), failed]);
      return { url, server };
    } catch (error) {
      if (attempt > 100 || server.pid === undefined) throw error;
      await sleep(50);
    }
  }
}

/** Claims all digests in batches, some at a time; seconds, and milliseconds of a median call. */
async function claimAll(member: IndexMember, digests: Uint8Array, batch: number, atATime: number) {
  const calls: number[] = [];
  let next = 0;
  const work = async () => {
    while (next < digests.length) {
      const asked = digests.subarray(next, next + batch * DIGEST_BYTES);
      next += asked.length;
      const begin = performance.now();
      await member.claim(asked, new Uint32Array(asked.length / DIGEST_BYTES));
      calls.push(performance.now() - begin);
    }
  };
  const begin = performance.now();
  await Promise.all(Array.from({ length: atATime }, work));
  return { seconds: (performance.now() - begin) / 1000, callMs: median(calls) };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

async function measureIndex({ folder, quick, runs }: BenchOptions): Promise<RackIndexReport> {
  const { entries, rounds } = quick ? QUICK : FULL;
  const machine = describeMachine();
  process.stdout.write(`${machineLine(machine)}\n\n`);
  const claims: RackIndexReport["claims"] = [];
  let bytesPerEntry = 0;
  for (const batch of BATCHES) {
    for (const inFlight of IN_FLIGHT) {
      const found: { fresh: number; known: number; callMs: number; bytes: number }[] = [];
      for (let round = 0; round < (runs ?? rounds); round++) {
        // A server of its own: emptying one takes its time as well.
        const { url, server } = await startServer(folder);
        try {
          found.push(await measureOnce(url, entries, batch, inFlight));
        } finally {
          server.kill("SIGKILL");
          await once(server, "exit");
        }
      }
      bytesPerEntry = median(found.map(({ bytes }) => bytes));
      claims.push({
        batch,
        inFlight,
        newPerSecond: median(found.map(({ fresh }) => fresh)),
        knownPerSecond: median(found.map(({ known }) => known)),
        newCallMs: median(found.map(({ callMs }) => callMs)),
      });
    }
  }
  const rows = claims.map(({ batch, inFlight, newPerSecond, knownPerSecond, newCallMs }) => {
    const thousands = [newPerSecond, knownPerSecond].map((n) => digits(n / 1000));
    return [`${batch}`, `${inFlight}`, ...thousands, newCallMs.toFixed(2)];
  });
  const titles = ["batch", "in flight", "new, 1000/s", "known, 1000/s", "ms per call"];
  process.stdout.write(`${markdownTable(titles, rows)}\n`);
  process.stdout.write(`\n${bytesPerEntry.toFixed(1)} bytes per entry of ${entries}\n`);
  const date = new Date().toISOString();
  return { schema: "pagefold/bench-rackindex/1", date, machine, quick, claims, bytesPerEntry };
}

async function measureOnce(url: string, entries: number, batch: number, inFlight: number) {
  const index = await openRedisIndex(url, { commandTimeoutMs: PATIENCE_MS });
  try {
    const member = await index.join("rack", "host");
    // What was measured once has warmed up the engine, the client and the server.
    const warm = randomFillSync(new Uint8Array(Math.min(entries, 50_000) * DIGEST_BYTES));
    await claimAll(member, warm, batch, inFlight);
    const before = await rackStatus(url);
    const digests = randomFillSync(new Uint8Array(entries * DIGEST_BYTES));
    const fresh = await claimAll(member, digests, batch, inFlight);
    const after = await rackStatus(url);
    const known = await claimAll(member, digests, batch, inFlight);
    return {
      fresh: entries / fresh.seconds,
      known: entries / known.seconds,
      callMs: fresh.callMs,
      bytes: (after.usedBytes - before.usedBytes) / entries,
    };
  } finally {
    await index.close();
  }
}

await runBench(USAGE, measureIndex);
