// What is inside of an image that zstd has compressed, told from its beginning: a core, if its
// headers stand there, or raw memory. The content itself is read by others.
import { open, stat } from "node:fs/promises";
import { PagefoldError } from "../core/errors.ts";
import type { Segment } from "../core/extent.ts";
import { ZSTD_MAGIC_BYTES, zstdMagic } from "../core/zstdframe.ts";
import { ELF_HEADER_BYTES, isElfCore, readElfCore } from "./elfcore.ts";
import type { ReadAt } from "./layout.ts";
import type { ZstdOptions, ZstdReader } from "./zstd.ts";

/** Room for the headers of as many mappings as a process may have by default (65 530). */
const PREFIX_BYTES = 4 << 20;

/** True if the bytes begin a Zstandard frame, or a skippable one. */
export async function isCompressed(readAt: ReadAt): Promise<boolean> {
  const magic = new Uint8Array(ZSTD_MAGIC_BYTES);
  const there = await readAt(0, magic);
  return zstdMagic(magic.subarray(0, there)) !== "other";
}

/** Those of `paths` that zstd has compressed; what cannot be read is not compressed. */
export async function compressedPaths(paths: readonly string[]): Promise<Set<string>> {
  const found = new Set<string>();
  for (const path of paths) if (await isCompressedFile(path)) found.add(path);
  return found;
}

async function isCompressedFile(path: string): Promise<boolean> {
  // Opening anything else could wait, or have effects.
  const stats = await stat(path).catch(() => undefined);
  if (!stats?.isFile()) return false;
  const handle = await open(path).catch(() => undefined);
  try {
    const readAt: ReadAt = async (at, into) =>
      (await handle?.read(into, 0, into.length, at))?.bytesRead ?? 0;
    return await isCompressed(readAt);
  } catch {
    return false;
  } finally {
    await handle?.close();
  }
}

/**
 * Length and segments of the core in `stored`, which gives the compressed bytes anew with each
 * call; undefined when there is something else in it.
 */
export async function compressedLayout(
  stored: () => AsyncIterable<Uint8Array>,
  zstd: ZstdReader,
  options: ZstdOptions,
): Promise<{ byteLength: number; segments: readonly Segment[] } | undefined> {
  const prefix = await corePrefix(zstd.read(stored(), options));
  if (prefix === undefined) return undefined;
  const { name } = options;
  // A core ends where its memory ends; its headers do not say how long it is.
  const byteLength = await zstd.contentBytes(stored(), options);
  if (!Number.isSafeInteger(byteLength)) {
    throw new PagefoldError("DAMAGED", `${name}: claims to hold ${byteLength} bytes`);
  }
  const readPrefix: ReadAt = async (byteOffset, into) => {
    const there = Math.max(0, Math.min(into.length, byteLength - byteOffset));
    if (byteOffset + there > prefix.length && there > 0) {
      const reason = `the core in it has headers at byte ${byteOffset}`;
      const advice = `behind its first ${PREFIX_BYTES}: decompress it first (zstd -d)`;
      throw new PagefoldError("INPUT", `${name}: ${reason}, ${advice}`);
    }
    into.set(prefix.subarray(byteOffset, byteOffset + there));
    return there;
  };
  const core = await readElfCore(readPrefix, byteLength);
  return core && { byteLength, segments: core.segments };
}

/** The first PREFIX_BYTES of a core; undefined, after as few bytes as that takes, if it is none. */
async function corePrefix(content: AsyncIterable<Uint8Array>): Promise<Uint8Array | undefined> {
  const prefix = new Uint8Array(PREFIX_BYTES);
  let filled = 0;
  for await (const piece of content) {
    const part = piece.subarray(0, PREFIX_BYTES - filled);
    prefix.set(part, filled);
    filled += part.length;
    if (filled < ELF_HEADER_BYTES) continue;
    if (!isElfCore(new DataView(prefix.buffer))) return undefined;
    if (filled === PREFIX_BYTES) break;
  }
  return filled < ELF_HEADER_BYTES ? undefined : prefix.subarray(0, filled);
}
