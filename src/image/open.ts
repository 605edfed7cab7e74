// Opens images: what they are is told by their bytes, never by a name. A file whose memory lies in
// it is read in place; what is compressed, or is taken apart, comes forwards; and what comes
// forwards, but has to be read in any order, becomes a temporary file first.
import { type Inside, layoutInside } from "./containers/compressed.ts";
import type { Containers, Unwrapped } from "./containers/containers.ts";
import { spool } from "./containers/spool.ts";
import { refuseDiffLayer } from "./firecracker.ts";
import { formatOf } from "./formats.ts";
import { readKernelRelease } from "./kdump/vmcoreinfo.ts";
import type { Compression, ForwardImage, ImageFile } from "./opened.ts";
import { openStored, type StoredFile } from "./storedfile.ts";
import { contentOf, imageOf, inPlace } from "./storedimage.ts";

type OpenedImage = ImageFile | ForwardImage;

/** Opens a regular file as it is: not decompressed and not taken apart. */
export async function openImageFile(path: string): Promise<ImageFile> {
  return orClose(await openStored(path), inPlace);
}

/** Opens a regular file, and looks into what `containers` can read. */
export async function openImage(
  path: string,
  containers: Containers,
  signal?: AbortSignal,
): Promise<OpenedImage> {
  return orClose(await openStored(path), (stored) => imageIn(stored, containers, signal));
}

/** The image in an open file, which closing it closes. */
export async function imageIn(
  stored: StoredFile,
  containers: Containers,
  signal?: AbortSignal,
): Promise<OpenedImage> {
  const unwrapped = await containers.unwrap(stored.pieces(), { name: stored.path, signal });
  await unwrapped.bytes.return();
  if (unwrapped.containers.length > 0) return inside(stored, unwrapped, containers, signal);
  const format = formatOf(unwrapped.head);
  if (format === undefined) await refuseDiffLayer(stored);
  const image = await imageOf(stored, format, signal);
  if (image.format !== "elf-core" && image.format !== "kdump") return image;
  return { ...image, kernelRelease: await readKernelRelease(stored.read) };
}

/** What is in a file that is compressed. */
async function inside(
  stored: StoredFile,
  { containers: outside, head }: Unwrapped,
  containers: Containers,
  signal: AbortSignal | undefined,
): Promise<OpenedImage> {
  const { path, mtimeNs, checkUnchanged, close } = stored;
  const file = { path, mtimeNs, checkUnchanged, decompressed: outside[0] };
  const options = { name: path, signal };
  const inner: Inside = {
    name: path,
    content: (own) => containers.read(outside, stored.pieces(), { ...options, signal: own }),
    byteLength: () => containers.contentBytes(outside, stored.pieces(), options),
  };
  const format = formatOf(head);
  if (format === undefined || format.kind === "stream") {
    return { ...contentOf(inner.content, path, format), ...file, close };
  }
  if (format.kind === "placed" && format.ranges) {
    const layout = await layoutInside(inner, format, signal);
    const forwards = { ...contentOf(inner.content, path), ...file, close };
    if (layout) return { ...forwards, ...layout, format: format.format };
  }
  const spooled = await spool(inner.content(signal), path, signal);
  return orClose(spooled, async () => {
    stored.checkUnchanged();
    const image = await imageOf(spooled, format, signal);
    const closeBoth = async () => {
      await image.close();
      await close();
    };
    return { ...image, ...file, close: closeBoth };
  });
}

/** The bytes of an image that come as a stream, which cannot be read a second time, as they are. */
export function openRawStream(
  bytes: AsyncIterable<Uint8Array>,
  { name: path, mtimeNs }: StreamOptions,
): ForwardImage {
  const close = async () => undefined;
  return { ...contentOf(() => bytes, path), ...stream(path, mtimeNs), close };
}

/** The same, looking into what `containers` can read. */
export async function openStream(
  bytes: AsyncIterable<Uint8Array>,
  containers: Containers,
  options: StreamOptions,
): Promise<OpenedImage> {
  const { name: path, mtimeNs, signal } = options;
  const unwrapped = await containers.unwrap(bytes, options);
  const facts = stream(path, mtimeNs, unwrapped.containers[0]);
  const format = formatOf(unwrapped.head);
  if (format === undefined || format.kind === "stream") {
    const close = async () => void (await unwrapped.bytes.return());
    return { ...contentOf(() => unwrapped.bytes, path, format), ...facts, close };
  }
  const spooled = await spool(unwrapped.bytes, path, signal);
  return orClose(spooled, async () => {
    const image = await imageOf(spooled, format, signal);
    return { ...image, ...facts, decompressed: facts.decompressed ?? image.decompressed };
  });
}

interface StreamOptions {
  readonly name: string;
  readonly mtimeNs: bigint;
  readonly signal?: AbortSignal | undefined;
}

function stream(path: string, mtimeNs: bigint, decompressed?: Compression) {
  return { path, mtimeNs, decompressed, checkUnchanged: () => undefined };
}

async function orClose<T>(stored: StoredFile, use: (stored: StoredFile) => Promise<T>): Promise<T> {
  try {
    return await use(stored);
  } catch (error) {
    await stored.close();
    throw error;
  }
}
