// The slow, obvious image checksum of docs/format.md §3: whole levels at once, hashed by hash-wasm.
import type { IHasher } from "hash-wasm";

/** XXH3-128 of a page as the format stores it: low 64 bits, then high, little-endian. */
export function storedFingerprint(hasher: IHasher, page: Uint8Array): Uint8Array {
  // Published digests are big-endian with the high half first: exactly the reverse.
  return hasher.init().update(page).digest("binary").reverse();
}

/** The checksum of an image whose pages have these fingerprints (16 bytes each, frame order). */
export function imageChecksumOf(
  hasher: IHasher,
  fingerprints: Uint8Array,
  byteLength: number,
): Uint8Array {
  const frameCount = fingerprints.length / 16;
  let level = fingerprints;
  while (level.length > 16) {
    const next: number[] = [];
    for (let at = 0; at < level.length; at += 4096) {
      const node = new Uint8Array(4096);
      node.set(level.subarray(at, at + 4096));
      next.push(...storedFingerprint(hasher, node));
    }
    level = new Uint8Array(next);
  }
  const last = new Uint8Array(4096);
  last.set(level);
  const view = new DataView(last.buffer);
  view.setBigUint64(16, BigInt(byteLength), true);
  view.setBigUint64(24, BigInt(frameCount), true);
  return storedFingerprint(hasher, last);
}
