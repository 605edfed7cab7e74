// An image as a file that can be read in any order, for whoever needs it as a base: what comes
// forwards goes into a temporary file that has no name any more when it is used.
import { Containers } from "./containers/containers.ts";
import { spool } from "./containers/spool.ts";
import { openImage } from "./open.ts";
import type { ForwardImage, ImageFile } from "./opened.ts";
import { rawSegments } from "./raw.ts";

/** Opens an image; its `path` is the one given, wherever its bytes are. */
export async function openAnyOrder(
  path: string,
  options: { signal?: AbortSignal | undefined; wasm?: Uint8Array | URL | undefined } = {},
): Promise<ImageFile> {
  const { signal, wasm } = options;
  const image = await openImage(path, new Containers(wasm), signal);
  if (image.fd !== undefined) return image;
  try {
    return await inAnyOrder(image, signal);
  } finally {
    await image.close();
  }
}

async function inAnyOrder(
  image: ForwardImage,
  signal: AbortSignal | undefined,
): Promise<ImageFile> {
  const { path, format, decompressed } = image;
  const { fd, byteLength, mtimeNs, checkUnchanged, close } = await spool(
    image.content(signal),
    path,
    signal,
  );
  try {
    image.checkUnchanged();
  } catch (error) {
    await close();
    throw error;
  }
  const segments = image.segments ?? rawSegments(byteLength);
  const found = { format, segments, regions: [], decompressed };
  return { path, fd, byteLength, mtimeNs, ...found, checkUnchanged, close };
}
