// The slow, obvious fingerprint table and sketch table: maps and lists of JavaScript objects that
// answer as the kernels must. They know no addresses.
import {
  LOOKUP_FOUND,
  LOOKUP_FULL,
  LOOKUP_INSERTED,
  LOOKUP_NONE,
  NO_ENTRY,
  SKETCH_CANDIDATES,
  SKETCH_FEATURES,
  SURVEY_ORDINARY,
} from "../../src/kernels/abi.ts";

export interface TableEntry {
  low: bigint;
  high: bigint;
  place: bigint;
  slot: bigint;
}

export interface TablePage {
  kind: number;
  low: bigint;
  high: bigint;
  place: bigint;
}

/** Entries that one bucket takes. */
export const CHAIN_LIMIT = 16;

export class OracleTable {
  readonly entries: TableEntry[] = [];
  readonly #bucketSizes = new Map<bigint, number>();
  readonly #bucketBits: number;
  readonly #capacity: number;

  constructor(bucketBits: number, capacity: number) {
    this.#bucketBits = bucketBits;
    this.#capacity = capacity;
  }

  lookup(page: TablePage): { entry: number; code: number } {
    if (page.kind !== SURVEY_ORDINARY) return { entry: NO_ENTRY, code: LOOKUP_NONE };
    const found = this.entries.findIndex((e) => e.low === page.low && e.high === page.high);
    if (found !== -1) return { entry: found, code: LOOKUP_FOUND };
    const bucket = page.low % 2n ** BigInt(this.#bucketBits);
    const size = this.#bucketSizes.get(bucket) ?? 0;
    if (size === CHAIN_LIMIT || this.entries.length === this.#capacity) {
      return { entry: NO_ENTRY, code: LOOKUP_FULL };
    }
    this.#bucketSizes.set(bucket, size + 1);
    this.entries.push({ low: page.low, high: page.high, place: page.place, slot: 0n });
    return { entry: this.entries.length - 1, code: LOOKUP_INSERTED };
  }
}

export interface SketchPage {
  kind: number;
  features: number[];
}

/** A sketch table whose places never collide: it forgets only what has the same feature. */
export class OracleSketchTable {
  readonly #latest = Array.from({ length: SKETCH_FEATURES }, () => new Map<number, number>());

  insert(page: SketchPage, entry: number): void {
    if (page.kind !== SURVEY_ORDINARY || entry === NO_ENTRY) return;
    page.features.forEach((feature, index) => {
      if (feature !== 0) this.#latest[index]?.set(feature, entry);
    });
  }

  lookup(page: SketchPage): number[] {
    const named =
      page.kind !== SURVEY_ORDINARY ? [] : page.features.map((f, i) => this.#find(f, i));
    const entries = named.filter((entry) => entry !== NO_ENTRY);
    const votes = (entry: number) => entries.filter((other) => other === entry).length;
    // A stable sort keeps the order of the features among entries with the same votes.
    const ranked = [...new Set(entries)].sort((a, b) => votes(b) - votes(a));
    while (ranked.length < SKETCH_CANDIDATES) ranked.push(NO_ENTRY);
    return ranked.slice(0, SKETCH_CANDIDATES);
  }

  #find(feature: number, index: number): number {
    if (feature === 0) return NO_ENTRY;
    return this.#latest[index]?.get(feature) ?? NO_ENTRY;
  }
}
