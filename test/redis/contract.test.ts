// What every index and every page store must do, by a Redis server and by a cluster.
import { setTimeout as sleep } from "node:timers/promises";
import { onTestFinished } from "vitest";
import { openRedisIndex } from "../../src/store/redisindex.ts";
import { openRedisPages } from "../../src/store/redispages.ts";
import { describeIndex, describePages } from "../support/rackcontract.ts";
import { startCluster, startRedis } from "../support/redisservers.ts";

const pass = async (ms: number) => {
  await sleep(ms);
};

function closing<T extends { close(): Promise<void> }>(opened: T): T {
  onTestFinished(() => opened.close());
  return opened;
}

const SERVERS = {
  "Redis server": async () => (await startRedis()).url,
  "Redis cluster": async () => (await startCluster())[1].url,
};

for (const [name, start] of Object.entries(SERVERS)) {
  describeIndex(name, async () => {
    const url = await start();
    return { open: async () => closing(await openRedisIndex(url)), pass };
  });
  describePages(name, async () => {
    const url = await start();
    return { open: async () => closing(await openRedisPages(url)), pass };
  });
}
