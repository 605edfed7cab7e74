// What things cost: the constants of the simulator, each with where it comes from. Bytes are those
// of the session (docs/session.md) and of the Redis protocol; times are of one core of the machine
// of docs/benchmarks.md.

export const PAGE_BYTES = 4096;
/** Pages of guests that a batch stands for, zero pages aside. */
export const BATCH_PAGES = 256;
/** Batches that are asked about at a time, and those that a session has begun and not delivered. */
export const ASKED_BATCHES = 4;
export const BATCHES_UNDER_WAY = 8;

export const BYTES = {
  /** Head and clusters' heads of a batch. */
  batch: 600,
  /** A page of QEMU's stream, and one of zeros. */
  plainPage: PAGE_BYTES + 8,
  plainZero: 9,
  /** Records of pages of zeros and of pages that the host has sent before. */
  zero: 1,
  duplicate: 6,
  /** A digest in a head, a number, and a page that a target is to store. */
  name: 33,
  number: 3,
  share: 37,
  /** Calls of the index: the call, and a page of it. */
  call: 120,
  claim: 36,
  want: 36,
  /** A page in a group of the store, as LZ4 leaves those of `bench:interrack`, put or got. */
  storedPage: 2850,
  /** Of a look-up. */
  lookup: 40,
} as const;

/** Microseconds of one core. */
export const CPU = {
  /** Both ends of a QEMU migration, for a page of 4 KiB: of bench:gang, 10 Gbit/s. */
  plainPage: 8,
  /**
   * `bench:tunnel`: 5.5 s for both ends and 182 k pages, of which the source has 0.58 (the profile
   * beside it). A page that is not stored costs about a third of one that is.
   */
  sourcePage: 6,
  sourceContent: 16,
  targetPage: 3,
  targetContent: 12,
  /** BLAKE3 of a page, at 1.3 GB/s. */
  digest: 3.1,
  /** A page of a group: digest, LZ4, seal, call of the store; and all that the other way. */
  pack: 14,
  unpack: 12,
  /**
   * A page that goes by name besides that, at the source and at the target: held, waited for, found
   * and released, written as a record of its own. `bench:interrack`, core 300 Mbit/s, idle: what
   * tunnels took in racks and not in gangs, divided as in a profile. Such code stays cold in
   * processes that live for seconds.
   */
  sourceName: 40,
  targetName: 54,
  /** Calls of the Redis client: each call, each digest of a claim. */
  call: 60,
  claim: 0.6,
} as const;

/** Microseconds of the one thread of a Redis. */
export const REDIS = {
  call: 25,
  /** A claim, look-up of the index or mark in its script: 1 / (500 000 digests/s). */
  digest: 2,
  /** A page of 4 KiB put or got (redis-benchmark: 5.9), and a look-up that finds nothing. */
  page: 6,
  miss: 1,
} as const;
