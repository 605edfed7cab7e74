// The base image of an archive made against one: a file, or an image of another archive, as pages.
// It counts as the base only when its length and its checksum are those that the archive names.
import { read } from "node:fs";
import { promisify } from "node:util";
import type { ArchivedImageInfo, BaseInput } from "../api.ts";
import { PagefoldError } from "../core/errors.ts";
import { FrameMap } from "../core/extent.ts";
import { PAGE_BYTES } from "../core/page.ts";
import { openAnyOrder } from "../image/decompress.ts";
import type { PageSource } from "../image/image.ts";
import { FINGERPRINT_BYTES } from "../kernels/abi.ts";
import { ImageChecksum } from "../pipeline/imagechecksum.ts";
import { openFileAccess } from "./bytesource.ts";
import { ClusterReader } from "./content.ts";
import { openDecodeMemory } from "./decodememory.ts";
import { openIndex } from "./openindex.ts";
import { readFrames } from "./pages.ts";

const readFd = promisify(read);
/** Frames that are read and summed up at a time. */
const PIECE_FRAMES = 256;

/** Pages of an image that is open; `close` when they are no longer needed. */
export interface BaseImage extends PageSource, AsyncDisposable {
  /** For messages, and what an archive made against it calls it. */
  readonly name: string;
  /** Of the image, without the padding of its last pages. */
  readonly byteLength: number;
  /** Closes the file that its pages are read from. */
  close(): Promise<void>;
}

interface OpenOptions {
  signal?: AbortSignal | undefined;
  wasm?: Uint8Array | URL | undefined;
}

/** Opens the base that `image` was made against; BASE, naming both, when it is another image. */
export async function openBase(
  input: BaseInput,
  image: Pick<ArchivedImageInfo, "name" | "base">,
  { signal, wasm }: OpenOptions = {},
): Promise<BaseImage> {
  const base = await openBaseImage(input, { signal, wasm });
  try {
    if (image.base) {
      const fail = (reason: string): never => {
        const wanted = `${image.name} was made against ${image.base?.name}`;
        throw new PagefoldError("BASE", `${base.name}: is another image: ${wanted}, ${reason}`);
      };
      const { byteLength, checksum } = image.base;
      if (base.byteLength !== byteLength) fail(`${byteLength} bytes, not ${base.byteLength}`);
      const found = await checksumOf(base, base.byteLength, signal, wasm);
      if (!Buffer.from(found).equals(checksum)) fail("with another checksum");
    }
    return base;
  } catch (error) {
    await base.close();
    throw error;
  }
}

/** Opens an image without asking which one it is. */
async function openBaseImage(input: BaseInput, options: OpenOptions): Promise<BaseImage> {
  return "archive" in input ? openArchived(input) : openFile(input.path, options);
}

/** The checksum (docs/format.md §3) of all pages of `source`. */
export async function checksumOf(
  source: PageSource,
  byteLength: number,
  signal?: AbortSignal,
  wasm?: Uint8Array | URL,
): Promise<Uint8Array<ArrayBuffer>> {
  const { kernels, memory, bytes, ptr } = openDecodeMemory(wasm);
  const sum = new ImageChecksum(kernels, memory, ptr.checksum);
  const pages = new Uint8Array(PIECE_FRAMES * PAGE_BYTES);
  for (let frame = 0; frame < source.frameCount; frame += PIECE_FRAMES) {
    const count = Math.min(PIECE_FRAMES, source.frameCount - frame);
    const piece = pages.subarray(0, count * PAGE_BYTES);
    await source.read(frame, count, piece, signal);
    bytes.set(piece, ptr.content);
    kernels.fingerprintPages(ptr.content, count, ptr.encoded);
    sum.add(bytes.subarray(ptr.encoded, ptr.encoded + count * FINGERPRINT_BYTES));
  }
  return sum.finish(byteLength, source.frameCount);
}

async function openFile(path: string, options: OpenOptions): Promise<BaseImage> {
  const file = await openAnyOrder(path, options);
  const frames = new FrameMap(file.segments);
  const close = () => file.close();
  return {
    name: path,
    byteLength: file.byteLength,
    frameCount: frames.frameCount,
    async read(frame, count, into, signal) {
      into.fill(0, 0, count * PAGE_BYTES);
      for (const run of frames.runs(frame, count)) {
        signal?.throwIfAborted();
        const target = into.subarray((run.frame - frame) * PAGE_BYTES);
        for (let there = 0; there < run.byteLength; ) {
          const left = run.byteLength - there;
          const offset = run.byteOffset + there;
          const { bytesRead } = await readFd(file.fd, target, there, left, offset);
          if (bytesRead === 0)
            throw new PagefoldError("CHANGED", `${path}: ends at byte ${offset}`);
          there += bytesRead;
        }
      }
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function openArchived({ archive: path, name, key }: Extract<BaseInput, { name: string }>) {
  const access = await openFileAccess(path);
  const close = () => access.close();
  try {
    const { index } = await openIndex(access, path, undefined, key);
    const number = index.images.findIndex(({ head }) => head.name === name);
    if (number < 0) {
      throw new PagefoldError("RANGE", `${path}: there is no image ${JSON.stringify(name)}`);
    }
    const { head, byteLength, frameCount } = index.images[number];
    if (head.base) {
      const reason = `${name} was made against ${head.base.name} itself`;
      throw new PagefoldError("BASE", `${path}: a base must stand alone, ${reason}`);
    }
    const clusters = new ClusterReader(access, index, openDecodeMemory());
    const base: BaseImage = {
      name: `${path}::${name}`,
      byteLength,
      frameCount,
      async read(frame, count, into, signal) {
        into.fill(0, 0, count * PAGE_BYTES);
        await readFrames(index, clusters, number, frame, count, into, { signal });
      },
      close,
      [Symbol.asyncDispose]: close,
    };
    return base;
  } catch (error) {
    await close();
    throw error;
  }
}
