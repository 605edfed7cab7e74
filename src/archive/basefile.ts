// The base image as a file that workers can read. An image of another archive becomes one: it is
// unpacked into a temporary file that has no name any more when it is used.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BaseInput } from "../api.ts";
import { PagefoldError } from "../core/errors.ts";
import { FrameMap } from "../core/extent.ts";
import { openAnyOrder } from "../image/decompress.ts";
import { openImageFile } from "../image/open.ts";
import type { ImageFile } from "../image/opened.ts";
import { IMAGE_CHECKSUM_SCRATCH_BYTES, ImageChecksum } from "../pipeline/imagechecksum.ts";
import { type EngineResources, slabCount } from "../pipeline/resources.ts";
import { SlabPool } from "../pipeline/slabs.ts";
import { slabFingerprints, surveyInOrder } from "../pipeline/surveyed.ts";
import type { ImageHead } from "../wire/imagehead.ts";
import { unpackArchive } from "./unpack.ts";

/** An open base and the name that archives made against it remember. */
export interface OpenBase {
  readonly name: string;
  readonly file: ImageFile;
}

interface BaseOptions {
  signal?: AbortSignal | undefined;
  /** The kernels, for bundlers. */
  wasm?: Uint8Array | URL | undefined;
}

/** Opens a base without asking which one it is. */
export async function openBaseFile(
  resources: EngineResources,
  input: BaseInput,
  { signal, wasm }: BaseOptions,
): Promise<OpenBase> {
  if ("path" in input) {
    return { name: input.path, file: await openAnyOrder(input.path, { signal, wasm }) };
  }
  const { archive, name, key } = input;
  const directory = await mkdtemp(join(tmpdir(), "pagefold-base-"));
  try {
    const { images } = await unpackArchive(resources, archive, directory, {
      names: [name],
      key,
      signal,
      asContent: true,
    });
    return { name: `${archive}::${name}`, file: await openImageFile(images[0].path) };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/**
 * Opens the base that images with these heads need, if any does. Throws BASE, naming both, when
 * there is none or it is not the one they were made against; nothing has been written by then.
 */
export async function openBaseFor(
  resources: EngineResources,
  heads: readonly ImageHead[],
  options: BaseOptions & { base?: BaseInput | undefined },
): Promise<OpenBase | undefined> {
  const based = heads.filter((head) => head.base !== undefined);
  if (based.length === 0) return undefined;
  if (!options.base) {
    const reason = `was made against ${based[0].base?.name}, which is needed (--base)`;
    throw new PagefoldError("BASE", `${based[0].name}: ${reason}`);
  }
  const base = await openBaseFile(resources, options.base, options);
  try {
    const checksum = await checksumOf(resources, base.file, options.signal);
    for (const head of based) checkBase(base, checksum, head);
    return base;
  } catch (error) {
    await base.file.close();
    throw error;
  }
}

function checkBase(base: OpenBase, checksum: Uint8Array, head: ImageHead): void {
  const wanted = head.base as NonNullable<ImageHead["base"]>;
  const fail = (reason: string): never => {
    const text = `${head.name} was made against ${wanted.name}`;
    throw new PagefoldError("BASE", `${base.name}: is another image: ${text}, ${reason}`);
  };
  const { byteLength } = base.file;
  if (byteLength !== wanted.byteLength) fail(`${wanted.byteLength} bytes, not ${byteLength}`);
  if (!Buffer.from(checksum).equals(wanted.checksum)) fail("with another checksum");
}

/** The image checksum of a file, by all workers. */
async function checksumOf(
  resources: EngineResources,
  file: ImageFile,
  signal: AbortSignal | undefined,
): Promise<Uint8Array<ArrayBuffer>> {
  const { arena, kernels, memory, pool } = resources;
  const { slabs, scratch } = arena.allOrNothing(() => ({
    slabs: new SlabPool(arena, slabCount(pool.threads)),
    scratch: arena.reserve(IMAGE_CHECKSUM_SCRATCH_BYTES, "image checksum"),
  }));
  try {
    const checksum = new ImageChecksum(kernels, memory, scratch.ptr);
    const map = new FrameMap(file.segments);
    const surveyed = { name: file.path, fd: file.fd, map };
    const visit = (slabPtr: number, _frame: number, count: number): void =>
      checksum.add(slabFingerprints(arena, slabPtr, count));
    await surveyInOrder({ arena, pool, slabs }, surveyed, visit, signal);
    return checksum.finish(file.byteLength, map.frameCount);
  } finally {
    slabs.close();
    arena.release(scratch);
  }
}
