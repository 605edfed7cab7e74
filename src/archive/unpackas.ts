// Unpacks images in another format. They are unpacked into a folder beside their places, as they
// were, and checked; then each is converted into its file, which appears complete or not at all.
import { link, mkdir, mkdtemp, rename, rm, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { UnpackOptions, UnpackReport } from "../api.ts";
import { PagefoldError, reasonOf } from "../core/errors.ts";
import { imageFormat, type MemoryFormat, writeMemory } from "../image/convert/convert.ts";
import { memoryOf } from "../image/convert/memoryfile.ts";
import { resolveInside } from "../image/names.ts";
import { SparseFile } from "../image/sparsefile.ts";
import { openStored } from "../image/storedfile.ts";

type Unpacked = UnpackReport["images"][number];

/** Who is asked before an image is unpacked, and told when it was. */
export interface UnpackHook {
  /** Called with what its head says. */
  begin?(head: { readonly name: string; readonly format: string }): Promise<void>;
  /** Called where nothing more can come of the image. */
  ended?(image: Unpacked): Promise<void>;
}

/** Unpacks by `unpack` and converts what that reports. */
export async function unpackAs(
  as: MemoryFormat,
  directory: string,
  options: UnpackOptions,
  unpack: (directory: string, options: UnpackOptions & UnpackHook) => Promise<UnpackReport>,
): Promise<UnpackReport> {
  if (options.keepGoing) {
    throw new PagefoldError("USAGE", "what is damaged can be unpacked only as it was, not --as");
  }
  const began = performance.now();
  const staging = await makeStaging(directory);
  try {
    const conversion = new Conversion(as, directory, staging, options);
    const unpacked = await unpack(staging, {
      ...options,
      begin: (head) => conversion.begin(head),
      ended: (image) => conversion.convert(image),
    });
    // A stream may say more of its images to its end.
    for (const image of unpacked.images) await conversion.convert(image);
    const images = unpacked.images.map(({ name }) => conversion.images.get(name) as Unpacked);
    const writtenBytes = unpacked.writtenBytes + conversion.writtenBytes;
    return { ...unpacked, images, writtenBytes, elapsedMs: performance.now() - began };
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** In the directory, so that what need not be converted can be moved to its place. */
async function makeStaging(directory: string): Promise<string> {
  try {
    await mkdir(directory, { recursive: true });
    return await mkdtemp(join(directory, ".unpacked-"));
  } catch (error) {
    throw new PagefoldError("OUTPUT", `${directory}: ${reasonOf(error)}`, { cause: error });
  }
}

class Conversion {
  /** By name: those that have their place. */
  readonly images = new Map<string, Unpacked>();
  writtenBytes = 0;
  private readonly as: MemoryFormat;
  private readonly directory: string;
  private readonly staging: string;
  private readonly options: UnpackOptions;
  /** Names of images by the path that their memory goes to. */
  private readonly owners = new Map<string, string>();

  constructor(as: MemoryFormat, directory: string, staging: string, options: UnpackOptions) {
    this.as = as;
    this.directory = directory;
    this.staging = staging;
    this.options = options;
  }

  /** Refuses what could not be written in the end, before the work is done. */
  async begin(head: { readonly name: string; readonly format: string }): Promise<void> {
    const path = await resolveInside(this.directory, this.nameOf(head));
    const other = this.owners.get(path);
    if (other !== undefined && other !== head.name) {
      throw new PagefoldError("USAGE", `${path}: both ${other} and ${head.name} would go there`);
    }
    this.owners.set(path, head.name);
    await makeParent(path);
    // Says why, if it must not be created; what is unpacked takes longer.
    const probe = await SparseFile.create(path, { force: this.options.force ?? false });
    await probe.discard();
  }

  /** Gives an unpacked image its place, converted where it is of another format. */
  async convert(image: Unpacked): Promise<void> {
    const { as, options } = this;
    if (this.images.has(image.name)) return;
    const path = await resolveInside(this.directory, this.nameOf(image));
    const { mtimeMs } = await stat(image.path);
    if (image.format === imageFormat(as)) {
      await move(image.path, path, options.force ?? false);
      this.images.set(image.name, { ...image, path });
      return;
    }
    const file = await SparseFile.create(path, { force: options.force ?? false });
    try {
      const byteLength = await this.write(image, file);
      await file.commit(byteLength, mtimeMs);
      // Of what is unpacked, one image less takes room.
      await unlink(image.path);
      this.images.set(image.name, { ...image, format: imageFormat(as), path, byteLength });
      this.writtenBytes += file.storedBytes;
    } finally {
      await file.discard();
    }
  }

  private async write(image: Unpacked, file: SparseFile): Promise<number> {
    const { name, format } = image;
    const options = { name, signal: this.options.signal };
    const stored = await openStored(image.path);
    let pages: SparseFile | undefined;
    try {
      const spool = async (): Promise<SparseFile> => {
        pages = await SparseFile.create(join(this.staging, ".pages"));
        return pages;
      };
      const view = await memoryOf(stored, format, spool, options);
      return await writeMemory(view, this.as, file, options);
    } finally {
      await stored.close();
      await pages?.discard();
    }
  }

  /** What is of the format already keeps its name; others get the format's behind theirs. */
  private nameOf({ name, format }: { readonly name: string; readonly format: string }): string {
    return format === imageFormat(this.as) ? name : `${name}.${this.as}`;
  }
}

async function makeParent(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true }).catch((error) => {
    throw new PagefoldError("OUTPUT", `${dirname(path)}: ${reasonOf(error)}`, { cause: error });
  });
}

/** As a file gets its name when it is unpacked: without `force`, it replaces nothing. */
async function move(from: string, path: string, force: boolean): Promise<void> {
  try {
    if (force) return await rename(from, path);
    await link(from, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "EEXIST") throw error;
      // This file system has no links.
      return rename(from, path);
    });
  } catch (error) {
    throw new PagefoldError("OUTPUT", `${path}: ${reasonOf(error)}`, { cause: error });
  }
}
