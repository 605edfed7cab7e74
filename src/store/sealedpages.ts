// Pages as a rack's store holds them: each sealed for who has the rack's key, and bound to its
// digest. A value that was sealed with another key, for another digest, cut or made up is no page.
//
//    0  16  nonce of the session that has sealed it: its key is derived from it
//   16   8  u64 number, of which each session uses one once
//   24   n  ciphertext, AES-256-GCM
// 24+n  16  tag; the digest is associated data
import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from "node:crypto";
import { DIGEST_BYTES } from "../core/page.ts";
import { deriveBytes, KEY_BYTES, keyObject, type SealKey, TAG_BYTES } from "../core/seal.ts";
import { PAGE_LIFE_MS } from "./lives.ts";
import type { PageStore } from "./store.ts";

const CIPHER = "aes-256-gcm";
const SESSION_BYTES = 16;
const NUMBER_BYTES = 8;
const HEAD_BYTES = SESSION_BYTES + NUMBER_BYTES;
const GCM_NONCE_BYTES = 12;
const PURPOSE = Buffer.from("pagefold rack page");
/** Keys of sessions that are kept; deriving one takes as long as opening a few pages. */
const MAX_KEYS = 1024;

type Key = ReturnType<typeof createSecretKey>;

export class SealedPages {
  private readonly store: PageStore;
  private readonly rackKey: Key;
  private readonly lifeMs: number;
  private readonly session = randomBytes(SESSION_BYTES);
  private number = 0n;
  /** By the nonces of sessions; the oldest goes first. */
  private readonly keys = new Map<string, Key>();

  /** `key` is the `sealKey` of `rackKeys`. USAGE when it is not 32 bytes. */
  constructor(store: PageStore, key: SealKey, lifeMs = PAGE_LIFE_MS) {
    this.store = store;
    this.rackKey = keyObject(key);
    this.lifeMs = lifeMs;
  }

  /** Seals page i under digest i. As `PageStore.put`. */
  put(digests: Uint8Array, pages: readonly Uint8Array[]): Promise<void> {
    const sealed = pages.map((page, i) => this.seal(digestAt(digests, i), page));
    return this.store.put(digests, sealed, this.lifeMs);
  }

  /** Undefined for what is not there, or is not sealed as it should be. */
  async get(digests: Uint8Array): Promise<(Uint8Array | undefined)[]> {
    const values = await this.store.get(digests);
    return values.map((value, i) => value && this.open(digestAt(digests, i), value));
  }

  private seal(digest: Uint8Array, page: Uint8Array): Uint8Array {
    const head = Buffer.alloc(HEAD_BYTES);
    this.session.copy(head);
    head.writeBigUInt64LE(this.number++, SESSION_BYTES);
    const options = { authTagLength: TAG_BYTES };
    const cipher = createCipheriv(CIPHER, this.keyOf(head), gcmNonce(head), options);
    cipher.setAAD(digest);
    const sealed = cipher.update(page);
    cipher.final();
    return Buffer.concat([head, sealed, cipher.getAuthTag()]);
  }

  private open(digest: Uint8Array, value: Uint8Array): Uint8Array | undefined {
    if (value.length < HEAD_BYTES + TAG_BYTES) return undefined;
    const head = value.subarray(0, HEAD_BYTES);
    const options = { authTagLength: TAG_BYTES };
    const decipher = createDecipheriv(CIPHER, this.keyOf(head), gcmNonce(head), options);
    decipher.setAAD(digest);
    decipher.setAuthTag(value.subarray(value.length - TAG_BYTES));
    const page = decipher.update(value.subarray(HEAD_BYTES, value.length - TAG_BYTES));
    try {
      decipher.final();
      return page;
    } catch {
      return undefined;
    }
  }

  private keyOf(head: Uint8Array): Key {
    const nonce = head.subarray(0, SESSION_BYTES);
    const name = Buffer.from(nonce).toString("latin1");
    const known = this.keys.get(name);
    if (known) return known;
    const bytes = deriveBytes(this.rackKey, nonce, PURPOSE, KEY_BYTES);
    const key = createSecretKey(bytes);
    bytes.fill(0);
    for (const oldest of this.keys.keys()) {
      if (this.keys.size < MAX_KEYS) break;
      this.keys.delete(oldest);
    }
    this.keys.set(name, key);
    return key;
  }
}

//    0  four zero bytes   4  u64 number
function gcmNonce(head: Uint8Array): Uint8Array {
  const nonce = new Uint8Array(GCM_NONCE_BYTES);
  nonce.set(head.subarray(SESSION_BYTES, HEAD_BYTES), GCM_NONCE_BYTES - NUMBER_BYTES);
  return nonce;
}

function digestAt(digests: Uint8Array, i: number): Uint8Array {
  return digests.subarray(i * DIGEST_BYTES, (i + 1) * DIGEST_BYTES);
}
