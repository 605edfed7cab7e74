// What both ends of a tunnel need: a check of the guests, and a clock for progress.
import { PagefoldError } from "../core/errors.ts";
import { MAX_GUESTS } from "../core/limits.ts";
import type { TunnelGuest, TunnelProgress } from "./tunnelapi.ts";

const PROGRESS_MS = 250;

/** USAGE for names or sockets that are given twice, and for none at all. */
export function checkGuests(guests: readonly TunnelGuest[]): void {
  if (guests.length === 0) throw new PagefoldError("USAGE", "no guest was named");
  if (guests.length > MAX_GUESTS) {
    throw new PagefoldError("USAGE", `${guests.length} guests, at most ${MAX_GUESTS}`);
  }
  for (const [i, { name, path }] of guests.entries()) {
    const earlier = guests.slice(0, i);
    if (earlier.some((other) => other.name === name)) {
      throw new PagefoldError("USAGE", `guest ${name} is named twice`);
    }
    if (earlier.some((other) => other.path === path)) {
      throw new PagefoldError("USAGE", `the socket ${path} is given to two guests`);
    }
  }
}

/** Tells of progress now and then, and once more at the end. */
export class ProgressTicker {
  private readonly timer: NodeJS.Timeout;
  private readonly tell: () => void;

  constructor(
    onProgress: ((progress: TunnelProgress) => void) | undefined,
    progressOf: () => TunnelProgress,
  ) {
    this.tell = () => onProgress?.(progressOf());
    this.timer = setInterval(this.tell, PROGRESS_MS);
  }

  stop(): void {
    clearInterval(this.timer);
    this.tell();
  }
}
