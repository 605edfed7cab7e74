// One image of an open archive: what is known of it, and its pages and bytes in private memory.
import type { ArchivedImage, ArchivedImageInfo } from "../api.ts";
import { PagefoldError } from "../core/errors.ts";
import { FrameMap, type Segment } from "../core/extent.ts";
import { PAGE_BYTES } from "../core/page.ts";
import type { PageSource } from "../image/image.ts";
import { recompress } from "../image/recompress.ts";
import { type ReadContent, WovenFile } from "../image/wovenfile.ts";
import { emptyCounts, IMAGE_CHECKSUM_BYTES } from "../wire/imagehead.ts";
import type { ClusterReader } from "./content.ts";
import type { ArchiveIndex, IndexedImage } from "./index.ts";
import { readFrames } from "./pages.ts";

/** Frames that `readBytes` holds at a time besides its result. */
const PIECE_FRAMES = 256;
/** The longest single read, in frames: 1 GiB. */
const MAX_READ_FRAMES = 2 ** 18;

type From = { signal?: AbortSignal; base?: PageSource };

/** The segments of an image, as bytes of its file. */
export function segmentsOf({ head, byteLength }: IndexedImage): Segment[] {
  if (byteLength === 0) return [];
  const lengths = head.segmentBytes.length === 0 ? [byteLength] : head.segmentBytes;
  let byteOffset = 0;
  return lengths.map((length) => {
    byteOffset += length;
    return { byteOffset: byteOffset - length, byteLength: length };
  });
}

export function describeImage({ head, end, ...indexed }: IndexedImage) {
  const { byteLength, fileBytes, frameCount } = indexed;
  const sha256 = end?.digests.find(([algorithm]) => algorithm === "sha256")?.[1];
  const info: ArchivedImageInfo = {
    name: head.name,
    format: head.format,
    byteLength: fileBytes ?? byteLength,
    frameCount,
    mtimeMs: Number(head.mtimeNs / 1000n) / 1000,
    notes: Object.fromEntries(head.notes),
    counts: end ? { ...end.counts } : emptyCounts(),
    storedBytes: end?.storedBytes ?? 0,
    checksum: end ? end.checksum.slice() : new Uint8Array(IMAGE_CHECKSUM_BYTES),
    sha256: sha256 && Buffer.from(sha256).toString("hex"),
    base: head.base && { ...head.base, checksum: head.base.checksum.slice() },
  };
  return info;
}

/** An image that can be read; number `number` of `index`. */
export function openImage(
  index: ArchiveIndex,
  clusters: ClusterReader,
  number: number,
): ArchivedImage {
  const info = describeImage(index.images[number]);
  let frames: FrameMap | undefined;
  let woven: WovenFile | undefined;
  let base: PageSource | undefined;

  async function readPages(frame: number, count: number, options: From = {}) {
    checkRange(info.name, "frame", frame, count, info.frameCount, MAX_READ_FRAMES);
    const pages = new Uint8Array(count * PAGE_BYTES);
    await readFrames(index, clusters, number, frame, count, pages, options);
    return pages;
  }

  /** Fills `bytes` from the content, which is the file unless the image is woven. */
  async function readContent(offset: number, bytes: Uint8Array, options: From): Promise<void> {
    frames ??= new FrameMap(segmentsOf(index.images[number]));
    for (let done = 0; done < bytes.length; ) {
      const { frame, skipBytes } = frames.frameAt(offset + done);
      const wanted = Math.ceil((skipBytes + bytes.length - done) / PAGE_BYTES);
      const [run] = frames.runs(frame, Math.min(wanted, PIECE_FRAMES));
      const pages = await readPages(run.frame, run.frameCount, options);
      const part = pages.subarray(skipBytes, run.byteLength).subarray(0, bytes.length - done);
      bytes.set(part, done);
      done += part.length;
    }
  }

  async function readBytes(offset: number, length: number, options: From = {}) {
    const limit = MAX_READ_FRAMES * PAGE_BYTES;
    checkRange(info.name, "byte", offset, length, info.byteLength, limit);
    const bytes = new Uint8Array(length);
    const { byteLength, fileBytes } = index.images[number];
    if (fileBytes === undefined) {
      await readContent(offset, bytes, options);
      return bytes;
    }
    // What is read for one call serves the next as well, so no signal of a call ends it.
    base = options.base ?? base;
    const read: ReadContent = (at, into) => readContent(at, into, base ? { base } : {});
    options.signal?.throwIfAborted();
    woven ??= await WovenFile.open(read, byteLength, info.name, recompress);
    await woven.read(offset, bytes);
    return bytes;
  }

  return { ...info, readPages, readBytes };
}

function checkRange(
  name: string,
  unit: string,
  first: number,
  count: number,
  size: number,
  limit: number,
): void {
  const isRange = Number.isSafeInteger(first) && Number.isSafeInteger(count);
  if (!isRange || first < 0 || count < 0 || first + count > size) {
    const range = `${count} ${unit}s from ${unit} ${first} on`;
    throw new PagefoldError("RANGE", `${name}: ${range} are not in its ${size}`);
  }
  if (count > limit) {
    throw new PagefoldError("LIMIT", `${name}: ${count} ${unit}s at once, limit ${limit}`);
  }
}
