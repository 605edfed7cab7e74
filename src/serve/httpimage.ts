// Answers a request for an image: all of it, a range, or several ranges as one multipart body.
// Bytes are decoded as fast as the client takes them, and no further than a few blocks ahead.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { type ByteRange, isRangeWanted, judgeConditions, parseRanges } from "./httprange.ts";
import type { ServedImage } from "./servedimage.ts";

/** A range, and what stands before it in the body. */
interface Part extends ByteRange {
  readonly head: string;
}

interface Body {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly parts: readonly Part[];
  readonly tail: string;
}

const CONTENT_TYPE = "application/octet-stream";

/** Resolves when the answer has been given or nobody waits for it. Throws what reading throws. */
export async function serveImage(
  image: ServedImage,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // HTTP knows whole seconds.
  const modifiedMs = Math.floor(image.mtimeMs / 1000) * 1000;
  const validators = { etag: `"${image.checksum}"`, modifiedMs };
  const { headers } = request;
  const common: OutgoingHttpHeaders = {
    "Accept-Ranges": "bytes",
    ETag: validators.etag,
    ...lastModified(modifiedMs),
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
  };
  const judged = judgeConditions(headers, validators);
  if (judged !== undefined) {
    response.writeHead(judged, common).end();
    return;
  }
  // Ranges are defined for GET alone.
  const isRanged =
    request.method === "GET" && isRangeWanted(oneOf(headers["if-range"]), validators);
  const ranges = isRanged ? parseRanges(headers.range, image.byteLength) : undefined;
  if (ranges?.length === 0) {
    const length = { "Content-Range": `bytes */${image.byteLength}`, "Content-Length": 0 };
    response.writeHead(416, { ...common, ...length }).end();
    return;
  }
  const body = bodyOf(image, ranges);
  const head = { ...common, ...disposition(image.name), ...body.headers };
  if (request.method === "HEAD") response.writeHead(body.status, head).end();
  else await send(image, body, head, response);
}

function bodyOf({ byteLength }: ServedImage, ranges: readonly ByteRange[] | undefined): Body {
  const plain = { "Content-Type": CONTENT_TYPE };
  if (!ranges) {
    const headers = { ...plain, "Content-Length": byteLength };
    return { status: 200, headers, parts: [{ start: 0, end: byteLength, head: "" }], tail: "" };
  }
  const contentRange = ({ start, end }: ByteRange): string =>
    `bytes ${start}-${end - 1}/${byteLength}`;
  if (ranges.length === 1) {
    const [{ start, end }] = ranges;
    const range = { "Content-Range": contentRange(ranges[0]), "Content-Length": end - start };
    return {
      status: 206,
      headers: { ...plain, ...range },
      parts: [{ start, end, head: "" }],
      tail: "",
    };
  }
  const boundary = randomBytes(12).toString("hex");
  const parts = ranges.map(({ start, end }, i) => {
    const range = `Content-Range: ${contentRange({ start, end })}`;
    const fields = `Content-Type: ${CONTENT_TYPE}\r\n${range}`;
    const head = `${i === 0 ? "" : "\r\n"}--${boundary}\r\n${fields}\r\n\r\n`;
    return { start, end, head };
  });
  const tail = `\r\n--${boundary}--\r\n`;
  const length = parts.reduce((sum, { start, end, head }) => sum + head.length + end - start, 0);
  const headers = {
    "Content-Type": `multipart/byteranges; boundary=${boundary}`,
    "Content-Length": length + tail.length,
  };
  return { status: 206, headers, parts, tail };
}

async function send(
  image: ServedImage,
  { status, parts, tail }: Body,
  head: OutgoingHttpHeaders,
  response: ServerResponse,
): Promise<void> {
  const write = async (bytes: Uint8Array | string): Promise<void> => {
    if (response.write(bytes) || response.destroyed) return;
    const stopped = new AbortController();
    const stop = (): void => stopped.abort();
    response.once("close", stop);
    try {
      await once(response, "drain", { signal: stopped.signal }).catch(() => undefined);
    } finally {
      response.off("close", stop);
    }
  };
  for (const { start, end, head: before } of parts) {
    let at = start;
    for await (const piece of image.read(start, end - start)) {
      // What cannot be had is known before anything has been said, at least of the first piece.
      if (!response.headersSent) response.writeHead(status, head);
      if (at === start && before !== "") await write(before);
      if (response.destroyed) return;
      await write(piece);
      if (response.destroyed) return;
      at += piece.length;
    }
  }
  if (!response.headersSent) response.writeHead(status, head);
  response.end(tail);
}

function lastModified(ms: number): OutgoingHttpHeaders {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? {} : { "Last-Modified": date.toUTCString() };
}

/** What a browser should call the file (RFC 6266); the plain form for those that know no better. */
function disposition(name: string): OutgoingHttpHeaders {
  const file = name.slice(name.lastIndexOf("/") + 1);
  const plain = file.replace(/[^\w.+-]/g, "_");
  const encoded = encodeURIComponent(file).replace(/['()*]/g, (letter) => {
    return `%${letter.charCodeAt(0).toString(16).toUpperCase()}`;
  });
  return { "Content-Disposition": `attachment; filename="${plain}"; filename*=UTF-8''${encoded}` };
}

function oneOf(field: string | string[] | undefined): string | undefined {
  return Array.isArray(field) ? field[0] : field;
}
