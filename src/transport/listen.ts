// Waits for others to connect: tcp, unix, or TLS over either. Whoever fails the handshake never
// becomes a connection.
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { orAbort } from "../core/abort.ts";
import { PagefoldError } from "../core/errors.ts";
import { type Address, formatAddress } from "./address.ts";
import type { Connection } from "./connection.ts";
import { linkError } from "./faults.ts";
import { acceptedConnection, SocketConnection } from "./socketconnection.ts";
import type { TlsIdentity } from "./tlsfiles.ts";
import { listenUnix, type SocketAccess } from "./unixlisten.ts";

export interface ListenOptions extends SocketAccess {
  /** Makes it TLS; of role "server". Whoever connects must show a certificate of our CA. */
  tls?: TlsIdentity;
  /** Closes the listener. */
  signal?: AbortSignal;
  /** Hears why somebody was turned away. */
  onRefused?: (reason: PagefoldError) => void;
}

/** Connections beyond these that nobody has accepted are dropped. */
const MAX_WAITING = 16;
/** The same for all that are open at once; those in their handshake count. */
const MAX_OPEN = 64;
const HANDSHAKE_MS = 10_000;

export async function listen(address: Address, options: ListenOptions = {}): Promise<Listener> {
  options.signal?.throwIfAborted();
  const server = options.tls
    ? createTlsServer({
        ...options.tls.secureOptions,
        requestCert: true,
        rejectUnauthorized: true,
        handshakeTimeout: HANDSHAKE_MS,
        allowHalfOpen: true,
      })
    : createServer({ pauseOnConnect: true, allowHalfOpen: true });
  // Before anybody can connect: a connection that nobody hears of is never closed.
  const listener = new Listener(server, address, options);
  if (address.kind === "unix") {
    listener.removeSocket = await listenUnix(server, address.path, options);
  } else {
    server.listen({ host: address.host, port: address.port });
    await once(server, "listening").catch((error) => {
      throw linkError(formatAddress(address), error);
    });
    listener.address = { ...address, port: (server.address() as AddressInfo).port };
  }
  listener.closeOn(options.signal);
  return listener;
}

/** Open until `close`. */
export class Listener {
  /** Where it listens; the port is the one that the system chose if 0 was asked for. */
  address: Address;
  /** Takes the socket's file away. */
  removeSocket: () => Promise<void> = async () => undefined;
  private readonly server: Server;
  private readonly waiting: Connection[] = [];
  private readonly takers: ((connection: Connection) => void)[] = [];
  private readonly over: Promise<never>;
  private fail: (reason: Error) => void = () => {};
  private closing: Promise<void> | undefined;

  constructor(server: Server, address: Address, { tls, onRefused }: ListenOptions) {
    this.server = server;
    this.address = address;
    this.over = new Promise((_, reject) => {
      this.fail = reject;
    });
    this.over.catch(() => {});
    const place = formatAddress(address);
    server.maxConnections = MAX_OPEN;
    server.on("error", (error) => this.fail(linkError(place, error)));
    if (tls) {
      server.on("secureConnection", (socket: TLSSocket) => {
        this.offer(new SocketConnection(socket, peerOf(socket, place)));
      });
      server.on("tlsClientError", (error: Error, socket: TLSSocket) => {
        // For a certificate that is not accepted the error only says that we hung up.
        const code = socket.authorizationError as unknown;
        onRefused?.(
          linkError(peerOf(socket, place), code ? Object.assign(error, { code }) : error),
        );
      });
    } else {
      server.on("connection", (socket: Socket) => {
        this.offer(acceptedConnection(socket, peerOf(socket, place)));
      });
    }
  }

  closeOn(signal: AbortSignal | undefined): void {
    signal?.addEventListener("abort", () => void this.close(), { once: true });
    if (signal?.aborted) void this.close();
  }

  /** The next connection, in the order of their arrival. */
  async accept(signal?: AbortSignal): Promise<Connection> {
    signal?.throwIfAborted();
    const first = this.waiting.shift();
    if (first) return first;
    let take: (connection: Connection) => void = () => {};
    const next = new Promise<Connection>((resolve) => {
      take = resolve;
    });
    this.takers.push(take);
    try {
      return await orAbort(Promise.race([next, this.over]), signal);
    } catch (error) {
      const at = this.takers.indexOf(take);
      // A connection that came in the same moment goes to whoever asks next.
      if (at < 0) this.offer(await next);
      else this.takers.splice(at, 1);
      throw error;
    }
  }

  /** Connections that were accepted live on; those that were not are dropped. */
  close(): Promise<void> {
    this.closing ??= this.shut();
    return this.closing;
  }

  private async shut(): Promise<void> {
    this.fail(new PagefoldError("CONNECTION", `${formatAddress(this.address)}: closed`));
    this.server.close();
    for (const connection of this.waiting.splice(0)) connection.destroy();
    await this.removeSocket();
  }

  private offer(connection: Connection): void {
    const take = this.takers.shift();
    if (take) take(connection);
    else if (this.closing || this.waiting.length >= MAX_WAITING) connection.destroy();
    else {
      this.waiting.push(connection);
      connection.closed.then(() => {
        const at = this.waiting.indexOf(connection);
        if (at >= 0) this.waiting.splice(at, 1);
      });
    }
  }
}

function peerOf(socket: Socket, place: string): string {
  const { remoteAddress: host, remotePort: port } = socket;
  if (host === undefined || port === undefined) return `a client of ${place}`;
  return formatAddress({ kind: "tcp", host, port });
}
