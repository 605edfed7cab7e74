// Digests as they are passed: one after another.
import { DIGEST_BYTES } from "./page.ts";

/** Each of them, as a view. */
export function digestsIn(digests: Uint8Array): Uint8Array[] {
  return Array.from({ length: digests.length / DIGEST_BYTES }, (_, i) => digestAt(digests, i));
}

export function digestAt(digests: Uint8Array, i: number): Uint8Array {
  return digests.subarray(i * DIGEST_BYTES, (i + 1) * DIGEST_BYTES);
}

/** Digest i as the key of a map. */
export function digestKey(digests: Uint8Array, i: number): string {
  const at = digests.byteOffset + i * DIGEST_BYTES;
  return Buffer.from(digests.buffer, at, DIGEST_BYTES).toString("latin1");
}
