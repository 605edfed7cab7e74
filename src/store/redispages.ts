// The pages of a target rack in a Redis server or cluster: a key for each page, which expires.
// Hosts that use one server are one rack; its name is made by the first, and goes with what it
// names when the server is flushed or replaced.
import { randomBytes } from "node:crypto";
import { DIGEST_BYTES } from "../core/page.ts";
import { connectRedis, type RedisOptions } from "./redisconnect.ts";
import type { RedisLink } from "./redislink.ts";
import type { PageStore, StoreStatus } from "./store.ts";

const PREFIX = "pagefold:page:";
const RACK_KEY = "pagefold:pages:rack";
const COUNTERS_KEY = "pagefold:pages:counters";
const RACK_BYTES = 16;
const RACK_NAME = /^[0-9a-f]{32}$/;
/** Keys that a server looks at before it answers others. */
const SCAN_COUNT = "1000";
/** Many pages in one command, which costs us a tenth of as many; SET takes one with a life. */
const PUT_SCRIPT = `
  for i, key in ipairs(KEYS) do redis.call("SET", key, ARGV[i], "PX", ARGV[#KEYS + 1]) end`;

/** Connects. CONNECTION, INPUT (certificates), USAGE (the address; no client is installed). */
export async function openRedisPages(url: string, options: RedisOptions = {}): Promise<PageStore> {
  return new RedisPages(await connectRedis(url, options));
}

/** The pages that a connection leads to, which others may use as well. */
export class RedisPages implements PageStore {
  private readonly link: RedisLink;

  constructor(link: RedisLink) {
    this.link = link;
  }

  async rack(): Promise<string> {
    const mine = randomBytes(RACK_BYTES).toString("hex");
    const [, name] = await Promise.all([
      this.link.send(RACK_KEY, ["SET", RACK_KEY, mine, "NX"]),
      this.link.send(RACK_KEY, ["GET", RACK_KEY]),
    ]);
    return this.checkName(name);
  }

  async put(digests: Uint8Array, sealed: readonly Uint8Array[], lifeMs: number): Promise<void> {
    const life = String(Math.ceil(lifeMs));
    const keys = sealed.map((_, i) => keyAt(digests, i));
    const values = sealed.map((page) => Buffer.from(page.buffer, page.byteOffset, page.length));
    if (!this.link.isCluster && keys.length > 0) {
      const words = ["EVAL", PUT_SCRIPT, String(keys.length), ...keys];
      await this.link.send(keys[0], [...words, ...values, life]);
      return;
    }
    const set = (key: string, i: number) =>
      this.link.send(key, ["SET", key, values[i], "PX", life]);
    await Promise.all(keys.map(set));
  }

  async get(digests: Uint8Array): Promise<(Uint8Array | undefined)[]> {
    const count = digests.length / DIGEST_BYTES;
    if (count === 0) return [];
    const keys = Array.from({ length: count }, (_, i) => keyAt(digests, i));
    const values = await (this.link.isCluster ? this.getEach(keys) : this.getAll(keys));
    const found = values.map((value) => (Buffer.isBuffer(value) ? value : undefined));
    const hits = found.filter((page) => page !== undefined).length;
    await Promise.all([this.count("hits", hits), this.count("misses", count - hits)]);
    return found;
  }

  /** In one command, which costs us a tenth of as many; what is no string is as if it were not. */
  private async getAll(keys: string[]): Promise<unknown[]> {
    const values = await this.link.send(keys[0], ["MGET", ...keys]);
    if (!Array.isArray(values)) throw this.link.brokenAnswer("MGET");
    return values;
  }

  /** Of servers that each have some. */
  private getEach(keys: string[]): Promise<unknown[]> {
    const get = (key: string) =>
      this.link.send(key, ["GET", key]).catch((error) => {
        // Somebody else's: not our page.
        if (/\bWRONGTYPE\b/.test(error.message)) return undefined;
        throw error;
      });
    return Promise.all(keys.map(get));
  }

  async status(): Promise<StoreStatus> {
    const [name, counts] = await Promise.all([
      this.link.send(RACK_KEY, ["GET", RACK_KEY]),
      this.link.send(COUNTERS_KEY, ["HMGET", COUNTERS_KEY, "hits", "misses"]),
    ]);
    if (!Array.isArray(counts)) throw this.link.brokenAnswer("HMGET");
    const [hits, misses] = counts.map((text) => Number(text ?? 0) || 0);
    const rack = name === null ? "" : this.checkName(name);
    return { rack, pages: await this.countPages(), hits, misses };
  }

  close(): Promise<void> {
    return this.link.close();
  }

  private checkName(name: unknown): string {
    if (!RACK_NAME.test(String(name))) throw this.link.brokenAnswer("GET of its name");
    return String(name);
  }

  /** By looking at every key: they come and go without us. */
  private async countPages(): Promise<number> {
    const servers = await this.link.servers();
    const counts = servers.map(async (ask) => {
      let count = 0;
      let cursor = "0";
      do {
        const answer = await ask(["SCAN", cursor, "MATCH", `${PREFIX}*`, "COUNT", SCAN_COUNT]);
        if (!Array.isArray(answer) || !Array.isArray(answer[1])) {
          throw this.link.brokenAnswer("SCAN");
        }
        cursor = String(answer[0]);
        count += answer[1].length;
      } while (cursor !== "0");
      return count;
    });
    return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
  }

  private async count(what: string, byCount: number): Promise<void> {
    if (byCount === 0) return;
    await this.link.send(COUNTERS_KEY, ["HINCRBY", COUNTERS_KEY, what, String(byCount)]);
  }
}

/** Text, because braces in a key would mean something to a cluster. */
function keyAt(digests: Uint8Array, i: number): string {
  const at = digests.byteOffset + i * DIGEST_BYTES;
  return PREFIX + Buffer.from(digests.buffer, at, DIGEST_BYTES).toString("base64url");
}
