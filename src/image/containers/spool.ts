// Content that comes forwards as a file that can be read in any order: a temporary one for its
// owner alone, which has no name any more when it is used. Only the disk limits its size.
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { orAbort } from "../../core/abort.ts";
import { PagefoldError, reasonOf } from "../../core/errors.ts";
import { SparseFile } from "../sparsefile.ts";
import { type StoredFile, storedFile } from "../storedfile.ts";

/** All of `content`; `name` is what the file is called from then on. */
export async function spool(
  content: AsyncIterable<Uint8Array>,
  name: string,
  signal?: AbortSignal,
): Promise<StoredFile> {
  const directory = await mkdtemp(join(tmpdir(), "pagefold-image-")).catch((error) => {
    throw noRoom(name, 0, error);
  });
  const path = join(directory, "image");
  try {
    const file = await SparseFile.create(path);
    let byteLength = 0;
    try {
      for await (const piece of content) {
        signal?.throwIfAborted();
        await file.write(byteLength, piece).catch((error) => {
          throw noRoom(name, byteLength, error);
        });
        byteLength += piece.length;
      }
      await file.commit(byteLength).catch((error) => {
        throw noRoom(name, byteLength, error);
      });
    } finally {
      await file.discard();
    }
    const handle = await orAbort(open(path), signal);
    return await storedFile(name, handle);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function noRoom(name: string, byteLength: number, error: unknown): PagefoldError {
  const { cause = error } = error as Error;
  const reason = `${reasonOf(cause)} after ${byteLength} bytes of ${name}`;
  return new PagefoldError("OUTPUT", `${tmpdir()}: ${reason} (TMPDIR names another place)`, {
    cause,
  });
}
