// A compressed image as a file that can be read in any order, for whoever needs it as a base: its
// content goes into a temporary file that has no name any more when it is used.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openImage, openImageFile } from "./open.ts";
import type { ForwardImage, ImageFile } from "./opened.ts";
import { SparseFile } from "./sparsefile.ts";
import { ZstdReader } from "./zstd.ts";

/** Opens an image; its `path` is the one given, wherever its bytes are. */
export async function openAnyOrder(
  path: string,
  options: { signal?: AbortSignal | undefined; wasm?: Uint8Array | URL | undefined } = {},
): Promise<ImageFile> {
  const { signal, wasm } = options;
  const image = await openImage(path, new ZstdReader(wasm), signal);
  if (image.fd !== undefined) return image;
  try {
    const file = await decompress(image, signal);
    return { ...file, path };
  } finally {
    await image.close();
  }
}

async function decompress(
  image: ForwardImage,
  signal: AbortSignal | undefined,
): Promise<ImageFile> {
  const directory = await mkdtemp(join(tmpdir(), "pagefold-image-"));
  const path = join(directory, "image");
  try {
    const file = await SparseFile.create(path);
    try {
      let byteLength = 0;
      for await (const piece of image.content(signal)) {
        await file.write(byteLength, piece);
        byteLength += piece.length;
      }
      image.checkUnchanged();
      await file.commit(byteLength);
    } finally {
      await file.discard();
    }
    return await openImageFile(path);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
