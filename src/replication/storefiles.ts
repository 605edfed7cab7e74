// The directory of a replica as the store sees it: the few things that it does with files, so that
// a test can put a disk there that fills up or loses its power. Knows nothing of epochs.
import { type FileHandle, mkdir, open, readdir, rename, unlink } from "node:fs/promises";
import { join } from "node:path";
import { type ErrorCode, PagefoldError, reasonOf } from "../core/errors.ts";
import { takeLock } from "../image/process/lock.ts";

/** One open file. `read` and `write` are complete; a read is short only at the end of the file. */
export interface StoreFile {
  read(into: Uint8Array, offset: number): Promise<number>;
  write(bytes: Uint8Array, offset: number): Promise<void>;
  truncate(byteLength: number): Promise<void>;
  /** Bytes from start to end, bytes that take room on the disk, and when it was last written to. */
  size(): Promise<{ byteLength: number; storedBytes: number; changedMs: number }>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** What a file is opened for: reading, reading and writing, or the same with nothing in it. */
export type OpenMode = "read" | "change" | "create";

/** A directory. What happens to names is durable after `sync`, in any order before. */
export interface StoreFiles {
  /** For messages. */
  readonly path: string;
  /** Makes the directory if it is not there. */
  make(): Promise<void>;
  lock(): Promise<{ release(): Promise<void> }>;
  list(): Promise<string[]>;
  open(name: string, mode: OpenMode): Promise<StoreFile>;
  rename(from: string, to: string): Promise<void>;
  remove(name: string): Promise<void>;
  sync(): Promise<void>;
}

export const LOCK_NAME = "lock";
const FLAGS = { read: "r", change: "r+", create: "w+" } as const;

/** A directory of the file system. */
export function directoryFiles(path: string): StoreFiles {
  return {
    path,
    make: async () => void (await mkdir(path, { recursive: true, mode: 0o700 })),
    lock: () => takeLock(path, join(path, LOCK_NAME), "is writing to it"),
    list: () => readdir(path),
    open: async (name, mode) => fileOf(await open(join(path, name), FLAGS[mode], 0o600)),
    rename: (from, to) => rename(join(path, from), join(path, to)),
    remove: (name) => unlink(join(path, name)),
    async sync() {
      const handle = await open(path, "r");
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    },
  };
}

function fileOf(handle: FileHandle): StoreFile {
  return {
    async read(into, offset) {
      let there = 0;
      while (there < into.length) {
        const left = into.length - there;
        const { bytesRead } = await handle.read(into, there, left, offset + there);
        if (bytesRead === 0) break;
        there += bytesRead;
      }
      return there;
    },
    async write(bytes, offset) {
      for (let at = 0; at < bytes.length; ) {
        const left = bytes.length - at;
        at += (await handle.write(bytes, at, left, offset + at)).bytesWritten;
      }
    },
    truncate: (byteLength) => handle.truncate(byteLength),
    async size() {
      const { size, blocks, mtimeMs } = await handle.stat();
      return { byteLength: size, storedBytes: blocks * 512, changedMs: mtimeMs };
    },
    sync: () => handle.sync(),
    close: () => handle.close(),
  };
}

/** The same directory with errors that name the file and the reason. */
export function withReasons(files: StoreFiles): StoreFiles {
  const attempt = async <T>(code: ErrorCode, name: string, action: Promise<T>): Promise<T> => {
    try {
      return await action;
    } catch (error) {
      if (error instanceof PagefoldError) throw error;
      const path = name === "" ? files.path : join(files.path, name);
      throw new PagefoldError(code, `${path}: ${reasonOf(error)}`, { cause: error });
    }
  };
  return {
    path: files.path,
    make: () => attempt("OUTPUT", "", files.make()),
    lock: () => attempt("OUTPUT", "", files.lock()),
    list: () => attempt("INPUT", "", files.list()),
    async open(name, mode) {
      const code = mode === "read" ? "INPUT" : "OUTPUT";
      const file = await attempt(code, name, files.open(name, mode));
      return {
        read: (into, offset) => attempt("INPUT", name, file.read(into, offset)),
        write: (bytes, offset) => attempt("OUTPUT", name, file.write(bytes, offset)),
        truncate: (byteLength) => attempt("OUTPUT", name, file.truncate(byteLength)),
        size: () => attempt("INPUT", name, file.size()),
        sync: () => attempt("OUTPUT", name, file.sync()),
        close: () => attempt("OUTPUT", name, file.close()),
      };
    },
    rename: (from, to) => attempt("OUTPUT", to, files.rename(from, to)),
    remove: (name) => attempt("OUTPUT", name, files.remove(name)),
    sync: () => attempt("OUTPUT", "", files.sync()),
  };
}
