// The index of racks in a Redis server or cluster. What the server has lost or never had, by
// eviction, restart or FLUSHALL, is claimed anew.
import { IndexKeys, TOKEN_KEY } from "./indexkeys.ts";
import { indexStatus } from "./indexstatus.ts";
import { ENTRY_LIFE_MS } from "./lives.ts";
import { connectRedis, type RedisOptions } from "./redisconnect.ts";
import type { RedisLink } from "./redislink.ts";
import { RedisMember } from "./redismember.ts";
import type { IndexMember, IndexStatus, RackIndex } from "./store.ts";

export interface RedisIndexOptions extends RedisOptions {
  /** How long an entry lives, less up to an eighth. Default: 10 minutes. */
  readonly entryLifeMs?: number | undefined;
}

/** Connects. CONNECTION, INPUT (certificates), USAGE (the address; no client is installed). */
export async function openRedisIndex(
  url: string,
  options: RedisIndexOptions = {},
): Promise<RackIndex> {
  return new RedisIndex(await connectRedis(url, options), options.entryLifeMs ?? ENTRY_LIFE_MS);
}

/** 1 January 2026. */
const TOKENS_BEGIN_MS = 1_767_225_600_000;

class RedisIndex implements RackIndex {
  private readonly link: RedisLink;
  private readonly entryLifeMs: number;

  constructor(link: RedisLink, entryLifeMs: number) {
    this.link = link;
    this.entryLifeMs = entryLifeMs;
  }

  async join(rack: string, host: string): Promise<IndexMember> {
    const keys = IndexKeys.ofRack(rack, this.link.isCluster);
    const who = { host: JSON.stringify([host, rack]), entryLifeMs: this.entryLifeMs };
    const member = new RedisMember(this.link, keys, await nextToken(this.link), who);
    // The first sign of life.
    await member.wants();
    return member;
  }

  status(): Promise<IndexStatus> {
    return indexStatus(this.link);
  }

  close(): Promise<void> {
    return this.link.close();
  }
}

/**
 * A number that no session has had. After the server has lost its counter it goes on from the time:
 * sessions begin more seldom than ten a second.
 */
async function nextToken(link: RedisLink): Promise<number> {
  const now = String(Math.floor((Date.now() - TOKENS_BEGIN_MS) / 100) % 2 ** 31);
  const [, next] = await Promise.all([
    link.send(TOKEN_KEY, ["SET", TOKEN_KEY, now, "NX"]),
    link.send(TOKEN_KEY, ["INCR", TOKEN_KEY]),
  ]);
  const token = Number(next);
  if (!(token > 0 && token < 2 ** 32)) throw link.brokenAnswer("INCR");
  return token;
}
