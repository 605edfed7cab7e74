// AES-256-GCM as sealed archives use it (docs/format.md §1.5): keys are derived, nonces are numbers
// that occur once. Keys are key objects, which threads share and which print as nothing. What a
// batch or a cluster is bound to is said by wire/seal.ts and pool/sealedcluster.ts.
import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hkdfSync,
  KeyObject,
} from "node:crypto";
import { PagefoldError } from "./errors.ts";

export const KEY_BYTES = 32;
export const SALT_BYTES = 32;
/** Of the nonce that all batches of one writing session have. */
export const SESSION_NONCE_BYTES = 24;
export const TAG_BYTES = 16;

const CIPHER = "aes-256-gcm";
const GCM_NONCE_BYTES = 12;

/** What is sealed; numbers count for each kind of its own. */
export const SealKind = { HEAD: 1, CLUSTER: 2 } as const;
export type SealKind = (typeof SealKind)[keyof typeof SealKind];

/** A key as users give it: 32 bytes. */
export type SealKey = Uint8Array | KeyObject;

/** The key as an object; USAGE when it has another length. */
export function keyObject(key: SealKey): KeyObject {
  const isObject = key instanceof KeyObject;
  const byteLength = isObject ? (key.symmetricKeySize ?? 0) : key.length;
  if (byteLength !== KEY_BYTES) {
    throw new PagefoldError("USAGE", `key: ${byteLength} bytes, it takes ${KEY_BYTES}`);
  }
  return isObject ? key : createSecretKey(key);
}

/** `byteLength` bytes that only who has the key can derive. */
export function deriveBytes(
  key: KeyObject,
  salt: Uint8Array,
  purpose: Uint8Array,
  byteLength: number,
): Uint8Array<ArrayBuffer> {
  return new Uint8Array(hkdfSync("sha256", key, salt, purpose, byteLength));
}

const SESSION_PURPOSE = Buffer.from("pagefold session ");

/** The key of a writing session. */
export function sessionKey(key: KeyObject, salt: Uint8Array, nonce: Uint8Array): KeyObject {
  const bytes = deriveBytes(key, salt, Buffer.concat([SESSION_PURPOSE, nonce]), KEY_BYTES);
  const derived = createSecretKey(bytes);
  bytes.fill(0);
  return derived;
}

/** Seals `content` under a number that this session never uses again for this kind. */
export function sealBytes(
  key: KeyObject,
  kind: SealKind,
  number: number,
  content: Uint8Array,
  bound?: Uint8Array,
): { sealed: Uint8Array; tag: Uint8Array } {
  const cipher = createCipheriv(CIPHER, key, gcmNonce(kind, number), { authTagLength: TAG_BYTES });
  if (bound) cipher.setAAD(bound);
  const sealed = cipher.update(content);
  cipher.final();
  return { sealed, tag: cipher.getAuthTag() };
}

/** What was sealed; undefined if it was not sealed so. */
export function openBytes(
  key: KeyObject,
  kind: SealKind,
  number: number,
  sealed: Uint8Array,
  tag: Uint8Array,
  bound?: Uint8Array,
): Uint8Array | undefined {
  const nonce = gcmNonce(kind, number);
  const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  if (bound) decipher.setAAD(bound);
  decipher.setAuthTag(tag);
  const content = decipher.update(sealed);
  try {
    decipher.final();
    return content;
  } catch {
    return undefined;
  }
}

//    0  u8 kind   1  three zero bytes   4  u64 number
function gcmNonce(kind: SealKind, number: number): Uint8Array {
  const nonce = new Uint8Array(GCM_NONCE_BYTES);
  nonce[0] = kind;
  new DataView(nonce.buffer).setBigUint64(4, BigInt(number), true);
  return nonce;
}

/** With what the clusters of an archive are sealed; may be posted to a thread. */
export interface ClusterSeals {
  readonly key: KeyObject;
  readonly salt: Uint8Array;
  /** First cluster of each writing session, rising, … */
  readonly firstClusters: readonly number[];
  /** … and the nonce of each. */
  readonly nonces: readonly Uint8Array[];
}

/** Finds the keys of clusters. */
export class ClusterKeys {
  readonly seals: ClusterSeals;
  private readonly derived = new Map<number, KeyObject>();

  constructor(seals: ClusterSeals) {
    this.seals = seals;
  }

  /** Undefined where no session is known to have written the cluster. */
  keyOf(cluster: number): KeyObject | undefined {
    const { key, salt, firstClusters, nonces } = this.seals;
    const session = firstClusters.findLastIndex((first) => first <= cluster);
    if (session < 0) return undefined;
    const held = this.derived.get(session) ?? sessionKey(key, salt, nonces[session]);
    this.derived.set(session, held);
    return held;
  }
}
