// A real process on a real file system: killed with -9 at any time, and on a disk that is full.
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { ReplicaStore } from "../../src/replication/store.ts";
import { outcomeOf } from "../support/cli.ts";
import { temporaryFolder } from "../support/folder.ts";
import { randomSeed, seededRandom } from "../support/random.ts";
import { expectEpochs, ReplicaModel } from "../support/replica.ts";
import { LIFE_FRAMES } from "../support/replicalife.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const LIFE = ["--import", here("../support/strip-types.mjs"), here("../support/replicalife.ts")];
const ROUNDS = 4;

/** True where a test may mount file systems of its own. */
const mayMount = (() => {
  try {
    execFileSync("unshare", ["-rm", "mount", "-t", "tmpfs", "none", "/mnt"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

describe("a process that keeps a replica", () => {
  it("is killed at any time, and its last acknowledged epoch is there", async () => {
    const folder = join(temporaryFolder(), "web");
    const seed = randomSeed("replica kill");
    const random = seededRandom(seed);
    let acked = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const child = spawn(process.execPath, [...LIFE, "run", folder, String(seed)]);
      onTestFinished(() => void child.kill("SIGKILL"));
      const started = new Promise<void>((resolve) => child.stdout.once("data", () => resolve()));
      const outcome = outcomeOf(child);
      await Promise.race([started, outcome]);
      await sleep(random.int(150));
      child.kill("SIGKILL");
      const { stdout, stderr } = await outcome;
      expect(stderr).toBe("");
      const said = [...stdout.toString().matchAll(/epoch (\d+)\n/g)].map(([, n]) => Number(n));
      acked = Math.max(acked, ...said);
      await using store = await ReplicaStore.open(folder);
      const last = store.last?.epoch ?? 0;
      expect(last).toBeGreaterThanOrEqual(acked);
      expect(last).toBeLessThanOrEqual(acked + 1);
      const model = new ReplicaModel(LIFE_FRAMES, seededRandom(seed));
      while (model.epoch < last) model.run();
      await expectEpochs(store, model);
      expect(store.oldest).toBe(last - 1);
    }
    expect(acked).toBeGreaterThan(ROUNDS);
  });

  it.skipIf(!mayMount)("goes on when its disk was full", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "disk"));
    const seed = randomSeed("replica room");
    const script = 'mount -t tmpfs -o size=4m none disk && exec "$0" "$@"';
    const words = [process.execPath, ...LIFE, "fill", "disk/web", String(seed)];
    const child = spawn("unshare", ["-rm", "sh", "-c", script, ...words], { cwd: folder });
    const { code, stdout, stderr } = await outcomeOf(child);
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(Number(/^(\d+) refusals\n$/.exec(stdout.toString())?.[1])).toBeGreaterThan(20);
  });
});
