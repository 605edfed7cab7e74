// The racks of a tunnel: opens the index and the store that its options name, and says once what
// cannot be had. A migration goes on without either.
import { hostname } from "node:os";
import { PagefoldError, reasonOf } from "../core/errors.ts";
import type { GangRack } from "../migration/gangsource.ts";
import type { RackSourceOptions } from "../migration/racksource.ts";
import type { RackTargetOptions } from "../migration/racktarget.ts";
import { rackKeys } from "../store/rackkeys.ts";
import { openRedisIndex } from "../store/redisindex.ts";
import { openRedisPages } from "../store/redispages.ts";
import { isPrivate, isProtected, parseRedisUrl, redisTlsIn } from "../store/redisurl.ts";
import { SealedPages } from "../store/sealedpages.ts";
import type { PageStore, RackIndex } from "../store/store.ts";
import type { TunnelOptions } from "./tunnelapi.ts";

const WITHOUT = "pages go as if this host were alone";
const NO_SECRET = new Uint8Array(0);

/** USAGE for an address that is none, or one that strangers can reach. */
export function checkRack(option: string, rack: unknown, options: TunnelOptions): void {
  if (typeof rack !== "string") return;
  const { place } = parseRedisUrl(rack);
  if (options.insecure || isProtected(rack, tlsOf(options))) return;
  throw new PagefoldError(
    "USAGE",
    `${option} ${place}: refused without a password, which keeps others on the network from what ` +
      "racks share: give one in the address or in REDISCLI_AUTH, or --insecure if the network " +
      "itself is protected",
  );
}

/** The source's end: joins an index for each session. */
export class SourceRack implements GangRack {
  readonly secret: Uint8Array;
  private readonly index: string | RackIndex;
  private readonly options: TunnelOptions;
  private open: RackIndex | undefined;

  constructor(index: string | RackIndex, secret: Uint8Array | undefined, options: TunnelOptions) {
    this.index = index;
    this.secret = secret ?? NO_SECRET;
    this.options = options;
  }

  async join(rack: string): Promise<RackSourceOptions | undefined> {
    const { onNotice, scope = "" } = this.options;
    if (rack === "") {
      onNotice?.(`the target has no rack's store: ${WITHOUT}`);
      return undefined;
    }
    try {
      await this.close();
      this.open = await this.openIndex();
      const member = await this.open.join(rack, hostname());
      return { member, digestKey: keysOf(this.secret, scope).digestKey, onNotice };
    } catch (error) {
      onNotice?.(`rack index: ${reasonOf(error)}: ${WITHOUT}`);
      return undefined;
    }
  }

  /** Behind the session that joined. */
  async close(): Promise<void> {
    if (typeof this.index === "string") await this.open?.close();
    this.open = undefined;
  }

  private async openIndex(): Promise<RackIndex> {
    if (typeof this.index !== "string") return this.index;
    return openRedisIndex(this.index, { tls: tlsOf(this.options) });
  }
}

/** The target's end: opens the store for each session. */
export class TargetRack {
  private readonly store: string | PageStore;
  private readonly options: TunnelOptions;
  private open: PageStore | undefined;

  constructor(store: string | PageStore, options: TunnelOptions) {
    this.store = store;
    this.options = options;
  }

  /** `secret` is what the source has sent. */
  async find(secret: Uint8Array): Promise<RackTargetOptions | undefined> {
    const { onNotice, scope = "" } = this.options;
    this.warn(secret);
    try {
      this.open = await this.openStore();
      const { digestKey, sealKey } = keysOf(secret, scope);
      const store = new SealedPages(this.open, sealKey);
      return { name: await this.open.rack(), store, digestKey, onNotice };
    } catch (error) {
      onNotice?.(`rack store: ${reasonOf(error)}: ${WITHOUT}`);
      await this.close();
      return undefined;
    }
  }

  /** Behind the session. */
  async close(): Promise<void> {
    if (typeof this.store === "string") await this.open?.close();
    this.open = undefined;
  }

  /** What is sealed with a key that everybody can derive lies open. */
  private warn(secret: Uint8Array): void {
    if (secret.length > 0 || typeof this.store !== "string" || isPrivate(this.store)) return;
    this.options.onNotice?.(
      "rack store: without TLS, and without --rack-key at the source, whoever listens on the " +
        "network can read the pages that hosts share",
    );
  }

  private async openStore(): Promise<PageStore> {
    if (typeof this.store !== "string") return this.store;
    return openRedisPages(this.store, { tls: tlsOf(this.options) });
  }
}

function keysOf(secret: Uint8Array, scope: string) {
  return rackKeys(secret.length > 0 ? secret : undefined, scope);
}

function tlsOf({ tlsDirectory }: TunnelOptions) {
  return tlsDirectory === undefined ? {} : redisTlsIn(tlsDirectory);
}
