// A new file for its owner alone, written under a temporary name beside its place and moved there
// when it is complete. Pages of zeros become holes. It knows nothing of images or archives.
import { type FileHandle, link, lstat, open, rename, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { PagefoldError, reasonOf } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";

const ZERO_PAGE = new Uint8Array(PAGE_BYTES);
/** Bytes of a file name on every common file system. */
const MAX_FILE_NAME_BYTES = 255;

/** Two writers in one process have the same pid, hence the same temporary name. */
const inUse = new Set<string>();

/** Ends with `commit` or `discard`; a failed `commit` has still to be discarded. */
export class SparseFile {
  readonly path: string;
  /** Bytes written so far; the holes are not counted. */
  storedBytes = 0;
  private readonly temporary: string;
  private readonly handle: FileHandle;
  private readonly force: boolean;
  private isCommitted = false;

  private constructor(path: string, temporary: string, handle: FileHandle, force: boolean) {
    this.path = path;
    this.temporary = temporary;
    this.handle = handle;
    this.force = force;
  }

  /** Of the temporary file, for those who write (and read back) by themselves. */
  get fd(): number {
    return this.handle.fd;
  }

  /**
   * Creates the temporary file, mode 0600. An existing `path` is refused unless `force`. `suffix`
   * tells apart two of the same path.
   */
  static async create(path: string, { force = false, suffix = "tmp" } = {}): Promise<SparseFile> {
    await refuseExisting(path, force);
    const temporary = temporaryName(path, suffix);
    if (inUse.has(temporary))
      throw new PagefoldError("OUTPUT", `${path}: is already being written`);
    inUse.add(temporary);
    try {
      // A file of this name can only be left from a killed process that had our pid.
      await unlink(temporary).catch(ignoreMissing);
      const handle = await open(temporary, "wx+", 0o600);
      return new SparseFile(path, temporary, handle, force);
    } catch (error) {
      inUse.delete(temporary);
      throw failed(path, error);
    }
  }

  /** Writes all but whole pages of zeros, counted from the start of `bytes`. */
  async write(byteOffset: number, bytes: Uint8Array): Promise<void> {
    let start = 0;
    while (start < bytes.length) {
      if (isZeroPage(bytes, start)) {
        start += PAGE_BYTES;
        continue;
      }
      let end = start + PAGE_BYTES;
      while (end < bytes.length && !isZeroPage(bytes, end)) end += PAGE_BYTES;
      await this.writeRun(byteOffset + start, bytes.subarray(start, end));
      start = end;
    }
  }

  private async writeRun(byteOffset: number, bytes: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < bytes.length; ) {
        const left = bytes.length - at;
        at += (await this.handle.write(bytes, at, left, byteOffset + at)).bytesWritten;
      }
    } catch (error) {
      throw failed(this.path, error);
    }
    this.storedBytes += bytes.length;
  }

  /**
   * Gives the file its length, its time of modification (ms) if there is one, and its name; after
   * this it is on the disk.
   */
  async commit(byteLength: number, mtimeMs?: number): Promise<void> {
    try {
      await this.handle.truncate(byteLength);
      if (mtimeMs !== undefined) await this.handle.utimes(new Date(), new Date(mtimeMs));
      await this.handle.sync();
      await this.handle.close();
      await this.publish();
      await syncDirectory(dirname(this.path));
    } catch (error) {
      throw failed(this.path, error);
    }
    inUse.delete(this.temporary);
    this.isCommitted = true;
  }

  private async publish(): Promise<void> {
    if (!this.force) {
      try {
        // Unlike a rename, a link cannot replace a file that appeared meanwhile.
        await link(this.temporary, this.path);
        await unlink(this.temporary);
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "EEXIST") throw error;
        // This file system has no links. The moment between look and rename has to be accepted.
        await refuseExisting(this.path, false);
      }
    }
    await rename(this.temporary, this.path);
  }

  /** Removes the temporary file; nothing is left under either name. Does nothing after `commit`. */
  async discard(): Promise<void> {
    if (this.isCommitted) return;
    await this.handle.close().catch(() => undefined);
    await unlink(this.temporary).catch(ignoreMissing);
    inUse.delete(this.temporary);
  }
}

function isZeroPage(bytes: Uint8Array, start: number): boolean {
  if (start + PAGE_BYTES > bytes.length) return false;
  return Buffer.compare(bytes.subarray(start, start + PAGE_BYTES), ZERO_PAGE) === 0;
}

function temporaryName(path: string, suffix: string): string {
  const end = `.${suffix}-${process.pid}`;
  let name = basename(path);
  while (Buffer.byteLength(`.${name}${end}`) > MAX_FILE_NAME_BYTES) name = name.slice(0, -1);
  return join(dirname(path), `.${name}${end}`);
}

async function refuseExisting(path: string, force: boolean): Promise<void> {
  const stats = await lstat(path).catch(ignoreMissing);
  if (stats === undefined) return;
  if (!force) throw new PagefoldError("OUTPUT", `${path}: exists already`);
  // A rename would put a file in the place of a device, which nobody means.
  if (!stats.isFile() && !stats.isSymbolicLink()) {
    throw new PagefoldError("OUTPUT", `${path}: is not a regular file and is not replaced`);
  }
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** For everything but a missing file, the operation that follows gives the better message. */
function ignoreMissing(): undefined {
  return undefined;
}

function failed(path: string, error: unknown): PagefoldError {
  if (error instanceof PagefoldError) return error;
  return new PagefoldError("OUTPUT", `${path}: ${reasonOf(error)}`, { cause: error });
}
