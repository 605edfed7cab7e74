// Names of pages that are not there yet, and what they wait for: names of one digest wait together.

import { digestKey } from "../core/digests.ts";
import { DIGEST_BYTES } from "../core/page.ts";

/** A digest that somebody waits for. */
export interface Wait {
  readonly key: string;
  readonly digest: Uint8Array;
  /** The names that stand for it, oldest first; none when it is over. */
  readonly numbers: Set<number>;
  /** The source has been asked for one of them; its answer is for all. */
  isAsked: boolean;
}

interface Name {
  readonly wait: Wait;
  readonly dueAt: number;
  isAsked: boolean;
}

export class WaitingNames {
  private readonly names = new Map<number, Name>();
  private readonly waits = new Map<string, Wait>();
  /** Those that are not due, in their order. */
  private young: number[] = [];

  get size(): number {
    return this.names.size;
  }

  /** Returns what it waits for if it is the first to do so. */
  add(number: number, digest: Uint8Array, dueAt: number): Wait | undefined {
    const key = digestKey(digest, 0);
    const known = this.waits.get(key);
    const wait = known ?? { key, digest: digest.slice(), numbers: new Set(), isAsked: false };
    wait.numbers.add(number);
    this.waits.set(key, wait);
    this.names.set(number, { wait, dueAt, isAsked: false });
    this.young.push(number);
    return known ? undefined : wait;
  }

  waitOf(number: number): Wait | undefined {
    return this.names.get(number)?.wait;
  }

  /** What waits for the digest of this key. */
  waitFor(key: string): Wait | undefined {
    return this.waits.get(key);
  }

  /**
   * Forgets a name. If the source had been asked for it and others wait for the same, returns the
   * oldest of these: nobody has asked for them.
   */
  remove(number: number): number | undefined {
    const name = this.names.get(number);
    if (!name) return undefined;
    const { wait } = name;
    this.names.delete(number);
    wait.numbers.delete(number);
    const [oldest] = wait.numbers;
    if (oldest === undefined) this.waits.delete(wait.key);
    if (!name.isAsked) return undefined;
    wait.isAsked = false;
    return oldest;
  }

  /** Those of `numbers` that the source has to be asked for, once for each digest; in order. */
  ask(numbers: Iterable<number>): number[] {
    const asked: number[] = [];
    for (const number of numbers) {
      const name = this.names.get(number);
      if (!name || name.wait.isAsked) continue;
      name.isAsked = true;
      name.wait.isAsked = true;
      asked.push(number);
    }
    return asked.sort((a, b) => a - b);
  }

  /** Those whose time is over since the last call. */
  due(now: number): number[] {
    const first = this.young.findIndex((number) => (this.names.get(number)?.dueAt ?? 0) > now);
    return this.young.splice(0, first < 0 ? this.young.length : first);
  }

  clear(): void {
    for (const wait of this.waits.values()) wait.numbers.clear();
    this.names.clear();
    this.waits.clear();
    this.young = [];
  }
}

/** One digest after another. */
export function digestsOf(waits: readonly { readonly digest: Uint8Array }[]): Uint8Array {
  const digests = new Uint8Array(waits.length * DIGEST_BYTES);
  waits.forEach(({ digest }, i) => {
    digests.set(digest, i * DIGEST_BYTES);
  });
  return digests;
}
