// XXH64 with seed 0, step by step as the xxHash specification describes it: slow and obvious.

const MASK = (1n << 64n) - 1n;
export const PRIME64_1 = 0x9e3779b185ebca87n;
export const PRIME64_2 = 0xc2b2ae3d27d4eb4fn;
export const PRIME64_3 = 0x165667b19e3779f9n;
export const PRIME64_4 = 0x85ebca77c2b2ae63n;
export const PRIME64_5 = 0x27d4eb2f165667c5n;

export function xxh64(input: Uint8Array): bigint {
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  let at = 0;
  let acc = PRIME64_5;
  if (input.length >= 32) {
    const lanes = [PRIME64_1 + PRIME64_2, PRIME64_2, 0n, -PRIME64_1];
    for (; at + 32 <= input.length; at += 32) {
      for (let n = 0; n < 4; n++) lanes[n] = round(lanes[n], view.getBigUint64(at + n * 8, true));
    }
    acc = rotate(lanes[0], 1n) + rotate(lanes[1], 7n) + rotate(lanes[2], 12n);
    acc += rotate(lanes[3], 18n);
    for (const lane of lanes) acc = (acc ^ round(0n, lane)) * PRIME64_1 + PRIME64_4;
  }
  acc += BigInt(input.length);
  for (; at + 8 <= input.length; at += 8) {
    acc = wrap(acc) ^ round(0n, view.getBigUint64(at, true));
    acc = rotate(acc, 27n) * PRIME64_1 + PRIME64_4;
  }
  if (at + 4 <= input.length) {
    acc = wrap(acc) ^ wrap(BigInt(view.getUint32(at, true)) * PRIME64_1);
    acc = rotate(acc, 23n) * PRIME64_2 + PRIME64_3;
    at += 4;
  }
  for (; at < input.length; at++) {
    acc = wrap(acc) ^ wrap(BigInt(input[at]) * PRIME64_5);
    acc = rotate(acc, 11n) * PRIME64_1;
  }
  acc = wrap(acc);
  acc = wrap((acc ^ (acc >> 33n)) * PRIME64_2);
  acc = wrap((acc ^ (acc >> 29n)) * PRIME64_3);
  return acc ^ (acc >> 32n);
}

function round(acc: bigint, lane: bigint): bigint {
  return wrap(rotate(acc + lane * PRIME64_2, 31n) * PRIME64_1);
}

function rotate(value: bigint, bits: bigint): bigint {
  const word = wrap(value);
  return wrap(word << bits) | (word >> (64n - bits));
}

function wrap(value: bigint): bigint {
  return value & MASK;
}
