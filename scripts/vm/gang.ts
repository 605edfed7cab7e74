// Guests with workloads that live together on one host and move together to the other one. It owns
// their folder, their processes and the link.
import type { Guest } from "./guest.ts";
import { type Host, Link } from "./link.ts";
import { Move, type MoveOptions } from "./move.ts";
import type { MoveReport } from "./outcome.ts";
import { WorkGuests, type Workload, type WorkOptions } from "./workguests.ts";

export { WORKLOADS, type Workload } from "./workguests.ts";

export interface GangOptions extends WorkOptions {
  workloads: readonly Workload[];
  /** Of the first guest, and one more for each further one. Default: 1. */
  seed?: number;
  /** The speed of the link; default: nothing is shaped. */
  mbit?: number;
}

const MOVE_LIMIT_MS = 120_000;

export class Gang {
  readonly link: Link;
  #booted: WorkGuests;
  #from: "a" | "b" = "a";

  private constructor(link: Link, booted: WorkGuests) {
    this.link = link;
    this.#booted = booted;
  }

  /** Resolves when all guests are at work on the first host. */
  static async boot(options: GangOptions): Promise<Gang> {
    const { workloads, seed = 1, mbit } = options;
    const link = await Link.open(mbit);
    try {
      const { namespace } = link.a;
      const wanted = workloads.map((workload, i) => {
        return { name: `vm${i}-${workload}`, workload, seed: seed + i, namespace };
      });
      return new Gang(link, await WorkGuests.boot(wanted, options));
    } catch (error) {
      await link.close();
      throw error;
    }
  }

  get guests(): readonly Guest[] {
    return this.#booted.guests;
  }

  set guests(guests: readonly Guest[]) {
    this.#booted.guests = guests;
  }

  /** Starts what a migration to the other host needs, of all guests or some; see `Move`. */
  async prepare(options: MoveOptions, guests = this.guests): Promise<Move> {
    const [from, to] = this.hosts;
    return Move.prepare(guests, { from, to }, options);
  }

  /** Moves all guests to the other host; when that fails, they are where they were. */
  async migrate(options: MoveOptions, limitMs = MOVE_LIMIT_MS): Promise<MoveReport> {
    const move = await this.prepare(options);
    try {
      await move.begin();
      const report = await move.finish(await move.settled(limitMs), limitMs);
      this.moved(move.targets);
      return report;
    } catch (error) {
      await move.abandon();
      throw error;
    }
  }

  /** Where the gang is, and the other host. */
  get hosts(): readonly [Host, Host] {
    const { a, b } = this.link;
    return this.#from === "a" ? [a, b] : [b, a];
  }

  /** The gang is at the other host from now on, in these QEMUs. */
  moved(guests: readonly Guest[]): void {
    this.guests = guests;
    this.#from = this.#from === "a" ? "b" : "a";
  }

  /** Goes on without a guest. */
  async lose(guest: Guest): Promise<void> {
    this.guests = this.guests.filter((other) => other !== guest);
    await guest.close();
  }

  async expectAlive(): Promise<void> {
    await Promise.all(this.guests.map((guest) => guest.expectAlive()));
  }

  async close(): Promise<void> {
    await this.#booted.close();
    await this.link.close();
  }
}
