// Opens an archive for reading, lazily and in the calling thread: list, cat and random access. The
// engine's pool is not needed and not known here.
import type { Archive, ArchivedImage, RandomAccess, SealedOptions, VerifyOptions } from "../api.ts";
import { PagefoldError } from "../core/errors.ts";
import type { SealKey } from "../core/seal.ts";
import { openFileAccess } from "./bytesource.ts";
import { ClusterReader } from "./content.ts";
import { openDecodeMemory } from "./decodememory.ts";
import { describeImage, openImage } from "./image.ts";
import type { DirectoryIndex } from "./index.ts";
import { openIndex } from "./openindex.ts";
import { measureUsage } from "./usage.ts";
import { verifyArchive } from "./verify.ts";

/** How to open an archive. */
export interface OpenArchiveOptions extends SealedOptions {
  /** Ends the opening, not what is read later. */
  signal?: AbortSignal;
  /** The kernels: bytes or a file URL, for bundlers. Default: shipped with the package. */
  wasm?: Uint8Array | URL;
}

/**
 * Opens an archive: a file, or anything with positioned reads. FORMAT when it is none, DAMAGED when
 * it is truncated or its directory cannot be read, KEY.
 */
export async function openArchive(
  from: string | RandomAccess,
  options: OpenArchiveOptions = {},
): Promise<Archive> {
  const file = typeof from === "string" ? await openFileAccess(from) : undefined;
  const access = file ?? (from as RandomAccess);
  const name = file?.path ?? "archive";
  const close = async () => file?.close();
  try {
    const { key, wasm, signal } = options;
    const { index } = await openIndex(access, name, signal, key);
    return archiveOver(access, name, index, { key, wasm }, close);
  } catch (error) {
    await close();
    throw error;
  }
}

function archiveOver(
  access: RandomAccess,
  name: string,
  index: DirectoryIndex,
  { key, wasm }: { key: SealKey | undefined; wasm: Uint8Array | URL | undefined },
  release: () => Promise<void>,
): Archive {
  const { generation, committedLength } = index.state;
  const clusters = new ClusterReader(access, index, openDecodeMemory(wasm));
  const numbers = new Map(index.images.map(({ head }, number) => [head.name, number]));
  let closed: Promise<void> | undefined;
  const close = () => {
    closed ??= release();
    return closed;
  };
  const image = (wanted: string): ArchivedImage => {
    const number = numbers.get(wanted);
    if (number === undefined) {
      throw new PagefoldError("RANGE", `${name}: there is no image ${JSON.stringify(wanted)}`);
    }
    return openImage(index, clusters, number);
  };
  return {
    images: index.images.map(describeImage),
    generation,
    byteLength: committedLength,
    image,
    verify: (options: VerifyOptions = {}) => verifyArchive(access, name, { key, ...options }, wasm),
    usage: (signal) => measureUsage(index, clusters, signal),
    close,
    [Symbol.asyncDispose]: close,
  };
}
