// What a Redis server, or cluster, does for racks: numbers for people who run one.
import { indexStatus } from "./indexstatus.ts";
import { connectRedis, type RedisOptions } from "./redisconnect.ts";
import { RedisPages } from "./redispages.ts";
import type { IndexStatus, StoreStatus } from "./store.ts";

export interface RackStatus {
  /** Host and port, or the path of a socket. */
  readonly server: string;
  /** More than one is a cluster. */
  readonly serverCount: number;
  /** Of all servers together; memory that they use for whatever they hold. */
  readonly usedBytes: number;
  /** What they may use; 0 when that is not said. */
  readonly maxBytes: number;
  /** Keys that they gave up to stay within it, since they were started. */
  readonly evictions: number;
  /** Undefined when the server is the index of nobody. */
  readonly index: IndexStatus | undefined;
  /** Undefined when the server is the store of no rack. */
  readonly store: StoreStatus | undefined;
}

/** CONNECTION, INPUT (certificates), USAGE (the address; no client is installed). */
export async function rackStatus(url: string, options: RedisOptions = {}): Promise<RackStatus> {
  const link = await connectRedis(url, options);
  try {
    const servers = await link.servers();
    const sections = ["memory", "stats"].flatMap((name) =>
      servers.map((ask) => ask(["INFO", name])),
    );
    const [texts, index, store] = await Promise.all([
      Promise.all(sections),
      indexStatus(link),
      new RedisPages(link).status(),
    ]);
    const sum = (name: string) => texts.reduce<number>((n, text) => n + numberIn(text, name), 0);
    return {
      server: link.place,
      serverCount: servers.length,
      usedBytes: sum("used_memory"),
      maxBytes: sum("maxmemory"),
      evictions: sum("evicted_keys"),
      index: index.members.length > 0 || index.asked > 0 ? index : undefined,
      store: store.rack === "" ? undefined : store,
    };
  } finally {
    await link.close();
  }
}

function numberIn(info: unknown, name: string): number {
  const [, digits] = new RegExp(`^${name}:(\\d+)\\r?$`, "m").exec(String(info)) ?? [];
  return Number(digits ?? 0);
}
