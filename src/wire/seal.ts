// The seal of an archive (docs/format.md §1.5): what its superblocks say of it, and its sessions.
// Whoever writes to an archive draws one nonce for all that it writes; a batch is bound to its
// header and its place, a cluster to its number. How bytes are sealed is core/seal.ts.
import { type KeyObject, randomBytes, timingSafeEqual } from "node:crypto";
import {
  type ClusterSeals,
  deriveBytes,
  openBytes,
  SALT_BYTES,
  SESSION_NONCE_BYTES,
  SealKind,
  sealBytes,
  sessionKey,
  TAG_BYTES,
} from "../core/seal.ts";
import type { SealSession } from "./indexhead.ts";

export const CIPHER_NONE = 0;
export const CIPHER_AES_256_GCM = 1;
export const KEY_CHECK_BYTES = 16;

const KEY_CHECK_PURPOSE = Buffer.from("pagefold key check");

/** What the superblocks of a sealed archive say in the clear. */
export interface SealMark {
  readonly salt: Uint8Array;
  /** Tells a wrong key from damage. */
  readonly keyCheck: Uint8Array;
}

/** The seal of one archive, with its key. */
export class ArchiveSeal {
  readonly mark: SealMark;
  private readonly key: KeyObject;
  private readonly keys = new Map<string, KeyObject>();
  private sessions: readonly SealSession[] | undefined;

  private constructor(mark: SealMark, key: KeyObject) {
    this.mark = mark;
    this.key = key;
  }

  /** Of a new archive. */
  static create(key: KeyObject): ArchiveSeal {
    const salt = new Uint8Array(randomBytes(SALT_BYTES));
    return new ArchiveSeal({ salt, keyCheck: keyCheckOf(key, salt) }, key);
  }

  /** Of an archive with this mark; undefined if it was sealed with another key. */
  static open(mark: SealMark, key: KeyObject): ArchiveSeal | undefined {
    const isOurs = timingSafeEqual(keyCheckOf(key, mark.salt), mark.keyCheck);
    return isOurs ? new ArchiveSeal(mark, key) : undefined;
  }

  /** From now on a batch opens only if it is of the session that its number says. */
  admit(sessions: readonly SealSession[]): void {
    this.sessions = sessions;
  }

  /** A new session, which continues those that there are. */
  begin(sessions: readonly SealSession[], firstSequence: number, firstCluster: number) {
    const nonce = new Uint8Array(randomBytes(SESSION_NONCE_BYTES));
    const all = [...sessions, { firstSequence, firstCluster, nonce }];
    return new WritingSession(this.keyOf(nonce), all, this.clusterSeals(all));
  }

  /** The head of the batch `sequence`; undefined if it is not the one that belongs there. */
  openHead(
    nonce: Uint8Array,
    sequence: number,
    stored: Uint8Array,
    bound: Uint8Array,
  ): Uint8Array | undefined {
    const session = this.sessions?.findLast(({ firstSequence }) => firstSequence <= sequence);
    if (session && Buffer.compare(session.nonce, nonce) !== 0) return undefined;
    const end = stored.length - TAG_BYTES;
    if (end < 0) return undefined;
    const tag = stored.subarray(end);
    const key = this.keyOf(nonce);
    return openBytes(key, SealKind.HEAD, sequence, stored.subarray(0, end), tag, bound);
  }

  /** What opens the clusters of these sessions. */
  clusterSeals(sessions: readonly Pick<SealSession, "firstCluster" | "nonce">[]): ClusterSeals {
    return {
      key: this.key,
      salt: this.mark.salt,
      firstClusters: sessions.map(({ firstCluster }) => firstCluster),
      nonces: sessions.map(({ nonce }) => nonce),
    };
  }

  private keyOf(nonce: Uint8Array): KeyObject {
    const name = Buffer.from(nonce).toString("hex");
    const held = this.keys.get(name);
    if (held) return held;
    // Crafted batches may all have nonces of their own.
    if (this.keys.size >= MAX_HELD_KEYS) this.keys.clear();
    const derived = sessionKey(this.key, this.mark.salt, nonce);
    this.keys.set(name, derived);
    return derived;
  }
}

const MAX_HELD_KEYS = 256;

/** All that one writer writes to an archive. */
export class WritingSession {
  /** Seals its clusters; numbers are those of the archive. */
  readonly key: KeyObject;
  readonly nonce: Uint8Array;
  /** Those of the archive and this one. */
  readonly sessions: readonly SealSession[];
  readonly seals: ClusterSeals;

  constructor(key: KeyObject, sessions: readonly SealSession[], seals: ClusterSeals) {
    this.key = key;
    this.nonce = sessions[sessions.length - 1].nonce;
    this.sessions = sessions;
    this.seals = seals;
  }

  /** The head of the batch `sequence` as it is stored. A number is used once. */
  sealHead(sequence: number, head: Uint8Array, bound: Uint8Array): Uint8Array {
    const { sealed, tag } = sealBytes(this.key, SealKind.HEAD, sequence, head, bound);
    return Buffer.concat([sealed, tag]);
  }
}

function keyCheckOf(key: KeyObject, salt: Uint8Array): Uint8Array {
  return deriveBytes(key, salt, KEY_CHECK_PURPOSE, KEY_CHECK_BYTES);
}
