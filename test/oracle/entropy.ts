// The slow oracle of the entropy kernel, as the textbook has it.

/** Shannon entropy of the bytes, in bits per byte. */
export function entropyOf(bytes: Uint8Array): number {
  const counts = new Map<number, number>();
  for (const byte of bytes) counts.set(byte, (counts.get(byte) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) {
    const share = count / bytes.length;
    bits -= share * Math.log2(share);
  }
  return bits;
}
