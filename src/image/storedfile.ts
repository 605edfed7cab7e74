// A regular file that is open for reading: its bytes in any order or all of them, and whether it
// stayed the same meanwhile. What is in it is asked elsewhere (open.ts).
import { constants, fstatSync, read } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { promisify } from "node:util";
import { PagefoldError, reasonOf } from "../core/errors.ts";
import type { ReadAt } from "./layout.ts";

/** Bytes that are read at a time when all are wanted. */
const PIECE_BYTES = 1 << 18;
/** What `stat` counts in. */
const BLOCK_BYTES = 512;
const readFd = promisify(read);

export interface StoredFile {
  /** For messages too. */
  readonly path: string;
  readonly fd: number;
  /** When it was opened. */
  readonly byteLength: number;
  /** Less is stored than there is: some of it are holes. */
  readonly isSparse: boolean;
  /** When it was opened. */
  readonly mtimeNs: bigint;
  /** Reads as if the file had the length it was opened with. */
  readonly read: ReadAt;
  /** All bytes, in the same buffer. */
  pieces(): AsyncGenerator<Uint8Array, void, undefined>;
  /** As of `OpenImage`. */
  checkUnchanged(): string | undefined;
  close(): Promise<void>;
}

/** Opens a regular file. Anything else is refused, by name and with the reason. */
export async function openStored(path: string): Promise<StoredFile> {
  const handle = await openRegular(path);
  try {
    return await storedFile(path, handle);
  } catch (error) {
    await handle.close();
    throw error instanceof PagefoldError ? error : unreadable(path, error);
  }
}

async function openRegular(path: string): Promise<FileHandle> {
  try {
    // Looked at before it is opened: opening a device can have effects, opening a fifo can wait.
    const kind = kindOf(await stat(path));
    if (kind !== "file") throw notRegular(path, kind);
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (error) {
    throw error instanceof PagefoldError ? error : unreadable(path, error);
  }
}

/** An open file; `path` is what it is called. */
export async function storedFile(path: string, handle: FileHandle): Promise<StoredFile> {
  const stats = await handle.stat({ bigint: true });
  const kind = kindOf(stats);
  if (kind !== "file") throw notRegular(path, kind);
  const { fd } = handle;
  const byteLength = Number(stats.size);
  const { mtimeNs } = stats;
  const readAt: ReadAt = (byteOffset, into) =>
    readInside(fd, byteLength, byteOffset, into).catch((error) => {
      throw unreadable(path, error);
    });
  return {
    path,
    fd,
    byteLength,
    isSparse: Number(stats.blocks) * BLOCK_BYTES < byteLength,
    mtimeNs,
    read: readAt,
    pieces: () => piecesOf(path, readAt, byteLength),
    checkUnchanged: () => compareStat(path, fd, byteLength, mtimeNs),
    close: () => handle.close(),
  };
}

async function* piecesOf(path: string, readAt: ReadAt, byteLength: number) {
  const piece = new Uint8Array(Math.min(PIECE_BYTES, byteLength));
  for (let at = 0; at < byteLength; ) {
    const there = await readAt(at, piece);
    if (there === 0) throw new PagefoldError("CHANGED", `${path}: ends at byte ${at}`);
    yield piece.subarray(0, there);
    at += there;
  }
}

async function readInside(fd: number, byteLength: number, byteOffset: number, into: Uint8Array) {
  const wanted = Math.min(into.length, byteLength - byteOffset);
  let there = 0;
  while (there < wanted) {
    const { bytesRead } = await readFd(fd, into, there, wanted - there, byteOffset + there);
    if (bytesRead === 0) break;
    there += bytesRead;
  }
  return there;
}

function compareStat(path: string, fd: number, byteLength: number, mtimeNs: bigint) {
  const now = fstatSync(fd, { bigint: true });
  if (Number(now.size) !== byteLength) {
    const verb = Number(now.size) < byteLength ? "shrank" : "grew";
    const sizes = `from ${byteLength} to ${now.size} bytes`;
    throw new PagefoldError("CHANGED", `${path}: ${verb} ${sizes} while it was read`);
  }
  return now.mtimeNs === mtimeNs ? undefined : `${path}: was written to while it was read`;
}

interface FileKind {
  isFile(): boolean;
  isDirectory(): boolean;
  isFIFO(): boolean;
  isSocket(): boolean;
}

function kindOf(stats: FileKind): string {
  if (stats.isFile()) return "file";
  if (stats.isDirectory()) return "directory";
  if (stats.isFIFO()) return "fifo";
  return stats.isSocket() ? "socket" : "device";
}

function notRegular(path: string, kind: string): PagefoldError {
  return new PagefoldError("INPUT", `${path}: is a ${kind}, not a regular file`);
}

function unreadable(path: string, error: unknown): PagefoldError {
  return new PagefoldError("INPUT", `${path}: ${reasonOf(error)}`, { cause: error });
}
