// How an archive comes to be under its name, and how a change of it becomes valid: data first, made
// durable, then the one small write that makes it count.
import { randomBytes } from "node:crypto";
import { type FileHandle, link, lstat, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { PagefoldError, reasonOf } from "../core/errors.ts";
import type { Checksum } from "../wire/checksum.ts";
import { type ArchiveState, encodeSuperblock, SUPERBLOCK_BYTES } from "../wire/superblock.ts";

/** A file that is being written under a temporary name. */
export interface NewFile {
  readonly fd: number;
  /** Commits generation 1 and gives the file its name. */
  commit(state: ArchiveState, checksum: Checksum): Promise<void>;
  /** Removes it. */
  discard(): Promise<void>;
}

/**
 * Creates a file beside `path`, for its owner only. Whatever happens before `commit`, nothing is
 * under `path` that was not there before.
 */
export async function createFile(path: string, force: boolean): Promise<NewFile> {
  await refuseExisting(path, force);
  const suffix = randomBytes(4).toString("hex");
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}-${suffix}.tmp`);
  const handle = await open(temporary, "wx+", 0o600).catch((error) => outputError(path, error));
  let isOpen = true;
  const close = async (): Promise<void> => {
    if (isOpen) await handle.close();
    isOpen = false;
  };
  return {
    fd: handle.fd,
    async commit(state, checksum) {
      try {
        await commitState(handle, state, checksum);
        await close();
        await giveName(temporary, path, force);
        await syncDirectory(dirname(path));
      } catch (error) {
        throw error instanceof PagefoldError ? error : outputError(path, error);
      }
    },
    async discard() {
      await close().catch(() => undefined);
      await rm(temporary, { force: true }).catch(() => undefined);
    },
  };
}

/** Data to the disk, then the superblock of this generation, then that to the disk. */
export async function commitState(
  handle: FileHandle,
  state: ArchiveState,
  checksum: Checksum,
): Promise<void> {
  await handle.datasync();
  const block = encodeSuperblock(state, checksum);
  await handle.write(block, 0, block.length, (state.generation % 2) * SUPERBLOCK_BYTES);
  await handle.datasync();
}

async function refuseExisting(path: string, force: boolean): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found?.isDirectory()) throw new PagefoldError("OUTPUT", `${path}: is a directory`);
  if (found && !found.isFile() && !found.isSymbolicLink()) {
    throw new PagefoldError("OUTPUT", `${path}: is not a regular file`);
  }
  if (found && !force) throw new PagefoldError("OUTPUT", `${path}: file exists`);
}

/** Without `force` a file that appeared meanwhile is not replaced. */
async function giveName(temporary: string, path: string, force: boolean): Promise<void> {
  if (!force) {
    try {
      await link(temporary, path);
      return await rm(temporary);
    } catch (error) {
      // Some file systems have no hard links; then the look before must do.
      if ((error as NodeJS.ErrnoException).code === "EEXIST") throw error;
      await refuseExisting(path, force);
    }
  }
  await rename(temporary, path);
}

/** Makes the name durable; a directory that cannot be synced is not worth failing for. */
async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, "r").catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

function outputError(path: string, error: unknown): never {
  throw new PagefoldError("OUTPUT", `${path}: ${reasonOf(error)}`, { cause: error });
}
