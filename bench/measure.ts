// How benches measure: candidates take turns, so that whatever disturbs the machine disturbs all of
// them, and medians are taken. It prints nothing.

export interface Candidate {
  name: string;
  /** Before each run, not timed. */
  prepare?(): void | Promise<void>;
  /** One run, timed as a whole; returns the bytes it handled. */
  run(): number | Promise<number>;
}

export interface Timing {
  name: string;
  /** Bytes of one run. */
  bytes: number;
  /** Milliseconds of each round, in order. */
  elapsedMs: number[];
}

/** Runs all candidates once unmeasured, then `rounds` times in turn. */
export async function takeTurns(
  candidates: readonly Candidate[],
  rounds: number,
): Promise<Timing[]> {
  const timings = candidates.map(({ name }): Timing => ({ name, bytes: 0, elapsedMs: [] }));
  for (let round = -1; round < rounds; round++) {
    for (const [i, candidate] of candidates.entries()) {
      await candidate.prepare?.();
      const start = performance.now();
      const bytes = await candidate.run();
      const elapsedMs = performance.now() - start;
      // Round -1 warms caches and lets the engine compile at full strength.
      if (round < 0) continue;
      timings[i].bytes = bytes;
      timings[i].elapsedMs.push(elapsedMs);
    }
  }
  return timings;
}

/** The value below which `part` (0 to 1) of the values lie. */
export function quantile(values: readonly number[], part: number): number {
  if (values.length === 0) throw new Error("no values were measured");
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** MiB/s at the median. */
export function speedOf({ bytes, elapsedMs }: Timing): number {
  return bytes / 1048576 / (median(elapsedMs) / 1000);
}

/** How many times as fast as `floor` a candidate was: the median over rounds of neighbours. */
export function relativeSpeed(timing: Timing, floor: Timing): number {
  const ofRound = (t: Timing, round: number) => t.bytes / t.elapsedMs[round];
  return median(timing.elapsedMs.map((_, i) => ofRound(timing, i) / ofRound(floor, i)));
}
