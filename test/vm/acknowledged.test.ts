// A client outside writes into the redis of a guest. Whatever is killed at whatever moment, the
// guest that is resumed has every write that the client was told of, if output was held.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Failover } from "../../scripts/vm/failover.ts";
import { Gang } from "../../scripts/vm/gang.ts";
import type { Host } from "../../scripts/vm/link.ts";
import { startBackup, startPrimary } from "../../scripts/vm/replicator.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const LIMIT_MS = 120_000;
const ROUNDS = Number(process.env.PAGEFOLD_KILL_ROUNDS ?? 3);
const NETDEV = "user,hostfwd=tcp:127.0.0.1:6379-10.0.2.15:6379";
const CLIENT = fileURLToPath(new URL("redisclient.ts", import.meta.url));
const TYPES = fileURLToPath(new URL("../support/strip-types.mjs", import.meta.url));
let gang: Gang;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "pagefold-acknowledged-"));
  gang = await Gang.boot({ workloads: ["redis"], memoryMiB: 128, netdev: NETDEV });
});
afterAll(async () => {
  await gang?.close();
  await rm(folder, { recursive: true, force: true });
});

/** A process on a host, which sees the redis of the guest that is there. */
function client(host: Host, ...words: string[]): ChildProcess {
  const inside = ["--pdeathsig", "KILL", "ip", "netns", "exec", host.namespace];
  const all = [...inside, process.execPath, "--import", TYPES, CLIENT, ...words];
  return spawn("setpriv", all, { stdio: ["ignore", "pipe", "inherit"] });
}

/** What it prints, as it comes. */
function outputOf({ stdout }: ChildProcess): { text: string } {
  const output = { text: "" };
  stdout?.on("data", (bytes) => {
    output.text += bytes;
  });
  return output;
}

describe("writes that redis has acknowledged", { timeout: ROUNDS * LIMIT_MS }, () => {
  it("are there after a failover, whatever is killed and when", async () => {
    const random = seededRandom(randomSeed("acknowledged kills"));
    const address = `unix:${folder}/link`;
    let [from, to] = [gang.link.a, gang.link.b];
    for (let round = 0; round < ROUNDS; round++) {
      const [guest] = gang.guests;
      const directory = join(folder, `replica-${round}`);
      const backup = await startBackup(directory, { host: to, address });
      const words = ["--interval", "100ms", "--hold-output", "net0"];
      const primary = startPrimary(guest, { host: from, address, words });
      await primary.reaches(({ epochs }) => epochs.filter((e) => e.output === "held").length >= 2);
      const writer = client(from, "write", `${round}`);
      const said = outputOf(writer);
      // It may end by itself, when the guest is gone.
      const closed = once(writer, "close");
      const acknowledged = (): number => (said.text.match(/\n/g) ?? []).length;
      for (const end = Date.now() + LIMIT_MS; acknowledged() < 5; await sleep(10)) {
        expect(Date.now()).toBeLessThan(end);
      }
      await sleep(random.int(400));
      const deaths = [() => primary.kill(), () => guest.kill()];
      if (random.int(2) === 0) deaths.reverse();
      for (const die of deaths) await die();
      writer.kill("SIGKILL");
      await closed;
      await backup.kill();
      const failover = await Failover.prepare(guest, { host: to, arrival: "starts" });
      await failover.resume(directory);
      const reader = client(to, "missing", `${round}`, `${acknowledged()}`);
      const found = outputOf(reader);
      expect(await once(reader, "close")).toEqual([0, null]);
      expect(JSON.parse(found.text)).toEqual([]);
      console.log(`${acknowledged()} writes were acknowledged, and all are there`);
      await guest.close();
      gang.guests = [failover.target];
      [from, to] = [to, from];
    }
  });
});
