// What the hosts of racks share: an index at the source that says which of them sends a page to a
// target rack, and a store of pages at the target. Every answer is a hint: content is checked
// against its digest where it arrives, so what either has lost or invented costs bytes, never more.
// What a page is called between hosts is its BLAKE3-256, keyed by the scope's key.

/** What the index answers of a page. */
export const Claim = {
  /** Nobody had it, or whoever had is gone: it is ours now, and its content has to be sent. */
  OURS: 1,
  /** Another host sends its content. That host is told that it is wanted. */
  CLAIMED: 2,
  /** It is in the store of the target rack. */
  STORED: 3,
} as const;
export type Claim = (typeof Claim)[keyof typeof Claim];

/** Pages that we have claimed and others want. */
export interface Wants {
  /** One after another, DIGEST_BYTES each. */
  readonly digests: Uint8Array;
  /** For each what we gave when we claimed it. */
  readonly handles: Uint32Array;
}

export interface ClaimAnswer {
  /** For each digest a `Claim`, in their order. */
  readonly states: Uint8Array;
  /** Those that were at hand where it was asked; `wants` gives all. */
  readonly wants: Wants;
}

/** One session of a source host with a target rack. Calls are batches, each a sign of life. */
export interface IndexMember {
  /** Fencing token, larger than that of any session before. */
  readonly token: number;
  /**
   * Claims pages that nobody has claimed; a claim of a session that gives no sign of life is free
   * unless its page is stored. A want of the others is noted once. The same digest may occur twice.
   */
  claim(digests: Uint8Array, handles: Uint32Array): Promise<ClaimAnswer>;
  /** Takes what others want from us since the last call of either kind. */
  wants(): Promise<Wants>;
  /** The target has stored these; says nothing of those whose claim we have lost. */
  stored(digests: Uint8Array): Promise<void>;
  /** We send these whoever else has claimed them: from now on they are ours. */
  takeOver(digests: Uint8Array, handles: Uint32Array): Promise<void>;
  /** Their content cannot be had from us any more: whoever asks next may claim them. */
  release(digests: Uint8Array): Promise<void>;
  /** Ends the session: what it has claimed and not stored is free. */
  leave(): Promise<void>;
}

/** Numbers of an index, over all racks; counters since it was empty. */
export interface IndexStatus {
  /** Sessions that give signs of life: their hosts and racks. */
  readonly members: readonly { readonly host: string; readonly rack: string }[];
  /** Digests that are known, and how many of them are stored. */
  readonly entries: number;
  readonly asked: number;
  /** Answers that were OURS, CLAIMED, STORED. */
  readonly ours: number;
  readonly claimed: number;
  readonly stored: number;
}

/** Which host sends a page. Rejects with CONNECTION when it cannot be asked. */
export interface RackIndex {
  /** Begins a session of `host` with the rack of this name. */
  join(rack: string, host: string): Promise<IndexMember>;
  status(): Promise<IndexStatus>;
  close(): Promise<void>;
}

export interface StoreStatus {
  readonly rack: string;
  readonly pages: number;
  /** Look-ups that found their page, and that did not. */
  readonly hits: number;
  readonly misses: number;
}

/** Pages that are put into a store together: compressed and sealed as one. */
export interface SealedGroup {
  /** `GROUP_NAME_BYTES` that no other group has. */
  readonly name: Uint8Array;
  /** Of its pages, one after another. */
  readonly digests: Uint8Array;
  readonly sealed: Uint8Array;
}

export const GROUP_NAME_BYTES = 24;

/** Pages that hosts of a target rack hold for each other, in sealed groups; found by digest. */
export interface PageStore {
  /** Name of what it holds: another one when it was flushed or replaced. Made when first asked. */
  rack(): Promise<string>;
  /** Keeps groups for `lifeMs`. Rejects with CONNECTION, or LIMIT when full. */
  put(groups: readonly SealedGroup[], lifeMs: number): Promise<void>;
  /** For each digest the name of a group that has its page; undefined where it knows of none. */
  find(digests: Uint8Array): Promise<(Uint8Array | undefined)[]>;
  /** What was sealed; undefined for what is not there. */
  get(names: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]>;
  status(): Promise<StoreStatus>;
  close(): Promise<void>;
}
