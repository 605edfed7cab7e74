// From the content of a woven image, which is in a temporary file, to the file it was made of.
import { read } from "node:fs";
import { promisify } from "node:util";
import { PagefoldError } from "../core/errors.ts";
import { FrameMap } from "../core/extent.ts";
import { rawSegments } from "../image/raw.ts";
import { recompress } from "../image/recompress.ts";
import { SparseFile } from "../image/sparsefile.ts";
import { type ReadContent, WovenFile } from "../image/wovenfile.ts";
import { writeLostList } from "./lost.ts";

const readFd = promisify(read);
const PIECE_BYTES = 1 << 20;

/** The content in a file, and what its image is. */
export interface WovenContent {
  readonly file: SparseFile;
  readonly contentBytes: number;
  readonly fileBytes: number;
  readonly mtimeMs: number | undefined;
  /** Replace what is in the way. */
  readonly force: boolean;
  readonly signal: AbortSignal | undefined;
}

/**
 * Puts the file together under the path of `content.file`; bytes written, holes not counted.
 * DAMAGED, OUTPUT.
 */
export async function putTogether(content: WovenContent): Promise<number> {
  const { file, contentBytes, fileBytes, force, signal } = content;
  const woven = await WovenFile.open(readerOf(file), contentBytes, file.path, recompress);
  if (woven.byteLength !== fileBytes) {
    const sizes = `${woven.byteLength} bytes, its end says ${fileBytes}`;
    throw new PagefoldError("DAMAGED", `${file.path}: is put together to ${sizes}`);
  }
  return copyInto(file.path, content, woven.byteLength, force, async (offset, into) => {
    signal?.throwIfAborted();
    await woven.read(offset, into);
  });
}

/**
 * Leaves content of which parts are lost beside the path, as PATH.content with the list of what is
 * lost: without all of it, the file cannot be put together.
 */
export async function leaveContent(
  content: WovenContent,
  lost: Parameters<typeof writeLostList>[2],
): Promise<string> {
  const { file, contentBytes, force } = content;
  const path = `${file.path}.content`;
  await writeLostList(path, new FrameMap(rawSegments(contentBytes)), lost);
  await copyInto(path, content, contentBytes, force, readerOf(file));
  return path;
}

async function copyInto(
  path: string,
  { mtimeMs }: WovenContent,
  byteLength: number,
  force: boolean,
  readAt: ReadContent,
): Promise<number> {
  const target = await SparseFile.create(path, { force, suffix: "woven" });
  try {
    const piece = new Uint8Array(PIECE_BYTES);
    for (let at = 0; at < byteLength; at += PIECE_BYTES) {
      const part = piece.subarray(0, Math.min(PIECE_BYTES, byteLength - at));
      await readAt(at, part);
      await target.write(at, part);
    }
    await target.commit(byteLength, mtimeMs);
    return target.storedBytes;
  } finally {
    await target.discard();
  }
}

/** Behind the end of what was written, a file has zeros. */
function readerOf({ fd }: SparseFile): ReadContent {
  return async (byteOffset, into) => {
    for (let there = 0; there < into.length; ) {
      const left = into.length - there;
      const { bytesRead } = await readFd(fd, into, there, left, byteOffset + there);
      if (bytesRead === 0) {
        into.fill(0, there);
        return;
      }
      there += bytesRead;
    }
  };
}
