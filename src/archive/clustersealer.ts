// Has workers seal the clusters of batches where they lie, several batches at a time, and keeps the
// order in which they are written.
import { PagefoldError } from "../core/errors.ts";
import { TAG_BYTES } from "../core/seal.ts";
import type { WorkPool } from "../pool/pool.ts";
import type { PagesHead } from "../wire/records.ts";
import type { WritingSession } from "../wire/seal.ts";

export class ClusterSealer {
  readonly session: WritingSession;
  private readonly pool: WorkPool;
  /** Resolves when the last write has begun. */
  private turn: Promise<unknown> = Promise.resolve();

  constructor(pool: WorkPool, session: WritingSession) {
    this.pool = pool;
    this.session = session;
  }

  /** Seals `body`, a view of linear memory; resolves when that is done. */
  async seal({ firstCluster, clusters }: PagesHead, body: Uint8Array): Promise<void> {
    if (clusters.length === 0) return;
    const { key } = this.session;
    const byteLengths = clusters.map(({ byteLength }) => byteLength - TAG_BYTES);
    const task = { kind: "seal", key, ptr: body.byteOffset, firstCluster, byteLengths } as const;
    const { fault } = await this.pool.run<"seal">(task);
    if (fault) throw new PagefoldError("OUTPUT", `sealing: ${fault.reason}`);
  }

  /** Calls `write` when what it writes is sealed, and those before it have been called. */
  async inTurn(sealed: Promise<void> | undefined, write: () => Promise<void>): Promise<void> {
    const begun = this.begin(sealed, write);
    this.turn = begun;
    await (await begun).written;
  }

  /** Whatever fails: the memory is in use until it is sealed. */
  private async begin(sealed: Promise<void> | undefined, write: () => Promise<void>) {
    for (const waited of await Promise.allSettled([this.turn, sealed])) {
      if (waited.status === "rejected") throw waited.reason;
    }
    return { written: write() };
  }
}
