// Opens an image file: what kind it is (by its bytes, never by its name), its segments, and whether
// it stayed the same while it was read. Page bytes are read by others: through `fd`, or, where zstd
// has compressed the file, forwards from its beginning.
import { constants, fstatSync, read } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { promisify } from "node:util";
import { PagefoldError, reasonOf } from "../core/errors.ts";
import { compressedLayout, isCompressed } from "./compressed.ts";
import { readElfCore } from "./elfcore.ts";
import { type MemoryLayout, type ReadAt, unstructured } from "./layout.ts";
import { readLime } from "./lime.ts";
import { type ForwardImage, type ImageFile, type ImageFormat, observed } from "./opened.ts";
import type { ZstdReader } from "./zstd.ts";

/** Bytes of a compressed file that are read at a time. */
const PIECE_BYTES = 1 << 18;
const readFd = promisify(read);

/** Opens a regular file. Anything else is refused, by name and with the reason. */
export async function openImageFile(path: string): Promise<ImageFile> {
  return openAs(path, describe);
}

/** The same, and looks into what `zstd` can decompress. */
export async function openImage(
  path: string,
  zstd: ZstdReader,
  signal?: AbortSignal,
): Promise<ImageFile | ForwardImage> {
  return openAs(path, async (_, handle) => {
    const stats = await statRegular(path, handle);
    const readAt = readerOf(handle.fd, Number(stats.size));
    if (!(await isCompressed(readAt))) return describe(path, handle);
    return describeCompressed(path, handle, zstd, signal);
  });
}

async function openAs<T>(
  path: string,
  describeAs: (path: string, handle: FileHandle) => Promise<T>,
): Promise<T> {
  const handle = await openRegular(path);
  try {
    return await describeAs(path, handle);
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

async function statRegular(path: string, handle: FileHandle) {
  const stats = await handle.stat({ bigint: true });
  const kind = kindOf(stats);
  if (kind !== "file") throw notRegular(path, kind);
  return stats;
}

async function describe(path: string, handle: FileHandle): Promise<ImageFile> {
  const { size, mtimeNs } = await statRegular(path, handle);
  const byteLength = Number(size);
  return {
    path,
    fd: handle.fd,
    byteLength,
    mtimeNs,
    ...(await layoutOf(readerOf(handle.fd, byteLength), byteLength)),
    checkUnchanged: () => compareStat(path, handle.fd, byteLength, mtimeNs),
    close: () => handle.close(),
  };
}

/** What kind of file it is, by its bytes. */
async function layoutOf(
  read: ReadAt,
  byteLength: number,
): Promise<MemoryLayout & { format: ImageFormat }> {
  const core = await readElfCore(read, byteLength);
  if (core) return { format: "elf-core", ...core };
  const lime = await readLime(read, byteLength);
  if (lime) return { format: "lime", ...lime };
  return { format: "raw", ...unstructured(byteLength) };
}

async function describeCompressed(
  path: string,
  handle: FileHandle,
  zstd: ZstdReader,
  signal: AbortSignal | undefined,
): Promise<ForwardImage> {
  const { size, mtimeNs } = await statRegular(path, handle);
  const storedBytes = Number(size);
  const stored = () => piecesOf(path, readerOf(handle.fd, storedBytes), storedBytes);
  const core = await compressedLayout(stored, zstd, { name: path, signal });
  return {
    path,
    fd: undefined,
    mtimeNs,
    format: core === undefined ? "raw" : "elf-core",
    byteLength: core?.byteLength,
    segments: core?.segments,
    decompressed: "zstd",
    woven: undefined,
    content: (readSignal, observer) =>
      observed(zstd.read(stored(), { name: path, signal: readSignal }), observer),
    checkUnchanged: () => compareStat(path, handle.fd, storedBytes, mtimeNs),
    close: () => handle.close(),
  };
}

/** All bytes of a file, in the same buffer. */
async function* piecesOf(path: string, readAt: ReadAt, byteLength: number) {
  const piece = new Uint8Array(Math.min(PIECE_BYTES, byteLength));
  for (let at = 0; at < byteLength; ) {
    const there = await readAt(at, piece).catch((error) => {
      throw unreadable(path, error);
    });
    if (there === 0) throw new PagefoldError("CHANGED", `${path}: ends at byte ${at}`);
    yield piece.subarray(0, there);
    at += there;
  }
}

/** Reads as if the file had the length it was opened with. */
function readerOf(fd: number, byteLength: number): ReadAt {
  return async (byteOffset, into) => {
    const wanted = Math.min(into.length, byteLength - byteOffset);
    let there = 0;
    while (there < wanted) {
      const { bytesRead } = await readFd(fd, into, there, wanted - there, byteOffset + there);
      if (bytesRead === 0) break;
      there += bytesRead;
    }
    return there;
  };
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
