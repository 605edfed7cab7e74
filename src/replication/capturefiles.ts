// The files in which a guest's RAM lies, shared with its QEMU: which there are, and the content of
// them, copied while the guest stands still.
import { type FileHandle, open, stat } from "node:fs/promises";
import { PagefoldError, reasonOf } from "../core/errors.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { createMemory } from "../kernels/load.ts";
import type { Qmp } from "../qemu/qmp.ts";

/** Files are copied into pieces of this size, several of which share a linear memory. */
const PIECE_BYTES = 64 << 20;
const MEMORY_BYTES = 1 << 30;
/** Reads that are under way at a time: the system copies on as many processors. */
const READERS = 2;

/** A backend of memory that is a file, shared with others. */
export interface SharedFile {
  /** How the stream may name its block. */
  readonly blockNames: readonly string[];
  readonly path: string;
  readonly byteLength: number;
}

interface MemdevAnswer {
  id?: string;
  size: number;
  share?: boolean;
}

/** The files of the guest's RAM; rejects with USAGE and the reason if there are none. */
export async function sharedFilesOf(qmp: Qmp): Promise<SharedFile[]> {
  const backends = await qmp.execute<MemdevAnswer[]>("query-memdev");
  const files: SharedFile[] = [];
  const others: string[] = [];
  for (const { id = "", size, share } of backends) {
    const property = (name: string): Promise<unknown> =>
      qmp.execute("qom-get", { path: `/objects/${id}`, property: name });
    const type = `${await property("type")}`;
    if (!share) {
      others.push(`${id} is a ${type} with share=off`);
    } else if (type !== "memory-backend-file") {
      // With x-ignore-shared QEMU leaves it out of the stream, and nobody would have it.
      refuse(`${id} is a ${type}, which has no file that could be read`);
    } else {
      const path = `${await property("mem-path")}`;
      files.push({ blockNames: [id, `/objects/${id}`], path, byteLength: size });
      await checkFile(path, size);
    }
  }
  if (files.length === 0) refuse(others.join(", ") || "it has no memory backend");
  return files;
}

async function checkFile(path: string, byteLength: number): Promise<void> {
  const found = await stat(path).catch((error) => refuse(`${path}: ${reasonOf(error)}`));
  if (!found.isFile()) refuse(`${path} is no file: QEMU has taken the name of its own away`);
  if (found.size < byteLength) refuse(`${path} has ${found.size} bytes, its memory ${byteLength}`);
}

function refuse(reason: string): never {
  throw new PagefoldError(
    "USAGE",
    `the guest cannot be captured from shared memory: ${reason}: it needs a memory-backend-file ` +
      "with share=on; or capture it by snapshot",
  );
}

/** The content of one file at one moment, in memory of its own that is used again. */
export class FileCopy {
  readonly file: SharedFile;
  private readonly handle: FileHandle;
  private readonly pieces: Uint8Array[] = [];

  static async open(file: SharedFile): Promise<FileCopy> {
    return new FileCopy(file, await open(file.path, "r"));
  }

  private constructor(file: SharedFile, handle: FileHandle) {
    this.file = file;
    this.handle = handle;
    // Taken and touched here, because the guest waits while they are filled. Linear memory begins
    // at a page of the system: large arrays do not, and to those it copies at a third of the speed.
    for (let left = file.byteLength; left > 0; left -= MEMORY_BYTES) {
      const byteLength = Math.min(left, MEMORY_BYTES);
      const bytes = new Uint8Array(createMemory(byteLength).buffer, 0, byteLength);
      for (let at = 0; at < byteLength; at += PAGE_BYTES) bytes[at] = 1;
      for (let at = 0; at < byteLength; at += PIECE_BYTES) {
        this.pieces.push(bytes.subarray(at, at + PIECE_BYTES));
      }
    }
  }

  /** Reads the whole file. */
  async take(): Promise<void> {
    const next = this.pieces.entries();
    const reader = async (): Promise<void> => {
      for (const [i, piece] of next) await this.fill(piece, i * PIECE_BYTES);
    };
    await Promise.all(Array.from({ length: READERS }, reader));
  }

  /** What was read, piece by piece. */
  content(): readonly Uint8Array[] {
    return this.pieces;
  }

  close(): Promise<void> {
    return this.handle.close();
  }

  private async fill(piece: Uint8Array, from: number): Promise<void> {
    for (let at = 0; at < piece.length; ) {
      const { bytesRead } = await this.handle.read(piece, at, piece.length - at, from + at);
      if (bytesRead === 0) throw new PagefoldError("INPUT", `${this.file.path}: ended too early`);
      at += bytesRead;
    }
  }
}
