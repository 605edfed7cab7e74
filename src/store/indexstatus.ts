// Numbers of a rack index in Redis: what its scripts have counted, and the sizes of its buckets.
// The keys of the server are not searched; it may hold millions of others.
import { BUCKETS } from "./indexbatch.ts";
import { IndexKeys, RACKS_KEY } from "./indexkeys.ts";
import type { RedisLink } from "./redislink.ts";
import type { IndexStatus } from "./store.ts";

const COUNTS = ["asked", "ours", "claimed", "stored"] as const;

export async function indexStatus(link: RedisLink): Promise<IndexStatus> {
  const answer = await link.send(RACKS_KEY, ["SMEMBERS", RACKS_KEY]);
  if (!Array.isArray(answer)) throw link.brokenAnswer("SMEMBERS");
  const members = new Map<string, { host: string; rack: string }>();
  const sum = { entries: 0, asked: 0, ours: 0, claimed: 0, stored: 0 };
  for (const rackId of answer) {
    const keys = IndexKeys.ofId(String(rackId));
    for (let shard = 0; keys && shard < keys.shards; shard++) {
      const [found, counts, entries] = await Promise.all([
        livingMembers(link, keys, shard),
        countsOf(link, keys, shard),
        entriesOf(link, keys, shard),
      ]);
      for (const [token, member] of found) members.set(`${rackId} ${token}`, member);
      for (const name of COUNTS) sum[name] += counts[name];
      sum.entries += entries;
    }
  }
  return { members: [...members.values()], ...sum };
}

async function livingMembers(link: RedisLink, keys: IndexKeys, shard: number) {
  const key = keys.members(shard);
  const answer = await link.send(key, ["HGETALL", key]);
  if (!Array.isArray(answer)) throw link.brokenAnswer("HGETALL");
  const living = new Map<string, { host: string; rack: string }>();
  for (let i = 0; i + 1 < answer.length; i += 2) {
    const token = String(answer[i]);
    const live = keys.live(shard, Number(token));
    if ((await link.send(live, ["EXISTS", live])) !== 1) continue;
    const member = memberOf(String(answer[i + 1]));
    if (member) living.set(token, member);
  }
  return living;
}

/** Undefined for what we have not written. */
function memberOf(json: string): { host: string; rack: string } | undefined {
  try {
    const [host, rack] = JSON.parse(json);
    return typeof host === "string" && typeof rack === "string" ? { host, rack } : undefined;
  } catch {
    return undefined;
  }
}

async function countsOf(link: RedisLink, keys: IndexKeys, shard: number) {
  const key = keys.counters(shard);
  const answer = await link.send(key, ["HMGET", key, ...COUNTS]);
  if (!Array.isArray(answer)) throw link.brokenAnswer("HMGET");
  const [asked, ours, claimed, stored] = answer.map((text) => Number(text ?? 0) || 0);
  return { asked, ours, claimed, stored };
}

async function entriesOf(link: RedisLink, keys: IndexKeys, shard: number): Promise<number> {
  const lengths: Promise<unknown>[] = [];
  for (let bucket = shard; bucket < BUCKETS; bucket += keys.shards) {
    const key = keys.bucket(shard, bucket);
    lengths.push(link.send(key, ["HLEN", key]));
  }
  return (await Promise.all(lengths)).reduce<number>((sum, length) => sum + Number(length), 0);
}
