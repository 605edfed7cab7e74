// How many operations a guest does: it counts them on its console once a second, and the time at
// which a count appears there is noted, by the clock of the host.
import type { Guest } from "../../scripts/vm/guest.ts";

const LOOK_MS = 20;
const BEAT = /GUEST-BEAT .*operations=(\d+) faults=\d+\r?\n/g;

interface Beat {
  atMs: number;
  operations: number;
}

export class BeatWatch {
  readonly #beats: Beat[] = [];
  readonly #guest: Guest;
  readonly #timer: NodeJS.Timeout;

  constructor(guest: Guest) {
    this.#guest = guest;
    this.#timer = setInterval(() => void this.#look(), LOOK_MS);
  }

  /** Since it was opened, from one beat to another; undefined with fewer than two of them. */
  get operationsPerSecond(): number | undefined {
    // The first one was there before.
    const [, first, ...rest] = this.#beats;
    const last = rest.at(-1);
    if (!first || !last) return undefined;
    return (1000 * (last.operations - first.operations)) / (last.atMs - first.atMs);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    const text = await this.#guest.console();
    const [, count] = [...text.matchAll(BEAT)].at(-1) ?? [];
    const operations = Number(count ?? 0);
    if (operations === this.#beats.at(-1)?.operations) return;
    this.#beats.push({ atMs: performance.now(), operations });
  }
}
