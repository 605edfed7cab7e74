// Guests with workloads that live together on one host and move together to the other one. It owns
// their folder, their processes and the link.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installTools, kernelPath, writeWorkloadInitramfs } from "./build.ts";
import { diskPath } from "./disk.ts";
import { Guest } from "./guest.ts";
import { type Host, Link } from "./link.ts";
import { Move, type MoveOptions } from "./move.ts";
import type { MoveReport } from "./outcome.ts";
import { INSTALLED_QEMU, majorOf, versionOf } from "./qemu10.ts";
import { RamFolder } from "./ramfolder.ts";

export const WORKLOADS = ["redis", "nginx", "churn", "idle"] as const;
/** One that counts aloud has to have a network. */
export type Workload = (typeof WORKLOADS)[number] | "counter";

export interface GangOptions {
  workloads: readonly Workload[];
  /** Default: 256. */
  memoryMiB?: number;
  /** Of the first guest, and one more for each further one. Default: 1. */
  seed?: number;
  /** Operations a second of every guest, where the workload's own are not wanted. */
  rate?: number;
  /** The working set in MiB, likewise. */
  ws?: number;
  /** A network of all guests, which are 10.0.2.15 in it: see `GuestOptions`. */
  netdev?: string;
  /** The program; default: the QEMU that is installed. */
  qemu?: string;
  /** The speed of the link; default: nothing is shaped. */
  mbit?: number;
}

const MOVE_LIMIT_MS = 120_000;
/**
 * QEMU before 9.0 loses writes of an emulated guest, unless its RAM is no multiple of 256 KiB: its
 * fast way of reading the dirty bitmap, which asks for such a size, forgets the emulator's TLB.
 */
const SOUND_VERSION = 9;
const EXTRA_KIB = 8;

export class Gang {
  readonly link: Link;
  guests: readonly Guest[] = [];
  #folder: string;
  #ram: RamFolder;
  #from: "a" | "b" = "a";

  private constructor(link: Link, folder: string, ram: RamFolder) {
    this.link = link;
    this.#folder = folder;
    this.#ram = ram;
  }

  /** Resolves when all guests are at work on the first host. */
  static async boot(options: GangOptions): Promise<Gang> {
    const { workloads, memoryMiB = 256, seed = 1, rate, ws, netdev, qemu, mbit } = options;
    await installTools();
    const kernel = await kernelPath();
    const disk = await diskPath();
    const memoryKiB = memoryMiB * 1024 + (await extraKiB(qemu));
    const folder = await mkdtemp(join(tmpdir(), "pagefold-gang-"));
    // Each guest has RAM at both ends while it moves.
    const ram = await RamFolder.open(2 * workloads.length * memoryKiB * 1024);
    const gang = new Gang(await Link.open(mbit), folder, ram);
    try {
      const initramfs = join(folder, "initramfs.gz");
      await writeWorkloadInitramfs(initramfs);
      const { namespace } = gang.link.a;
      gang.guests = workloads.map((workload, i) => {
        const address = netdev && "10.0.2.15";
        const words = { workload, rate, ws, address };
        const given = Object.entries(words).filter(([, value]) => value !== undefined);
        const place = {
          folder,
          ramFolder: ram.path,
          namespace,
          disk,
          kernel,
          initramfs,
          memoryKiB,
        };
        return new Guest({
          ...place,
          name: `vm${i}-${workload}`,
          seed: seed + i,
          bootWords: given.map(([name, value]) => `${name}=${value}`).join(" "),
          ...(netdev === undefined ? {} : { netdev }),
          ...(qemu === undefined ? {} : { qemu }),
        });
      });
      // One that is ready would only slow down those that are not.
      const paused = gang.guests.map((guest) => guest.ready().then(() => guest.pause()));
      await Promise.all(paused);
      await Promise.all(gang.guests.map((guest) => guest.resume()));
      return gang;
    } catch (error) {
      await gang.close();
      throw error;
    }
  }

  /** Starts what a migration to the other host needs, of all guests or some; see `Move`. */
  async prepare(options: MoveOptions, guests = this.guests): Promise<Move> {
    const [from, to] = this.hosts;
    return Move.prepare(guests, { link: this.link, from, to }, options);
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
    await Promise.all(this.guests.map((guest) => guest.close()));
    await this.link.close();
    await this.#ram.close();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

async function extraKiB(qemu: string = INSTALLED_QEMU): Promise<number> {
  return majorOf(await versionOf(qemu)) < SOUND_VERSION ? EXTRA_KIB : 0;
}
