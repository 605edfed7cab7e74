// The slow, obvious anchor table: one map for each segment, which never runs out of places. It
// keeps every segment there ever was, so that a reader of any time can be asked.
import { NO_ENTRY, SKETCH_CANDIDATES } from "../../src/kernels/abi.ts";

export class OracleAnchorTable {
  readonly #segments = [new Map<number, number>()];

  /** Turns so far: what a reader of this time looks up with. */
  get time(): number {
    return this.#segments.length - 1;
  }

  turn(): void {
    this.#segments.push(new Map());
  }

  /** Returns how many anchors the segment holds. */
  insert(anchors: number[], entry: number): number {
    const segment = this.#segments[this.time];
    for (const anchor of anchors) {
      if (entry !== NO_ENTRY && !segment.has(anchor)) segment.set(anchor, entry);
    }
    return segment.size;
  }

  lookup(time: number, entryLimit: number, minVotes: number, anchors: number[]): number[] {
    const votes = new Map<number, number>();
    for (const anchor of anchors) {
      const named = [time, time - 1].map((t) => this.#segments[t]?.get(anchor) ?? NO_ENTRY);
      const entry = named.find((e) => e < entryLimit);
      if (entry !== undefined) votes.set(entry, (votes.get(entry) ?? 0) + 1);
    }
    const ranked = [...votes].sort(([a, ofA], [b, ofB]) => ofB - ofA || a - b);
    const good = ranked.filter(([, count]) => count >= minVotes - 1);
    const elected = good.map(([entry]) => entry);
    // Where nobody has enough for the first place, it stays empty and the others do not.
    if (ranked.length > 0 && ranked[0][1] < minVotes) elected.unshift(NO_ENTRY);
    while (elected.length < SKETCH_CANDIDATES) elected.push(NO_ENTRY);
    return elected.slice(0, SKETCH_CANDIDATES);
  }
}
