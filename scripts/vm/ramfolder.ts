// A folder for the RAM files of guests that lies in memory: disks are slow, and QEMU does post-copy
// into a tmpfs alone. Where /dev/shm is too small, as in containers, it is a tmpfs of its own.
import { execFile } from "node:child_process";
import { mkdtemp, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const SHARED_MEMORY = "/dev/shm";

export class RamFolder {
  readonly path: string;
  #isMounted: boolean;

  private constructor(path: string, isMounted: boolean) {
    this.path = path;
    this.#isMounted = isMounted;
  }

  static async open(byteLength: number): Promise<RamFolder> {
    const { bavail, bsize } = await statfs(SHARED_MEMORY).catch(() => ({ bavail: 0, bsize: 0 }));
    const hasRoom = bavail * bsize > byteLength;
    const path = await mkdtemp(join(hasRoom ? SHARED_MEMORY : tmpdir(), "pagefold-ram-"));
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
