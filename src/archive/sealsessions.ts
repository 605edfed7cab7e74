// The writing sessions of a sealed archive as they are met by who reads forwards: a session ends
// with a FOOTER, and the DIRECTORY before it names all that there have been.
import type { ClusterSeals } from "../core/seal.ts";
import type { BatchHeader } from "../wire/batch.ts";
import type { SealSession } from "../wire/indexhead.ts";
import type { ArchiveSeal } from "../wire/seal.ts";

export class SealSessions {
  private readonly seal: ArchiveSeal | undefined;
  private readonly seen: { readonly firstSequence: number; readonly nonce: Uint8Array }[] = [];
  private readonly writers: { readonly firstCluster: number; readonly nonce: Uint8Array }[] = [];
  private opening: ClusterSeals | undefined;

  constructor(seal: ArchiveSeal | undefined) {
    this.seal = seal;
    this.opening = seal?.clusterSeals([]);
  }

  get isSealed(): boolean {
    return this.seal !== undefined;
  }

  /** What opens the clusters so far; another object when there is more to tell. */
  get seals(): ClusterSeals | undefined {
    return this.opening;
  }

  /** Takes the next batch. False if its session may not begin with it. */
  take({ nonce, sequence }: BatchHeader, mayBegin: boolean): boolean {
    if (!nonce || isSame(this.seen.at(-1)?.nonce, nonce)) return true;
    this.seen.push({ firstSequence: sequence, nonce });
    return mayBegin;
  }

  /** A batch has the clusters from `firstCluster` on. */
  clustersFrom(firstCluster: number, { nonce }: BatchHeader): void {
    const last = this.writers.at(-1);
    if (!nonce || isSame(last?.nonce, nonce)) return;
    // What numbers go back to was crafted, or comes behind damage: it will not open.
    if (last && firstCluster < last.firstCluster) return;
    this.writers.push({ firstCluster, nonce });
    this.opening = this.seal?.clusterSeals(this.writers);
  }

  /** Whether a DIRECTORY names the sessions that were seen. */
  agreeWith(sessions: readonly SealSession[] = []): boolean {
    const { seen } = this;
    return (
      sessions.length === seen.length &&
      sessions.every(({ firstSequence, nonce }, i) => {
        return firstSequence === seen[i].firstSequence && isSame(seen[i].nonce, nonce);
      })
    );
  }
}

function isSame(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && Buffer.compare(a, b) === 0;
}
