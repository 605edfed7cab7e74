// Redis that is protected, full, paused, killed, emptied, or somebody else's: every call is
// answered soon, with one line when it fails, and goes on when the server does.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { openRedisIndex, type RedisIndexOptions } from "../../src/store/redisindex.ts";
import { openRedisPages } from "../../src/store/redispages.ts";
import { redisTlsIn } from "../../src/store/redisurl.ts";
import type { IndexMember } from "../../src/store/store.ts";
import { newAuthority, writeTlsFiles } from "../support/certificates.ts";
import { temporaryFolder } from "../support/folder.ts";
import { at, handlesFrom, newDigests, newGroup } from "../support/rackcontract.ts";
import { ask, freePort, startRedis } from "../support/redisservers.ts";

const LIMIT_MS = 300;
const OPENING = { connectTimeoutMs: LIMIT_MS, commandTimeoutMs: LIMIT_MS };
const SOON_MS = 2000;
const CONNECTION = expect.objectContaining({ code: "CONNECTION" });

async function openIndex(url: string, options: RedisIndexOptions = {}) {
  const index = await openRedisIndex(url, { commandTimeoutMs: LIMIT_MS, ...options });
  onTestFinished(() => index.close());
  return index;
}

async function openPages(url: string) {
  const store = await openRedisPages(url, { commandTimeoutMs: LIMIT_MS });
  onTestFinished(() => store.close());
  return store;
}

const claimed = async (member: IndexMember, digests: Uint8Array) => [
  ...(await member.claim(digests, handlesFrom(0, digests.length / 32))).states,
];

/** Waits until it does not fail any more. */
async function again<T>(attempt: () => Promise<T>): Promise<T> {
  for (const end = Date.now() + 10_000; ; await sleep(50)) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > end) throw error;
    }
  }
}

async function soon(promise: Promise<unknown>): Promise<unknown> {
  const begin = Date.now();
  const outcome = await promise.then(
    () => "it was done",
    (error) => error,
  );
  expect(Date.now() - begin).toBeLessThan(SOON_MS);
  return outcome;
}

describe("protected", () => {
  it("by a password: in the address, in the environment, wrong, missing", async () => {
    const { url } = await startRedis(["--requirepass", "secret"]);
    const withPassword = (word: string) => url.replace("//", `//:${word}@localhost`);
    await (await openIndex(withPassword("secret"))).join("rack", "host");
    for (const wrong of [withPassword("other"), url]) {
      const error = (await soon(openRedisIndex(wrong))) as Error;
      expect(error).toMatchObject({ code: "CONNECTION" });
      expect(error.message).toMatch(/NOAUTH|WRONGPASS/);
      expect(error.message).not.toContain("other");
    }
    process.env.REDISCLI_AUTH = "secret";
    onTestFinished(() => {
      delete process.env.REDISCLI_AUTH;
    });
    expect(await (await openIndex(url)).status()).toMatchObject({ entries: 0 });
  });

  it("by TLS, with certificates of both sides", async () => {
    const folder = temporaryFolder();
    const authority = newAuthority("ours");
    writeTlsFiles(folder, authority);
    const port = await freePort();
    const files = { cert: "server-cert.pem", key: "server-key.pem", "ca-cert": "ca-cert.pem" };
    const words = Object.entries(files).flatMap(([name, file]) => {
      return [`--tls-${name}-file`, join(folder, file)];
    });
    await startRedis(["--tls-port", String(port), ...words], port);
    const url = `rediss://127.0.0.1:${port}`;
    const tls = redisTlsIn(folder);
    expect(tls.certFile).toBeDefined();
    const index = await openIndex(url, { tls });
    expect(await claimed(await index.join("rack", "host"), newDigests(3))).toEqual([1, 1, 1]);
    // Whom nobody has signed for, and who shows nothing.
    expect(await soon(openRedisIndex(url))).toEqual(CONNECTION);
    expect(await soon(openRedisIndex(url, { tls: { caFile: tls.caFile } }))).toEqual(CONNECTION);
    writeFileSync(join(folder, "other.pem"), newAuthority("others").certPem);
    const other = { ...tls, caFile: join(folder, "other.pem") };
    expect(await soon(openRedisIndex(url, { tls: other }))).toEqual(CONNECTION);
    const nowhere = { caFile: join(folder, "nothing") };
    expect(await soon(openRedisIndex(url, { tls: nowhere }))).toMatchObject({ code: "INPUT" });
  });
});

