// Seeded randomness for tests and benches: every run prints its seed, and PAGEFOLD_SEED repeats
// it. Not for secrets.

export interface SeededRandom {
  /** A whole number from 0 to `limit` - 1. */
  int(limit: number): number;
  /** `length` random bytes of their own. */
  bytes(length: number): Uint8Array;
}

/** Chris Doty-Humphrey's sfc32, warmed up from a 32-bit seed. */
export function seededRandom(seed: number): SeededRandom {
  let a = seed | 0;
  let b = 0x9e3779b9 | 0;
  let c = 0x243f6a88 | 0;
  let counter = 1;
  function next(): number {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }
  for (let round = 0; round < 16; round++) next();
  return {
    int: (limit) => Math.floor((next() / 2 ** 32) * limit),
    bytes(length) {
      const out = new Uint8Array(length);
      for (let at = 0; at < length; at++) out[at] = next();
      return out;
    },
  };
}

/** The seed of this run, printed under `name`: PAGEFOLD_SEED if it is set, otherwise a new one. */
export function randomSeed(name: string): number {
  const wanted = process.env.PAGEFOLD_SEED;
  const seed = wanted === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(wanted);
  console.log(`${name}: PAGEFOLD_SEED=${seed}`);
  return seed;
}
