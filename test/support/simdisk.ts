// A directory on a disk that can lose its power, or fail, at any operation. It keeps apart what was
// written and what is durable: of the rest a power cut keeps any sectors and any names.
import type { OpenMode, StoreFile, StoreFiles } from "../../src/replication/storefiles.ts";
import type { SeededRandom } from "./random.ts";

const SECTOR_BYTES = 512;

interface Inode {
  bytes: Uint8Array;
  durable: Uint8Array;
  /** Writes and truncations since the last sync. */
  pending: ({ at: number; bytes: Uint8Array } | { length: number })[];
}

/** What happens at an operation: the power goes, or it fails with this code and goes on. */
export type Trouble = { at: number; kind: "cut" | "ENOSPC" | "EIO" };

export class SimDisk implements StoreFiles {
  readonly path = "/sim";
  /** Operations so far that change something. */
  operations = 0;
  isCut = false;
  trouble: Trouble | undefined;
  names = new Map<string, Inode>();
  private durableNames = new Map<string, Inode>();
  /** Changes of names since the last sync; each happens as one. */
  private pendingNames: [string, Inode | undefined][][] = [];

  async make(): Promise<void> {}

  async lock() {
    return { release: async () => {} };
  }

  async list(): Promise<string[]> {
    this.alive();
    return [...this.names.keys()];
  }

  async open(name: string, mode: OpenMode): Promise<StoreFile> {
    this.alive();
    const there = this.names.get(name);
    if (!there && mode !== "create") throw failure("ENOENT");
    if (there && mode !== "create") return this.fileOf(there);
    this.operate();
    const inode = { bytes: new Uint8Array(0), durable: new Uint8Array(0), pending: [] };
    this.link([[name, inode]]);
    return this.fileOf(inode);
  }

  async rename(from: string, to: string): Promise<void> {
    const inode = this.names.get(from);
    if (!inode) throw failure("ENOENT");
    this.operate();
    this.link([
      [from, undefined],
      [to, inode],
    ]);
  }

  async remove(name: string): Promise<void> {
    if (!this.names.has(name)) throw failure("ENOENT");
    this.operate();
    this.link([[name, undefined]]);
  }

  async sync(): Promise<void> {
    this.operate();
    this.durableNames = new Map(this.names);
    this.pendingNames = [];
  }

  /** The disk after the machine came up again, with only what was durable and some of the rest. */
  afterPowerCut(random: SeededRandom): SimDisk {
    const names = new Map(this.durableNames);
    for (const change of this.pendingNames) {
      if (random.int(2) === 0) continue;
      for (const [name, inode] of change) setName(names, name, inode);
    }
    return SimDisk.of(names, (inode) => survived(inode, random));
  }

  /** The disk after the process alone was killed. */
  afterKill(): SimDisk {
    return SimDisk.of(this.names, ({ bytes }) => bytes.slice());
  }

  private static of(
    names: ReadonlyMap<string, Inode>,
    contentOf: (inode: Inode) => Uint8Array,
  ): SimDisk {
    const disk = new SimDisk();
    for (const [name, inode] of names) {
      const bytes = contentOf(inode);
      disk.names.set(name, { bytes, durable: bytes.slice(), pending: [] });
    }
    disk.durableNames = new Map(disk.names);
    return disk;
  }

  private link(change: [string, Inode | undefined][]): void {
    for (const [name, inode] of change) setName(this.names, name, inode);
    this.pendingNames.push(change);
  }

  private fileOf(inode: Inode): StoreFile {
    return {
      read: async (into, offset) => {
        this.alive();
        const part = inode.bytes.subarray(offset, offset + into.length);
        into.set(part);
        return part.length;
      },
      write: async (bytes, offset) => {
        // What fails or is cut off may have been done in part.
        const isWhole = this.operate(() => change(inode, offset, bytes.slice(0, bytes.length / 2)));
        if (isWhole) change(inode, offset, bytes.slice());
      },
      truncate: async (length) => {
        this.operate();
        inode.bytes = resized(inode.bytes, length);
        inode.pending.push({ length });
      },
      size: async () => {
        const { length } = inode.bytes;
        return { byteLength: length, storedBytes: length, changedMs: 0 };
      },
      sync: async () => {
        this.operate();
        inode.durable = inode.bytes.slice();
        inode.pending = [];
      },
      close: async () => {},
    };
  }

  private alive(): void {
    if (this.isCut) throw failure("EIO");
  }

  /** Counts an operation; `partly` is done instead of it when it is the one that goes wrong. */
  private operate(partly?: () => void): boolean {
    this.alive();
    this.operations++;
    if (this.operations !== this.trouble?.at) return true;
    partly?.();
    this.isCut = this.trouble.kind === "cut";
    throw failure(this.isCut ? "EIO" : this.trouble.kind);
  }
}

function failure(code: string): Error {
  return Object.assign(new Error(`simulated ${code}`), { code });
}

function setName(names: Map<string, Inode>, name: string, inode: Inode | undefined): void {
  if (inode) names.set(name, inode);
  else names.delete(name);
}

function change(inode: Inode, at: number, bytes: Uint8Array): void {
  inode.bytes = resized(inode.bytes, Math.max(inode.bytes.length, at + bytes.length));
  inode.bytes.set(bytes, at);
  inode.pending.push({ at, bytes });
}

function resized(bytes: Uint8Array, length: number): Uint8Array {
  if (length === bytes.length) return bytes;
  const other = new Uint8Array(length);
  other.set(bytes.subarray(0, length));
  return other;
}

/** What was durable, with any sectors of what was written since. */
function survived({ durable, pending }: Inode, random: SeededRandom): Uint8Array {
  let bytes: Uint8Array = durable.slice();
  for (const step of pending) {
    if ("length" in step) {
      if (random.int(2) === 1) bytes = resized(bytes, step.length);
      continue;
    }
    for (let done = 0; done < step.bytes.length; done += SECTOR_BYTES) {
      if (random.int(2) === 0) continue;
      const sector = step.bytes.subarray(done, done + SECTOR_BYTES);
      bytes = resized(bytes, Math.max(bytes.length, step.at + done + sector.length));
      bytes.set(sector, step.at + done);
    }
  }
  return bytes;
}
