// Guests with workloads on the hosts of a rack, all hosts alike, that move together to the other
// rack and back. It owns their folder, their processes and the racks.
import { installTools } from "./build.ts";
import type { Guest } from "./guest.ts";
import { RackMove, type RackMoveOptions, type RackReport } from "./rackmove.ts";
import { type RackSpeeds, Racks, type RackWay } from "./racks.ts";
import { WorkGuests, type Workload, type WorkOptions } from "./workguests.ts";

export interface RackGangOptions extends WorkOptions, RackSpeeds {
  /** In each rack. */
  hosts: number;
  /** One guest each, on every host. */
  workloads: readonly Workload[];
  /** Those of them that have the same contents on every host, as the servers of one site do. */
  replicas?: readonly Workload[];
}

const MOVE_LIMIT_MS = 180_000;

export class RackGang {
  readonly racks: Racks;
  #booted: WorkGuests;
  #isBack = false;

  private constructor(racks: Racks, booted: WorkGuests) {
    this.racks = racks;
    this.#booted = booted;
  }

  /** Resolves when all guests are at work in the first rack. */
  static async boot(options: RackGangOptions): Promise<RackGang> {
    const { hosts, workloads, replicas = [] } = options;
    await installTools({ "redis-server": "redis-server", "redis-cli": "redis-tools" });
    const racks = await Racks.open(hosts, options);
    try {
      const wanted = racks.racks[0].hosts.flatMap(({ namespace }, host) =>
        workloads.map((workload, i) => {
          const seed = 1 + i + (replicas.includes(workload) ? 0 : host * workloads.length);
          return { name: `h${host}-${i}-${workload}`, workload, seed, namespace };
        }),
      );
      return new RackGang(racks, await WorkGuests.boot(wanted, options));
    } catch (error) {
      await racks.close();
      throw error;
    }
  }

  get guests(): readonly Guest[] {
    return this.#booted.guests;
  }

  /** Those of each host. */
  get guestsByHost(): Guest[][] {
    const hosts = this.racks.racks[0].hosts.length;
    const each = this.guests.length / hosts;
    return Array.from({ length: hosts }, (_, i) => this.guests.slice(i * each, (i + 1) * each));
  }

  /** From where the guests are to the other rack. */
  get way(): RackWay {
    const [a, b] = this.racks.racks;
    return this.#isBack ? { from: b, to: a } : { from: a, to: b };
  }

  /** Starts what a migration to the other rack needs; see `RackMove`. */
  async prepare(options: RackMoveOptions): Promise<RackMove> {
    return RackMove.prepare(this.guestsByHost, { racks: this.racks, way: this.way }, options);
  }

  /** Moves all guests to the other rack; when that fails, they are where they were. */
  async migrate(options: RackMoveOptions, limitMs = MOVE_LIMIT_MS): Promise<RackReport> {
    const move = await this.prepare(options);
    try {
      await move.begin();
      const report = await move.finish(await move.settled(limitMs), limitMs);
      this.moved(move);
      return report;
    } catch (error) {
      await move.abandon();
      throw error;
    }
  }

  /** All guests are in the other rack from now on. */
  moved({ moves }: Pick<RackMove, "moves">): void {
    this.#booted.guests = moves.flatMap(({ targets }) => targets);
    this.#isBack = !this.#isBack;
  }

  async expectAlive(): Promise<void> {
    await Promise.all(this.guests.map((guest) => guest.expectAlive()));
  }

  async close(): Promise<void> {
    await this.#booted.close();
    await this.racks.close();
  }
}
