// A folder for the RAM files of guests that lies in memory: disks are slow, and QEMU does post-copy
// into a tmpfs alone. Where /dev/shm is too small, as in containers, it is a tmpfs of its own.
import { execFile } from "node:child_process";
import { mkdtemp, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { leftovers, ownPrefix } from "./leftovers.ts";

const run = promisify(execFile);
const SHARED_MEMORY = "/dev/shm";
const PREFIX = "pagefold-ram";

export class RamFolder {
  readonly path: string;
  #isMounted: boolean;

  private constructor(path: string, isMounted: boolean) {
    this.path = path;
    this.#isMounted = isMounted;
  }

  static async open(byteLength: number): Promise<RamFolder> {
    await removeLeftovers();
    const { bavail, bsize } = await statfs(SHARED_MEMORY).catch(() => ({ bavail: 0, bsize: 0 }));
    const hasRoom = bavail * bsize > byteLength;
    const parent = hasRoom ? SHARED_MEMORY : tmpdir();
    const path = await mkdtemp(join(parent, ownPrefix(PREFIX)));
    if (!hasRoom) {
      const size = `size=${byteLength},mode=700`;
      await run("mount", ["-t", "tmpfs", "-o", size, "pagefold-ram", path]);
    }
    return new RamFolder(path, !hasRoom);
  }

  async close(): Promise<void> {
    if (this.#isMounted) await run("umount", [this.path]);
    await rm(this.path, { recursive: true, force: true });
  }
}

/** Gives back the memory that killed runs hold. */
async function removeLeftovers(): Promise<void> {
  for (const folder of [SHARED_MEMORY, tmpdir()]) {
    for (const name of leftovers(folder, PREFIX)) {
      const path = join(folder, name);
      await run("umount", [path]).catch(() => "it was none");
      await rm(path, { recursive: true, force: true });
    }
  }
}
