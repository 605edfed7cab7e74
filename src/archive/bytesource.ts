// The bytes of an archive: a file behind `RandomAccess`, complete reads of anything that is behind
// it, and a window that turns walking forwards into few large reads. It knows nothing of content.
import { constants, read } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { promisify } from "node:util";
import type { RandomAccess } from "../api.ts";
import { PagefoldError, reasonOf } from "../core/errors.ts";

const readFd = promisify(read);

/** A file opened for reading. */
export interface FileAccess extends RandomAccess {
  readonly path: string;
  /** A file descriptor of the process, so worker threads may use it. */
  readonly fd: number;
  close(): Promise<void>;
}

/** Opens a regular file; its size is the one it has now. */
export async function openFileAccess(path: string): Promise<FileAccess> {
  let handle: FileHandle | undefined;
  try {
    // Looked at before it is opened: opening a device can have effects, opening a fifo can wait.
    const { size } = regular(path, await stat(path));
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    regular(path, await handle.stat());
    const opened = handle;
    return {
      path,
      fd: opened.fd,
      size,
      read: (offset, into, signal) => readFile(path, opened.fd, offset, into, signal),
      close: () => opened.close(),
    };
  } catch (error) {
    await handle?.close();
    throw error instanceof PagefoldError ? error : unreadable(path, error);
  }
}

function regular<T extends { isFile(): boolean }>(path: string, stats: T): T {
  if (!stats.isFile()) throw new PagefoldError("INPUT", `${path}: is not a regular file`);
  return stats;
}

async function readFile(
  path: string,
  fd: number,
  offset: number,
  into: Uint8Array,
  signal?: AbortSignal,
): Promise<number> {
  signal?.throwIfAborted();
  try {
    const { bytesRead } = await readFd(fd, into, 0, into.length, offset);
    return bytesRead;
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): PagefoldError {
  return new PagefoldError("INPUT", `${path}: ${reasonOf(error)}`, { cause: error });
}

/** All of [offset, offset + byteLength); INPUT, naming `what`, when there is less. */
export async function readRange(
  access: RandomAccess,
  offset: number,
  byteLength: number,
  what: string,
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  signal?.throwIfAborted();
  const bytes = new Uint8Array(byteLength);
  let there = 0;
  while (there < byteLength) {
    const got = await access.read(offset + there, bytes.subarray(there), signal);
    if (got === 0) {
      const reason = `${there} of ${byteLength} bytes at offset ${offset}`;
      throw new PagefoldError("INPUT", `${what}: ${reason} could be read`);
    }
    there += got;
  }
  return bytes;
}

/** Bytes of an archive that are held in memory. */
export class ByteWindow {
  readonly offset: number;
  readonly bytes: Uint8Array;

  constructor(offset: number, bytes: Uint8Array) {
    this.offset = offset;
    this.bytes = bytes;
  }

  /** A view of the range if all of it is held. */
  find(offset: number, byteLength: number): Uint8Array | undefined {
    const start = offset - this.offset;
    if (start < 0 || start + byteLength > this.bytes.length) return undefined;
    return this.bytes.subarray(start, start + byteLength);
  }
}

/** Reads ahead of somebody who goes forwards through bytes [0, end). */
export class ReadAhead {
  private readonly access: RandomAccess;
  private readonly end: number;
  private readonly windowBytes: number;
  private readonly signal: AbortSignal | undefined;
  private window = new ByteWindow(0, new Uint8Array(0));

  constructor(
    access: RandomAccess,
    end: number,
    windowBytes: number,
    signal: AbortSignal | undefined,
  ) {
    this.access = access;
    this.end = end;
    this.windowBytes = windowBytes;
    this.signal = signal;
  }

  /** A view of the range, which lies before the end; it stays valid. */
  async bytes(offset: number, byteLength: number): Promise<Uint8Array> {
    const held = this.window.find(offset, byteLength);
    if (held) return held;
    const length = Math.min(Math.max(byteLength, this.windowBytes), this.end - offset);
    const bytes = await readRange(this.access, offset, length, "archive", this.signal);
    this.window = new ByteWindow(offset, bytes);
    return bytes.subarray(0, byteLength);
  }
}
