// XXH3-128 with seed 0 and the default secret for inputs longer than 240 bytes, step by step as the
// xxHash specification describes it: slow and obvious. Shorter inputs have algorithms of their own.
import { PRIME64_1, PRIME64_2, PRIME64_3, PRIME64_4, PRIME64_5 } from "./xxh64.ts";

const MASK = (1n << 64n) - 1n;
const PRIME32_1 = 0x9e3779b1n;
const PRIME32_2 = 0x85ebca77n;
const PRIME32_3 = 0xc2b2ae3dn;
const PRIME_MX1 = 0x165667919e3779f9n;

const SECRET = Uint8Array.from(
  Buffer.from(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f" +
      "cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c" +
      "3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8" +
      "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364" +
      "eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e" +
      "2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e",
    "hex",
  ),
);
const STRIPE_BYTES = 64;
const STRIPES_PER_ROUND = (SECRET.length - STRIPE_BYTES) / 8;
const ROUND_BYTES = STRIPE_BYTES * STRIPES_PER_ROUND;

export interface Fingerprint {
  low: bigint;
  high: bigint;
}

export function xxh3Long128(input: Uint8Array): Fingerprint {
  if (input.length <= 240) throw new RangeError(`input: ${input.length} bytes, needs 241 or more`);
  let acc = [
    PRIME32_3,
    PRIME64_1,
    PRIME64_2,
    PRIME64_3,
    PRIME64_4,
    PRIME32_2,
    PRIME64_5,
    PRIME32_1,
  ];
  let at = 0;
  for (; input.length - at > ROUND_BYTES; at += ROUND_BYTES) {
    for (let n = 0; n < STRIPES_PER_ROUND; n++) {
      acc = accumulate(acc, words(input, at + n * STRIPE_BYTES), words(SECRET, n * 8));
    }
    acc = scramble(acc, words(SECRET, SECRET.length - STRIPE_BYTES));
  }
  const fullStripes = Math.floor((input.length - at - 1) / STRIPE_BYTES);
  for (let n = 0; n < fullStripes; n++) {
    acc = accumulate(acc, words(input, at + n * STRIPE_BYTES), words(SECRET, n * 8));
  }
  const lastStripe = words(input, input.length - STRIPE_BYTES);
  acc = accumulate(acc, lastStripe, words(SECRET, SECRET.length - 71));
  const length = BigInt(input.length);
  return {
    low: merge(acc, length * PRIME64_1, words(SECRET, 11)),
    high: merge(acc, ~(length * PRIME64_2), words(SECRET, SECRET.length - 75)),
  };
}

/** 8 little-endian words of 64 bits. */
function words(bytes: Uint8Array, offset: number): bigint[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, STRIPE_BYTES);
  return Array.from({ length: 8 }, (_, i) => view.getBigUint64(i * 8, true));
}

function accumulate(acc: bigint[], stripe: bigint[], secret: bigint[]): bigint[] {
  const next = [...acc];
  for (let i = 0; i < 8; i++) {
    const value = stripe[i] ^ secret[i];
    next[i ^ 1] = (next[i ^ 1] + stripe[i]) & MASK;
    next[i] = (next[i] + (value & 0xffffffffn) * (value >> 32n)) & MASK;
  }
  return next;
}

function scramble(acc: bigint[], secret: bigint[]): bigint[] {
  return acc.map((value, i) => ((value ^ (value >> 47n) ^ secret[i]) * PRIME32_1) & MASK);
}

function merge(acc: bigint[], start: bigint, secret: bigint[]): bigint {
  let result = start;
  for (let i = 0; i < 8; i += 2) {
    const product = (acc[i] ^ secret[i]) * (acc[i + 1] ^ secret[i + 1]);
    result += (product & MASK) ^ (product >> 64n);
  }
  result &= MASK;
  result = ((result ^ (result >> 37n)) * PRIME_MX1) & MASK;
  return result ^ (result >> 32n);
}
