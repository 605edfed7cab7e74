// Which images paths stand for, and what these are called in an archive: a file is one, and a
// folder that CRIU has written is all the files in it.
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { compressedPaths } from "./containers/compressed.ts";
import { type CriuFolder, readCriuFolder } from "./criu.ts";
import { imageNames } from "./names.ts";

/** An image by its path. */
export interface ImagePath {
  /** What it is called in the archive: relative, with `/` between parts. */
  readonly name: string;
  /** A regular file. */
  readonly path: string;
  /** False: it is taken as it is, whatever is asked for the others. */
  readonly decompress?: boolean | undefined;
}

/** A folder of CRIU images. */
export interface ImageFolder extends Omit<CriuFolder, "files"> {
  /** In the archive its files have this before their names. */
  readonly name: string;
  readonly path: string;
}

/** What is at `paths`; INPUT for a folder that CRIU has not written. */
export async function imagesAt(
  paths: readonly string[],
  { decompress = true }: { decompress?: boolean | undefined } = {},
): Promise<{ images: ImagePath[]; folders: ImageFolder[] }> {
  const found = new Map<string, CriuFolder>();
  for (const path of paths) if (await isFolder(path)) found.set(path, await readCriuFolder(path));
  const files = paths.filter((path) => !found.has(path));
  const compressed = decompress ? await compressedPaths(files) : undefined;
  const names = imageNames(paths, compressed);
  const folders: ImageFolder[] = [];
  const images = paths.flatMap((path, i): ImagePath[] => {
    const folder = found.get(path);
    const name = names[i];
    if (!folder) return [{ name, path }];
    const { processCount, pageCount } = folder;
    folders.push({ name, path, processCount, pageCount });
    // CRIU has archives of its own among them, which it wants back as they are.
    return folder.files.map((file) => {
      return { name: `${name}/${file}`, path: join(path, file), decompress: false };
    });
  });
  return { images, folders };
}

async function isFolder(path: string): Promise<boolean> {
  const stats = await stat(path).catch(() => undefined);
  return stats?.isDirectory() ?? false;
}
