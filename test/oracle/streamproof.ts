// The proof of a stream as docs/session.md writes it, slow and obvious: from the last hash of each
// frame, when all is over.

export type ProofRecord = { readonly block: number; readonly page: number } & (
  | { readonly kind: "page"; readonly low: number; readonly high: number }
  | { readonly kind: "zero" }
  | { readonly kind: "xbzrle"; readonly payload: Uint8Array }
);

type Words = [bigint, bigint];

const word = (value: bigint): bigint => BigInt.asUintN(32, value);

function mix([k, l]: Words, [v, w]: Words): Words {
  let a = word(v + k * 0x9e37_79b1n);
  let b = w ^ word((l + 0x7f4a_7c15n) * 0x85eb_ca77n);
  a = word((a ^ (a >> 16n)) * 0x21f0_aaadn);
  b = word(b + a);
  b = word((b ^ (b >> 15n)) * 0x735a_2d97n);
  a ^= b;
  a = word((a ^ (a >> 15n)) * 0x2c1b_3c6dn);
  b = word(b + a);
  b = word((b ^ (b >> 13n)) * 0x297a_2d39n);
  a = word(a + b);
  return [a ^ (a >> 16n), b ^ (b >> 16n)];
}

function rotated(value: bigint, bits: bigint): bigint {
  return word(value << bits) | (value >> (32n - bits));
}

function payloadHash(payload: Uint8Array): Words {
  let low = BigInt(payload.length);
  let high = word(~low);
  for (const byte of payload) {
    low = word((rotated(low, 5n) ^ BigInt(byte)) * 0x9e37_79b1n);
    high = word((rotated(high, 7n) ^ BigInt(byte)) * 0x85eb_ca77n);
  }
  return [low, high];
}

/** `passed` is the hash of the bytes that are no records. */
export function proofOf(passed: bigint, records: readonly ProofRecord[]): bigint {
  const frames = new Map<string, Words>();
  for (const record of records) {
    const key = `${record.block}/${record.page}`;
    let hash: Words = [0x6a09_e667n, 0xbb67_ae85n];
    if (record.kind === "page") hash = [BigInt(record.low), BigInt(record.high)];
    if (record.kind === "xbzrle") {
      hash = mix(payloadHash(record.payload), frames.get(key) ?? [0n, 0n]);
    }
    if (hash[0] === 0n && hash[1] === 0n) hash = [0n, 1n];
    frames.set(key, hash);
  }
  const sums: Words = [0n, 0n];
  for (const [key, hash] of frames) {
    const [block, page] = key.split("/").map(BigInt);
    const mixed = mix([word(page), block * 1024n + (page >> 32n)], hash);
    sums[0] = word(sums[0] + mixed[0]);
    sums[1] = word(sums[1] + mixed[1]);
  }
  const [low, high] = mix([BigInt(frames.size), 0n], sums);
  return BigInt.asUintN(64, passed * 0x9e37_79b9_7f4a_7c15n + ((high << 32n) | low));
}
