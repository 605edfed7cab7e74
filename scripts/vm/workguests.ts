// Guests with workloads, booted together, wherever each is to live. It owns their folder and the
// RAM files in it, not the QEMUs that they move to.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installTools, kernelPath, writeWorkloadInitramfs } from "./build.ts";
import { diskPath } from "./disk.ts";
import { Guest } from "./guest.ts";
import { INSTALLED_QEMU, majorOf, versionOf } from "./qemu10.ts";
import { RamFolder } from "./ramfolder.ts";

export const WORKLOADS = ["redis", "nginx", "churn", "idle"] as const;
/** One that counts aloud has to have a network. */
export type Workload = (typeof WORKLOADS)[number] | "counter";

/** Who one guest is. */
export interface WorkGuest {
  name: string;
  workload: Workload;
  /** The contents of guests with different seeds differ. */
  seed: number;
  /** Where it boots. */
  namespace: string;
}

/** What all guests have in common. */
export interface WorkOptions {
  /** Default: 256. */
  memoryMiB?: number;
  /** Operations a second of every guest, where the workload's own are not wanted. */
  rate?: number;
  /** The working set in MiB, likewise. */
  ws?: number;
  /** A network of all guests, which are 10.0.2.15 in it: see `GuestOptions`. */
  netdev?: string;
  /** The program; default: the QEMU that is installed. */
  qemu?: string;
}

/**
 * QEMU before 9.0 loses writes of an emulated guest, unless its RAM is no multiple of 256 KiB: its
 * fast way of reading the dirty bitmap, which asks for such a size, forgets the emulator's TLB.
 */
const SOUND_VERSION = 9;
const EXTRA_KIB = 8;
/** How many boot at a time: more would only wait for each other. */
const AT_ONCE = 4;

export class WorkGuests {
  readonly folder: string;
  guests: readonly Guest[] = [];
  #ram: RamFolder;

  private constructor(folder: string, ram: RamFolder) {
    this.folder = folder;
    this.#ram = ram;
  }

  /** Resolves when all are at work. */
  static async boot(wanted: readonly WorkGuest[], options: WorkOptions): Promise<WorkGuests> {
    const { memoryMiB = 256, rate, ws, netdev, qemu } = options;
    await installTools();
    const kernel = await kernelPath();
    const disk = await diskPath();
    const memoryKiB = memoryMiB * 1024 + (await extraKiB(qemu));
    const folder = await mkdtemp(join(tmpdir(), "pagefold-gang-"));
    // Each guest has RAM at both ends while it moves.
    const ram = await RamFolder.open(2 * wanted.length * memoryKiB * 1024);
    const booted = new WorkGuests(folder, ram);
    try {
      const initramfs = join(folder, "initramfs.gz");
      await writeWorkloadInitramfs(initramfs);
      const place = { folder, ramFolder: ram.path, disk, kernel, initramfs, memoryKiB };
      const start = ({ name, workload, seed, namespace }: WorkGuest): Guest => {
        const words = { workload, rate, ws, address: netdev && "10.0.2.15" };
        const given = Object.entries(words).filter(([, value]) => value !== undefined);
        return new Guest({
          ...place,
          name,
          seed,
          namespace,
          bootWords: given.map(([word, value]) => `${word}=${value}`).join(" "),
          ...(netdev === undefined ? {} : { netdev }),
          ...(qemu === undefined ? {} : { qemu }),
        });
      };
      for (let first = 0; first < wanted.length; first += AT_ONCE) {
        const started = wanted.slice(first, first + AT_ONCE).map(start);
        booted.guests = [...booted.guests, ...started];
        // One that is ready would only slow down those that are not.
        await Promise.all(started.map((guest) => guest.ready().then(() => guest.pause())));
      }
      await Promise.all(booted.guests.map((guest) => guest.resume()));
      return booted;
    } catch (error) {
      await booted.close();
      throw error;
    }
  }

  /** Ends the guests as they are now. */
  async close(): Promise<void> {
    await Promise.all(this.guests.map((guest) => guest.close()));
    await this.#ram.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}

async function extraKiB(qemu: string = INSTALLED_QEMU): Promise<number> {
  return majorOf(await versionOf(qemu)) < SOUND_VERSION ? EXTRA_KIB : 0;
}
