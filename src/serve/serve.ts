// Serves the images of an archive until it is told to stop: opens the archive, listens where it was
// asked to, and refuses places that would show guest memory to a network.
import type { BaseInput, SealedOptions } from "../api.ts";
import type { EngineResources } from "../pipeline/resources.ts";
import {
  type Address,
  parseAddress,
  refuseUnprotected,
  staysOnThisMachine,
} from "../transport/address.ts";
import { loadTlsIdentity, type TlsIdentity } from "../transport/tlsfiles.ts";
import type { SocketAccess } from "../transport/unixlisten.ts";
import { createHttpServer } from "./httpserver.ts";
import { createNbdServer } from "./nbdserver.ts";
import { bind, httpUrl, nbdUri, type Place } from "./place.ts";
import { openServedArchive, type ServedArchive } from "./servedarchive.ts";

export interface ServeOptions extends SealedOptions {
  /** Where to serve HTTP: "HOST:PORT" or "unix:PATH". */
  readonly http?: string | undefined;
  /** Where to serve NBD, likewise. */
  readonly nbd?: string | undefined;
  /** Images that are served; default: all. */
  readonly names?: readonly string[] | undefined;
  /** The base, for images that were made against one. */
  readonly base?: BaseInput | undefined;
  /** Folder with certificates as QEMU's x509 credentials have it: clients at TCP must show one. */
  readonly tlsDirectory?: string | undefined;
  /** Allow plain TCP beyond this machine. */
  readonly insecure?: boolean | undefined;
  /** Of unix sockets, like 0o660; default 0o600. */
  readonly socketMode?: number | undefined;
  readonly socketGroup?: string | undefined;
  /** Ends the opening; what is served then goes on until `close`. */
  readonly signal?: AbortSignal | undefined;
  /** Told of what could not be read, one line each, the same one only once. */
  readonly onNotice?: ((message: string) => void) | undefined;
}

/** Serves until `close`. */
export interface ArchiveServer extends AsyncDisposable {
  readonly images: readonly { readonly name: string; readonly byteLength: number }[];
  /** How HTTP is reached, "unix:PATH" for a socket; undefined if it was not asked for. */
  readonly httpUrl: string | undefined;
  /** NBD's URI, to which the name of an image is to be added; undefined likewise. */
  readonly nbdUri: string | undefined;
  /** Ends connections, and gives memory and files back. */
  close(): Promise<void>;
}

/** Faults that are remembered so that they are told once. */
const MAX_FAULTS = 1024;

export async function serveImages(
  resources: EngineResources,
  path: string,
  options: ServeOptions,
): Promise<ArchiveServer> {
  const { tlsDirectory, insecure = false } = options;
  const addressOf = (option: string, text: string | undefined): Address | undefined => {
    if (text === undefined) return undefined;
    const address = parseAddress(text);
    refuseUnprotected(option, address, { tls: tlsDirectory !== undefined, insecure });
    return address;
  };
  const http = addressOf("--listen", options.http);
  const nbd = addressOf("--nbd", options.nbd);
  const tls =
    tlsDirectory === undefined ? undefined : await loadTlsIdentity(tlsDirectory, "server");
  const archive = await openServedArchive(resources, path, options);
  const serving = new Serving(archive, tls, options);
  try {
    if (http) await serving.openHttp(http);
    if (nbd) await serving.openNbd(nbd);
    return serving;
  } catch (error) {
    await serving.close();
    throw error;
  }
}

class Serving implements ArchiveServer {
  httpUrl: string | undefined;
  nbdUri: string | undefined;
  private readonly archive: ServedArchive;
  private readonly tls: TlsIdentity | undefined;
  private readonly access: SocketAccess;
  private readonly onNotice: ((message: string) => void) | undefined;
  private readonly faults = new Set<string>();
  private readonly places: Place[] = [];
  private readonly closers: (() => void)[] = [];
  private closing: Promise<void> | undefined;

  constructor(archive: ServedArchive, tls: TlsIdentity | undefined, options: ServeOptions) {
    const { socketMode, socketGroup, onNotice } = options;
    this.archive = archive;
    this.tls = tls;
    this.onNotice = onNotice;
    this.access = {
      ...(socketMode === undefined ? {} : { socketMode }),
      ...(socketGroup === undefined ? {} : { socketGroup }),
    };
  }

  get images() {
    return [...this.archive.images.values()].map(({ name, byteLength }) => ({ name, byteLength }));
  }

  async openHttp(address: Address): Promise<void> {
    const tls = this.tlsFor(address);
    const isLocal = address.kind === "tcp" && staysOnThisMachine(address);
    const { onFault } = this;
    const server = createHttpServer(this.archive, { tls, isLocal, onFault });
    this.closers.push(() => server.closeAllConnections());
    const place = await bind(server, address, this.access);
    this.places.push(place);
    this.httpUrl = httpUrl(place.address, tls !== undefined);
  }

  async openNbd(address: Address): Promise<void> {
    const tls = this.tlsFor(address);
    const { onFault } = this;
    const { server, closeAll } = createNbdServer(this.archive, { tls, onFault });
    this.closers.push(closeAll);
    const place = await bind(server, address, this.access);
    this.places.push(place);
    this.nbdUri = nbdUri(place.address, tls !== undefined);
  }

  close(): Promise<void> {
    this.closing ??= this.shut();
    return this.closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** A unix socket is protected by its permissions, and tools reach it without certificates. */
  private tlsFor(address: Address): TlsIdentity | undefined {
    return address.kind === "tcp" ? this.tls : undefined;
  }

  private readonly onFault = (message: string): void => {
    if (this.closing || this.faults.has(message) || this.faults.size >= MAX_FAULTS) return;
    this.faults.add(message);
    this.onNotice?.(`${this.archive.path}: ${message}`);
  };

  private async shut(): Promise<void> {
    for (const place of this.places) await place.close();
    for (const close of this.closers) close();
    await this.archive.close();
  }
}
