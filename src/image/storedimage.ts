// An open file, or content that comes forwards, as an image of a format that is already known.
import type { StreamFormat } from "./formats.ts";
import { type Format, formatOf, HEAD_BYTES } from "./formats.ts";
import { unstructured } from "./layout.ts";
import { type ForwardImage, type ImageFile, observed } from "./opened.ts";
import type { StoredFile } from "./storedfile.ts";
import { type TakenApart, wovenContent } from "./woven.ts";

/** What a file begins with. */
export async function headOf(stored: StoredFile): Promise<Uint8Array> {
  const head = new Uint8Array(HEAD_BYTES);
  return head.subarray(0, await stored.read(0, head));
}

/** A file as it is: its bytes, cut where its memory lies if that is in one piece. */
export async function inPlace(stored: StoredFile): Promise<ImageFile> {
  const { path, fd, byteLength, mtimeNs, read, checkUnchanged, close } = stored;
  const format = formatOf(await headOf(stored));
  const placed = format?.kind === "placed" ? format : undefined;
  const layout = await placed?.layout(read, byteLength);
  const name = placed && layout ? placed.format : "raw";
  const found = { format: name, ...(layout ?? unstructured(byteLength)) };
  return { path, fd, byteLength, mtimeNs, ...found, ...NOT_COMPRESSED, checkUnchanged, close };
}

/** A file that is taken apart if its format asks for that. */
export async function imageOf(
  stored: StoredFile,
  format: Format | undefined,
  signal?: AbortSignal,
): Promise<ImageFile | ForwardImage> {
  const { path, byteLength, mtimeNs, read, checkUnchanged, close } = stored;
  if (format === undefined || format.kind === "placed") return inPlace(stored);
  if (format.kind === "stream") {
    const forwards = contentOf(() => stored.pieces(), path, format);
    return { path, mtimeNs, ...forwards, ...NOT_COMPRESSED, checkUnchanged, close };
  }
  const apart = await format.open(read, byteLength, { name: path, signal });
  if (!apart) return inPlace(stored);
  const { decompressed } = apart;
  return { path, mtimeNs, ...takenApart(apart), decompressed, checkUnchanged, close };
}

const NOT_COMPRESSED = { decompressed: undefined };

type Content = Pick<
  ForwardImage,
  "fd" | "format" | "byteLength" | "segments" | "woven" | "content"
>;

/** Bytes that come forwards, each time anew; `format` takes them apart, else they are raw. */
export function contentOf(
  bytes: (signal: AbortSignal | undefined) => AsyncIterable<Uint8Array>,
  name: string,
  format?: StreamFormat,
): Content {
  if (format === undefined) {
    return {
      ...UNKNOWN_LENGTH,
      format: "raw",
      woven: undefined,
      content: (signal, observer) => observed(bytes(signal), observer),
    };
  }
  return takenApart({
    format: format.format,
    parts: (signal, observer) => format.parts(bytes(signal), { name, signal, observer }),
  });
}

function takenApart(apart: TakenApart): Content {
  return { ...UNKNOWN_LENGTH, format: apart.format, ...wovenContent(apart) };
}

const UNKNOWN_LENGTH = { fd: undefined, byteLength: undefined, segments: undefined };
