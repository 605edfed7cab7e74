// pagefold rack status, of a server that has done both, and of one that has done nothing.
import { expect, it, onTestFinished } from "vitest";
import { openRedisIndex } from "../../src/store/redisindex.ts";
import { openRedisPages } from "../../src/store/redispages.ts";
import { succeed } from "../support/cli.ts";
import { temporaryFolder } from "../support/folder.ts";
import { handlesFrom, newDigests, newGroup } from "../support/rackcontract.ts";
import { startRedis } from "../support/redisservers.ts";

it("rack status shows what was done", async () => {
  const { url } = await startRedis(["--maxmemory", "64mb"]);
  const [index, store] = [await openRedisIndex(url), await openRedisPages(url)];
  onTestFinished(async () => {
    await Promise.all([index.close(), store.close()]);
  });
  const status = () => succeed(["rack", "status", url], temporaryFolder());
  expect(await status()).toMatch(/^racks +none: no index and no store$/m);
  const members = [await index.join("rack", "host-a"), await index.join("rack", "host-b")];
  const digests = newDigests(100);
  for (const member of members) await member.claim(digests, handlesFrom(0, 100));
  const rack = await store.rack();
  await store.put([newGroup(digests.subarray(0, 64), 18)], 60_000);
  await store.find(digests.subarray(0, 128));
  // Look-ups are counted once a second, and when somebody asks.
  await store.status();
  const text = await status();
  expect(text).toMatch(/^memory +[\d.]+ MiB of 64\.0 MiB$/m);
  expect(text).toMatch(/^evictions +0$/m);
  expect(text).toMatch(/^index +100 digests$/m);
  expect(text).toMatch(/^ {2}spared +50\.0 % \(another host\)$/m);
  expect(text).toMatch(/^ +host-a → rack$/m);
  expect(text).toMatch(/^store +2 pages$/m);
  expect(text).toMatch(/^ {2}hits +50\.0 % of look-ups$/m);
  const json = JSON.parse(await succeed(["rack", "status", url, "--json"], temporaryFolder()));
  expect(json).toMatchObject({
    schema: "pagefold/rack-status/1",
    serverCount: 1,
    maxBytes: 64 << 20,
    evictions: 0,
    index: { entries: 100, asked: 200, ours: 100, claimed: 100, stored: 0 },
    store: { rack, pages: 2, hits: 2, misses: 2 },
  });
  expect(json.usedBytes).toBeGreaterThan(500_000);
});
