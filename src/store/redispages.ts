// The pages of a target rack in a Redis server or cluster: a key for each group of pages, and one
// for each page, which names its group; both expire. Hosts that use one server are one rack; its
// name is made by the first, and goes with what it names when the server is flushed or replaced.
import { randomBytes } from "node:crypto";
import { digestsIn } from "../core/digests.ts";
import { connectRedis, type RedisOptions } from "./redisconnect.ts";
import type { RedisLink } from "./redislink.ts";
import { GROUP_NAME_BYTES, type PageStore, type SealedGroup, type StoreStatus } from "./store.ts";

const PAGE_PREFIX = "pagefold:page:";
const GROUP_PREFIX = "pagefold:group:";
const RACK_KEY = "pagefold:pages:rack";
const COUNTERS_KEY = "pagefold:pages:counters";
const RACK_BYTES = 16;
const RACK_NAME = /^[0-9a-f]{32}$/;
/** Keys that a server looks at before it answers others. */
const SCAN_COUNT = "1000";
/** How often it is told how many look-ups found their page. */
const COUNT_MS = 1000;
/**
 * Groups in one command, which costs us a tenth of as many; SET takes one with a life. A group is
 * there before anything names it.
 */
const PUT_SCRIPT = `
  local key = 1
  for at = 2, #ARGV, 3 do
    local count = tonumber(ARGV[at + 2])
    redis.call("SET", KEYS[key], ARGV[at], "PX", ARGV[1])
    for page = key + 1, key + count do
      redis.call("SET", KEYS[page], ARGV[at + 1], "PX", ARGV[1])
    end
    key = key + 1 + count
  end`;

/** Connects. CONNECTION, INPUT (certificates), USAGE (the address; no client is installed). */
export async function openRedisPages(url: string, options: RedisOptions = {}): Promise<PageStore> {
  return new RedisPages(await connectRedis(url, options));
}

/** The pages that a connection leads to, which others may use as well. */
export class RedisPages implements PageStore {
  private readonly link: RedisLink;
  /** Look-ups that it has not been told of, and when it will be. */
  private counts = { hits: 0, misses: 0 };
  private counting: NodeJS.Timeout | undefined;

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

  async put(groups: readonly SealedGroup[], lifeMs: number): Promise<void> {
    const life = String(Math.ceil(lifeMs));
    if (this.link.isCluster) {
      await Promise.all(groups.map((group) => this.putApart(group, life)));
      return;
    }
    if (groups.length === 0) return;
    const keys: string[] = [];
    const values: (string | Buffer)[] = [life];
    for (const { name, digests, sealed } of groups) {
      const pages = digestsIn(digests);
      keys.push(groupKey(name), ...pages.map(pageKey));
      values.push(bufferOf(sealed), bufferOf(name), String(pages.length));
    }
    const words = ["EVAL", PUT_SCRIPT, String(keys.length), ...keys];
    await this.link.send(keys[0], [...words, ...values]);
  }

  async find(digests: Uint8Array): Promise<(Uint8Array | undefined)[]> {
    const names = (await this.getAll(digestsIn(digests).map(pageKey))).map((name) =>
      name?.length === GROUP_NAME_BYTES ? name : undefined,
    );
    for (const name of names) this.counts[name ? "hits" : "misses"]++;
    if (names.length > 0) this.counting ??= setTimeout(() => this.tellCounts(), COUNT_MS).unref();
    return names;
  }

  get(names: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    return this.getAll(names.map(groupKey));
  }

  async status(): Promise<StoreStatus> {
    await this.tellCounts();
    const [name, counts] = await Promise.all([
      this.link.send(RACK_KEY, ["GET", RACK_KEY]),
      this.link.send(COUNTERS_KEY, ["HMGET", COUNTERS_KEY, "hits", "misses"]),
    ]);
    if (!Array.isArray(counts)) throw this.link.brokenAnswer("HMGET");
    const [hits, misses] = counts.map((text) => Number(text ?? 0) || 0);
    const rack = name === null ? "" : this.checkName(name);
    return { rack, pages: await this.countPages(), hits, misses };
  }

  async close(): Promise<void> {
    clearTimeout(this.counting);
    // The link waits for what is under way, for a moment.
    void this.tellCounts();
    await this.link.close();
  }

  /** Keys that each lie on a server of their own. */
  private async putApart({ name, digests, sealed }: SealedGroup, life: string): Promise<void> {
    const set = (key: string, value: Uint8Array) =>
      this.link.send(key, ["SET", key, bufferOf(value), "PX", life]);
    await set(groupKey(name), sealed);
    await Promise.all(digestsIn(digests).map((digest) => set(pageKey(digest), name)));
  }

  /** What is no string is as if it were not. */
  private async getAll(keys: readonly string[]): Promise<(Uint8Array | undefined)[]> {
    if (keys.length === 0) return [];
    const values = await (this.link.isCluster ? this.getEach(keys) : this.getTogether(keys));
    return values.map((value) => (Buffer.isBuffer(value) ? value : undefined));
  }

  /** In one command, which costs us a tenth of as many. */
  private async getTogether(keys: readonly string[]): Promise<unknown[]> {
    const values = await this.link.send(keys[0], ["MGET", ...keys]);
    if (!Array.isArray(values)) throw this.link.brokenAnswer("MGET");
    return values;
  }

  /** Of servers that each have some. */
  private getEach(keys: readonly string[]): Promise<unknown[]> {
    const get = (key: string) =>
      this.link.send(key, ["GET", key]).catch((error) => {
        // Somebody else's: not our page.
        if (/\bWRONGTYPE\b/.test(error.message)) return undefined;
        throw error;
      });
    return Promise.all(keys.map(get));
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
        const answer = await ask(["SCAN", cursor, "MATCH", `${PAGE_PREFIX}*`, "COUNT", SCAN_COUNT]);
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

  /** Nothing depends on them. */
  private async tellCounts(): Promise<void> {
    this.counting = undefined;
    const { counts } = this;
    this.counts = { hits: 0, misses: 0 };
    const told = Object.entries(counts).map(async ([what, count]) => {
      if (count === 0) return;
      await this.link.send(COUNTERS_KEY, ["HINCRBY", COUNTERS_KEY, what, String(count)]);
    });
    await Promise.allSettled(told);
  }
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Text, because braces in a key would mean something to a cluster. */
function pageKey(digest: Uint8Array): string {
  return PAGE_PREFIX + bufferOf(digest).toString("base64url");
}

function groupKey(name: Uint8Array): string {
  return GROUP_PREFIX + bufferOf(name).toString("base64url");
}
