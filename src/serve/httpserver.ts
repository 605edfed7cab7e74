// The images of an archive over HTTP, read-only: a list of them, and each one with byte ranges.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { isIP } from "node:net";
import { PagefoldError } from "../core/errors.ts";
import type { TlsIdentity } from "../transport/tlsfiles.ts";
import { serveImage } from "./httpimage.ts";
import { htmlList, jsonList } from "./listing.ts";
import type { ServedArchive } from "./servedarchive.ts";

export interface HttpOptions {
  readonly tls?: TlsIdentity | undefined;
  /**
   * True at a loopback address: a request must name it by a number or as localhost. A page in a
   * browser of this machine could otherwise have its own name point here and read guest memory.
   */
  readonly isLocal: boolean;
  /** Told what could not be read, one line each. */
  readonly onFault: (message: string) => void;
}

const MAX_CONNECTIONS = 64;
/** For the head of a request; there are no bodies. */
const REQUEST_MS = 10_000;
/** Without a byte in either direction. */
const IDLE_MS = 120_000;
const MAX_HEADER_BYTES = 16_384;

export function createHttpServer(archive: ServedArchive, options: HttpOptions): Server {
  const limits = {
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: REQUEST_MS,
    requestTimeout: REQUEST_MS,
    keepAliveTimeout: REQUEST_MS,
    connectionsCheckingInterval: REQUEST_MS / 4,
  };
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    // Whoever goes away in the middle is no fault of ours.
    response.on("error", () => undefined);
    answer(archive, options, request, response).catch((error: Error) => {
      options.onFault(error.message);
      if (response.headersSent) response.destroy();
      else refuse(response, 500, faultText(error));
    });
  };
  const { tls } = options;
  const server = tls
    ? createTlsServer(
        { ...limits, ...tls.secureOptions, requestCert: true, rejectUnauthorized: true },
        listener,
      )
    : createServer(limits, listener);
  server.maxConnections = MAX_CONNECTIONS;
  server.timeout = IDLE_MS;
  return server;
}

async function answer(
  archive: ServedArchive,
  { isLocal }: HttpOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (isLocal && !namesThisMachine(request.headers.host)) {
    return refuse(response, 421, "this server is reached by its address or as localhost");
  }
  const { method = "", url = "" } = request;
  if (method !== "GET" && method !== "HEAD") {
    response.setHeader("Allow", "GET, HEAD");
    return refuse(response, 405, `${method}: images are read-only`);
  }
  const [path, query = ""] = url.split("?", 2);
  const wantsJson = query.split("&").includes("format=json") || prefersJson(request.headers.accept);
  if (path === "/images.json" || (path === "/" && wantsJson)) {
    return sendText(request, response, "application/json", jsonList(archive));
  }
  if (path === "/") return sendText(request, response, "text/html", htmlList(archive));
  const name = nameIn(path);
  const image = name === undefined ? undefined : archive.images.get(name);
  if (!image) return refuse(response, 404, "there is no such image");
  return serveImage(image, request, response);
}

/** The name of an image in a path; undefined when it is none. */
function nameIn(path: string): string | undefined {
  if (!path.startsWith("/images/")) return undefined;
  try {
    return decodeURIComponent(path.slice("/images/".length));
  } catch {
    return undefined;
  }
}

function namesThisMachine(host: string | undefined): boolean {
  // HTTP/1.0 has no such field, and no browser speaks it.
  if (host === undefined) return true;
  const [, bracketed, name] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(host) ?? [];
  return isIP(bracketed ?? name ?? "") > 0 || name?.toLowerCase() === "localhost";
}

function prefersJson(accept = ""): boolean {
  return accept.includes("application/json") && !accept.includes("text/html");
}

function sendText(
  { method }: IncomingMessage,
  response: ServerResponse,
  type: string,
  text: string,
): void {
  const body = Buffer.from(text);
  response.writeHead(200, {
    "Content-Type": `${type}; charset=utf-8`,
    "Content-Length": body.length,
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    Vary: "Accept",
  });
  response.end(method === "HEAD" ? undefined : body);
}

function refuse(response: ServerResponse, status: number, reason: string): void {
  const body = Buffer.from(`${reason}\n`);
  response.writeHead(status, {
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Length": body.length,
    "X-Content-Type-Options": "nosniff",
  });
  response.end(response.req.method === "HEAD" ? undefined : body);
}

/** Messages of our own name what is damaged; others may say too much. */
function faultText(error: Error): string {
  return error instanceof PagefoldError ? error.message : "the archive could not be read";
}
