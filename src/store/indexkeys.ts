// Names of what the rack index keeps in a Redis server. All that one call of a script touches has
// the same hash tag, that of a shard of a rack, and so lies on one server of a cluster.
import { createHash } from "node:crypto";

/** The last token that was given out. */
export const TOKEN_KEY = "pagefold:index:token";
/** Set of the identities of racks. */
export const RACKS_KEY = "pagefold:index:racks";

/** In a cluster; each of them must be asked for wants. */
const CLUSTER_SHARDS = 8;
const RACK_ID = /^([18])-[0-9a-f]{32}$/;

export class IndexKeys {
  readonly rackId: string;
  readonly shards: number;

  /** Undefined for what is no identity of a rack. */
  static ofId(rackId: string): IndexKeys | undefined {
    const [, shards] = RACK_ID.exec(rackId) ?? [];
    return shards === undefined ? undefined : new IndexKeys(rackId, Number(shards));
  }

  /** The name comes from strangers: its hash cannot take the tag apart. */
  static ofRack(rack: string, isCluster: boolean): IndexKeys {
    const shards = isCluster ? CLUSTER_SHARDS : 1;
    const digest = createHash("sha256").update(rack).digest("hex");
    return new IndexKeys(`${shards}-${digest.slice(0, 32)}`, shards);
  }

  private constructor(rackId: string, shards: number) {
    this.rackId = rackId;
    this.shards = shards;
  }

  prefix(shard: number): string {
    return `{pagefold:index:${this.rackId}:${shard}}:`;
  }

  bucket(shard: number, bucket: number): string {
    return `${this.prefix(shard)}b${bucket}`;
  }

  live(shard: number, token: number): string {
    return `${this.prefix(shard)}live:${token}`;
  }

  wants(shard: number, token: number): string {
    return `${this.prefix(shard)}wants:${token}`;
  }

  /** Hash: token → JSON of host and rack. */
  members(shard: number): string {
    return `${this.prefix(shard)}members`;
  }

  /** Hash of counts. */
  counters(shard: number): string {
    return `${this.prefix(shard)}counters`;
  }
}