describe("a server that", () => {
  it("is not there", async () => {
    const url = `redis://localhost:${await freePort()}`;
    expect(await soon(openRedisIndex(url))).toEqual(CONNECTION);
    expect(await soon(openRedisPages("redis://no.such.host.invalid"))).toEqual(CONNECTION);
  });

  it("is full says LIMIT, and its claims are still answered once there is room", async () => {
    const server = await startRedis(["--maxmemory", "3mb", "--maxmemory-policy", "noeviction"]);
    const store = await openPages(server.url);
    const member = await (await openIndex(server.url)).join("rack", "host");
    const groups = Array.from({ length: 1000 }, () => newGroup(newDigests(1), 4136));
    const LIMIT = expect.objectContaining({ code: "LIMIT" });
    expect(await soon(store.put(groups, 60_000))).toEqual(LIMIT);
    await ask(server.url, "CONFIG", "SET", "maxmemory", "1mb");
    expect(await soon(member.claim(newDigests(500), handlesFrom(0, 500)))).toEqual(LIMIT);
    await ask(server.url, "CONFIG", "SET", "maxmemory", "100mb");
    expect(await claimed(member, newDigests(2))).toEqual([1, 1]);
  });

  it("gives up what it likes costs claims, no errors", async () => {
    const words = ["--maxmemory", "4mb", "--maxmemory-policy", "allkeys-lru"];
    const server = await startRedis(words);
    const store = await openPages(server.url);
    const member = await (await openIndex(server.url)).join("rack", "host");
    for (let round = 0; round < 20; round++) {
      const digests = newDigests(100);
      expect(await claimed(member, digests)).toEqual(Array(100).fill(1));
      const groups = Array.from({ length: 100 }, (_, i) => newGroup(at(digests, i), 4136));
      await store.put(groups, 60_000);
      await member.stored(digests);
      const names = (await store.find(digests)).filter((name) => name !== undefined);
      await store.get(names);
    }
  });

  it("is paused: calls fail in time; afterwards all goes on", async () => {
    const server = await startRedis();
    const [index, store] = [await openIndex(server.url), await openPages(server.url)];
    const member = await index.join("rack", "host");
    const digests = newDigests(4);
    await claimed(member, digests);
    await server.signal("SIGSTOP");
    expect(await soon(claimed(member, digests))).toEqual(CONNECTION);
    expect(await soon(store.find(digests))).toEqual(CONNECTION);
    expect(await soon(member.leave())).toEqual(CONNECTION);
    expect(await soon(store.close())).toBe("it was done");
    expect(await soon(openRedisIndex(server.url, OPENING))).toEqual(CONNECTION);
    await server.signal("SIGCONT");
    const other = await again(() => index.join("rack", "host"));
    expect(await claimed(other, at(digests, 0, 1))).toEqual([1, 1]);
  });

  it("is killed and comes back empty: calls fail at once, then claims begin anew", async () => {
    const server = await startRedis([], await freePort());
    const [index, store] = [await openIndex(server.url), await openPages(server.url)];
    const [a, b] = [await index.join("rack", "host-a"), await index.join("rack", "host-b")];
    const digests = newDigests(4);
    await claimed(a, digests);
    const name = await store.rack();
    const under = claimed(a, digests).catch(() => undefined);
    await server.signal("SIGKILL");
    await under;
    expect(await soon(claimed(a, digests))).toEqual(CONNECTION);
    expect(await soon(store.put([], 1000))).toBe("it was done");
    expect(await soon(store.find(digests))).toEqual(CONNECTION);
    // Tokens go on from the time.
    await sleep(500);
    await server.restart();
    expect(await again(() => claimed(b, digests))).toEqual([1, 1, 1, 1]);
    expect(await claimed(a, digests)).toEqual([2, 2, 2, 2]);
    expect((await b.wants()).handles.length).toBe(4);
    expect(await again(() => store.rack())).not.toBe(name);
    expect((await index.status()).members.length).toBe(2);
    const c = await index.join("rack", "host-c");
    expect(c.token).toBeGreaterThan(b.token);
  });

  it("is flushed: claims begin anew, and so does the rack", async () => {
    const server = await startRedis();
    const [index, store] = [await openIndex(server.url), await openPages(server.url)];
    const [a, b] = [await index.join("rack", "host-a"), await index.join("rack", "host-b")];
    const digests = newDigests(2);
    await claimed(a, digests);
    await a.stored(digests);
    const name = await store.rack();
    await ask(server.url, "FLUSHALL");
    await ask(server.url, "SCRIPT", "FLUSH");
    await a.stored(digests);
    expect(await claimed(b, digests)).toEqual([1, 1]);
    expect(await claimed(a, digests)).toEqual([2, 2]);
    expect(await store.rack()).not.toBe(name);
    expect((await index.status()).members.length).toBe(2);
  });

  it("holds what we have not written: an error or nothing, never a wrong state", async () => {
    const server = await startRedis();
    const [index, store] = [await openIndex(server.url), await openPages(server.url)];
    const member = await index.join("rack", "host");
    const digests = newDigests(200);
    await claimed(member, digests);
    const group = newGroup(digests, 200);
    await store.put([group], 60_000);
    const keys = (await ask(server.url, "KEYS", "*")) as Buffer[];
    const pageKeys = keys.map(String).filter((key) => key.startsWith("pagefold:page:"));
    await ask(server.url, "DEL", pageKeys[0]);
    await ask(server.url, "LPUSH", pageKeys[0], "junk");
    // The name of a group has 24 bytes.
    await ask(server.url, "SET", pageKeys[1], "x".repeat(23));
    const found = await store.find(digests);
    expect(found.filter((name) => name === undefined).length).toBe(2);
    const groupKey = keys.map(String).find((key) => key.startsWith("pagefold:group:")) ?? "";
    await ask(server.url, "DEL", groupKey);
    await ask(server.url, "LPUSH", groupKey, "junk");
    expect(await store.get([group.name])).toEqual([undefined]);
    // Values of another shape in every bucket.
    const buckets = keys.map(String).filter((key) => /\}:b\d+$/.test(key));
    for (const bucket of buckets) {
      for (const field of (await ask(server.url, "HKEYS", bucket)) as Buffer[]) {
        await ask(server.url, "EVAL", JUNK, "1", bucket, field.toString("hex"));
      }
    }
    const outcome = await soon(claimed(member, digests));
    expect(["it was done", CONNECTION]).toContainEqual(outcome);
    for (const bucket of buckets) await ask(server.url, "SET", bucket, "junk");
    expect(await soon(claimed(member, digests))).toEqual(CONNECTION);
    await ask(server.url, "SET", "pagefold:pages:rack", "x".repeat(100_000));
    expect(await soon(store.rack())).toEqual(CONNECTION);
  });
});

const JUNK = `
local field = ARGV[1]:gsub('..', function(h) return string.char(tonumber(h, 16)) end)
return redis.call('HSET', KEYS[1], field, 'xyz')`;
