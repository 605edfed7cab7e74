// What only an index in Redis has: keys that expire by themselves, and servers of a cluster that
// are lost one by one.
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it, onTestFinished } from "vitest";
import { openRedisIndex } from "../../src/store/redisindex.ts";
import { handlesFrom, newDigests } from "../support/rackcontract.ts";
import { ask, startCluster, startRedis } from "../support/redisservers.ts";

const COUNT = 200;
const handles = handlesFrom(0, COUNT);

async function openIndex(url: string, entryLifeMs?: number) {
  const index = await openRedisIndex(url, { commandTimeoutMs: 1000, entryLifeMs });
  onTestFinished(() => index.close());
  return index;
}

it("entries live no longer than they may, however many come after them", async () => {
  const { url } = await startRedis();
  const index = await openIndex(url, 1200);
  const [a, b] = [await index.join("rack", "host-a"), await index.join("rack", "host-b")];
  const digests = newDigests(COUNT);
  await a.claim(digests, handles);
  await a.stored(digests);
  for (let i = 0; i < 6; i++) {
    await sleep(220);
    await b.claim(newDigests(COUNT), handles);
  }
  expect([...(await b.claim(digests, handles)).states]).toEqual(Array(COUNT).fill(1));
});

it("all that it leaves behind expires, but for one counter", async () => {
  const { url } = await startRedis();
  const index = await openIndex(url);
  const [a, b] = [await index.join("rack", "host-a"), await index.join("rack", "host-b")];
  const digests = newDigests(COUNT);
  await a.claim(digests, handles);
  await b.claim(digests, handles);
  await b.takeOver(newDigests(COUNT), handles);
  await a.release(digests.subarray(0, 32));
  const keys = (await ask(url, "KEYS", "*")) as Buffer[];
  const lasting: string[] = [];
  for (const key of keys) {
    if (Number(await ask(url, "PTTL", String(key))) < 0) lasting.push(String(key));
  }
  expect(keys.length).toBeGreaterThan(32);
  expect(lasting).toEqual(["pagefold:index:token"]);
});

it("calls fail soon when a cluster loses a server, and work again when it is back", async () => {
  const servers = await startCluster();
  const index = await openIndex(servers[0].url);
  const member = await index.join("rack", "host");
  const digests = newDigests(COUNT);
  await member.claim(digests, handles);
  await servers[2].signal("SIGKILL");
  const begin = Date.now();
  for (let i = 0; i < 3; i++) {
    const claim = member.claim(digests, handles);
    await expect(claim).rejects.toMatchObject({ code: "CONNECTION" });
  }
  expect(Date.now() - begin).toBeLessThan(5000);
  await servers[2].restart();
  for (const end = Date.now() + 20_000; ; await sleep(100)) {
    try {
      const { states } = await member.claim(digests, handles);
      expect([...states]).toEqual(Array(COUNT).fill(1));
      break;
    } catch (error) {
      if (Date.now() > end) throw error;
    }
  }
});
