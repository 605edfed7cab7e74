// Pre-copy in closed form: a guest that dirties `dirtyRate` different pages per second over a link
// of `bandwidth` pages per second. Round i moves V0 · (D / B)^i pages.

export interface PrecopyModel {
  /** Pages of each round while the guest runs. */
  rounds: number[];
  /** Pages of stop-and-copy. */
  rest: number;
  downtimeMs: number;
  /** V0 · (1 - (D / B)^(n + 1)) / (1 - D / B), n + 1 being the rounds with the last one. */
  totalPages: number;
}

/** Rounds go on until no more than `fewPages` remain. Diverges unless D < B. */
export function precopyModel(
  pages: number,
  dirtyRate: number,
  bandwidth: number,
  fewPages: number,
): PrecopyModel {
  const ratio = dirtyRate / bandwidth;
  const n = Math.ceil(Math.log(fewPages / pages) / Math.log(ratio));
  const rest = pages * ratio ** n;
  return {
    rounds: Array.from({ length: n }, (_, i) => pages * ratio ** i),
    rest,
    downtimeMs: (rest / bandwidth) * 1000,
    totalPages: (pages * (1 - ratio ** (n + 1))) / (1 - ratio),
  };
}
