// Pages as a rack's store holds them: in groups, compressed together, each sealed for who has the
// rack's key. A group's name says what it was sealed with:
//
//    0  16  nonce of the session that has sealed it: its key is derived from it
//   16   8  u64 number, of which each session uses one once
//
// and this is what is held under that name:
//
//    0  16  tag
//   16   2  u16 pages
//   18   n  their digests, which are the associated data
// 18+n      ciphertext, AES-256-GCM, of one cluster (docs/format.md §1.3)
//
// What was sealed with another key, under another name or for other digests, was cut or made up, is
// no group.
import { createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import { DIGEST_BYTES } from "../core/page.ts";
import type { PageGroup } from "../core/pagegroup.ts";
import {
  deriveBytes,
  KEY_BYTES,
  keyObject,
  openBytes,
  type SealKey,
  SealKind,
  sealBytes,
  TAG_BYTES,
} from "../core/seal.ts";
import { PAGE_LIFE_MS } from "./lives.ts";
import { GROUP_NAME_BYTES, type PageStore, type SealedGroup } from "./store.ts";

const SESSION_BYTES = 16;
const HEAD_BYTES = TAG_BYTES + 2;
const PURPOSE = Buffer.from("pagefold rack group");
/** Keys of sessions that are kept; deriving one takes as long as opening a few groups. */
const MAX_KEYS = 1024;

export class SealedPages {
  private readonly store: PageStore;
  private readonly rackKey: KeyObject;
  private readonly lifeMs: number;
  private readonly session = randomBytes(SESSION_BYTES);
  private number = 0;
  /** By the nonces of sessions; the oldest goes first. */
  private readonly keys = new Map<string, KeyObject>();

  /** `key` is the `sealKey` of `rackKeys`. USAGE when it is not 32 bytes. */
  constructor(store: PageStore, key: SealKey, lifeMs = PAGE_LIFE_MS) {
    this.store = store;
    this.rackKey = keyObject(key);
    this.lifeMs = lifeMs;
  }

  /** Seals groups. As `PageStore.put`. */
  put(groups: readonly PageGroup[]): Promise<void> {
    return this.store.put(
      groups.map((group) => this.seal(group)),
      this.lifeMs,
    );
  }

  /** The groups that are said to have some of these pages, each once, if they can be opened. */
  async get(digests: Uint8Array): Promise<PageGroup[]> {
    const names = new Map<string, Uint8Array>();
    for (const name of await this.store.find(digests)) {
      if (name?.length === GROUP_NAME_BYTES) names.set(Buffer.from(name).toString("latin1"), name);
    }
    if (names.size === 0) return [];
    const wanted = [...names.values()];
    const values = await this.store.get(wanted);
    const groups = wanted.map((name, i) => values[i] && this.open(name, values[i]));
    return groups.filter((group) => group !== undefined);
  }

  private seal({ digests, cluster }: PageGroup): SealedGroup {
    const name = Buffer.alloc(GROUP_NAME_BYTES);
    this.session.copy(name);
    name.writeBigUInt64LE(BigInt(++this.number), SESSION_BYTES);
    const key = this.keyOf(name);
    const { sealed, tag } = sealBytes(key, SealKind.CLUSTER, this.number, cluster, digests);
    const count = Buffer.alloc(2);
    count.writeUInt16LE(digests.length / DIGEST_BYTES);
    return { name, digests, sealed: Buffer.concat([tag, count, digests, sealed]) };
  }

  private open(name: Uint8Array, value: Uint8Array): PageGroup | undefined {
    if (value.length < HEAD_BYTES) return undefined;
    const digestBytes = (value[TAG_BYTES] | (value[TAG_BYTES + 1] << 8)) * DIGEST_BYTES;
    const digests = value.subarray(HEAD_BYTES, HEAD_BYTES + digestBytes);
    const sealed = value.subarray(HEAD_BYTES + digestBytes);
    const number = Buffer.from(name).readBigUInt64LE(SESSION_BYTES);
    if (digests.length !== digestBytes || number > Number.MAX_SAFE_INTEGER) return undefined;
    const tag = value.subarray(0, TAG_BYTES);
    const key = this.keyOf(name);
    const cluster = openBytes(key, SealKind.CLUSTER, Number(number), sealed, tag, digests);
    return cluster && { digests, cluster };
  }

  private keyOf(name: Uint8Array): KeyObject {
    const nonce = name.subarray(0, SESSION_BYTES);
    const text = Buffer.from(nonce).toString("latin1");
    const known = this.keys.get(text);
    if (known) return known;
    const bytes = deriveBytes(this.rackKey, nonce, PURPOSE, KEY_BYTES);
    const key = createSecretKey(bytes);
    bytes.fill(0);
    for (const oldest of this.keys.keys()) {
      if (this.keys.size < MAX_KEYS) break;
      this.keys.delete(oldest);
    }
    this.keys.set(text, key);
    return key;
  }
}
