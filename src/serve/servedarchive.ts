// An archive that is open for serving: its file, its base, the workers' view of it, and the images
// that are given out. What happens to the archive's name meanwhile does not matter: the file that
// was opened is read.

import type { BaseInput, SealedOptions } from "../api.ts";
import { type OpenBase, openBaseFor } from "../archive/basefile.ts";
import { openFileAccess } from "../archive/bytesource.ts";
import { openIndex } from "../archive/openindex.ts";
import { PooledPages } from "../archive/pooledpages.ts";
import { selectImages } from "../archive/unpack.ts";
import type { EngineResources } from "../pipeline/resources.ts";
import { Blocks } from "./blocks.ts";
import { ServedImage } from "./servedimage.ts";

export interface ServedArchiveOptions extends SealedOptions {
  /** Images that are served; default: all. */
  readonly names?: readonly string[] | undefined;
  /** The base, for images that were made against one. */
  readonly base?: BaseInput | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ServedArchive {
  readonly path: string;
  /** By name, in the order of the archive. */
  readonly images: ReadonlyMap<string, ServedImage>;
  close(): Promise<void>;
}

/** RANGE for a name that is not there; BASE for a base that is missing or another one. */
export async function openServedArchive(
  resources: EngineResources,
  path: string,
  { names, base: input, key, signal }: ServedArchiveOptions,
): Promise<ServedArchive> {
  const access = await openFileAccess(path);
  let base: OpenBase | undefined;
  let pages: PooledPages | undefined;
  const close = async (): Promise<void> => {
    await pages?.close();
    await base?.file.close();
    await access.close();
  };
  try {
    const { index } = await openIndex(access, path, signal, key);
    const numbers = [...new Set(selectImages(index, path, names))];
    const heads = numbers.map((number) => index.images[number].head);
    base = await openBaseFor(resources, heads, { base: input, signal });
    pages = await PooledPages.open(resources, access.fd, index, base, signal);
    const blocks = new Blocks(pages);
    const images = new Map(
      numbers.map((number) => {
        const image = new ServedImage(index, number, blocks);
        return [image.name, image] as const;
      }),
    );
    return { path, images, close };
  } catch (error) {
    await close();
    throw error;
  }
}
