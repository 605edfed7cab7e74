// Connects to the other side: a plain or TLS socket, ready to be used, or one line that says why
// not. It tries once.
import { once } from "node:events";
import { isIP, Socket } from "node:net";
import {
  type ConnectionOptions,
  checkServerIdentity,
  connect as connectTls,
  type PeerCertificate,
  type TLSSocket,
} from "node:tls";
import { PagefoldError } from "../core/errors.ts";
import { type Address, formatAddress, type TcpAddress } from "./address.ts";
import type { Connection } from "./connection.ts";
import { linkError } from "./faults.ts";
import { newInlet, SocketConnection } from "./socketconnection.ts";
import type { TlsIdentity } from "./tlsfiles.ts";

export interface ConnectOptions {
  /** Makes it TLS; of role "client". */
  tls?: TlsIdentity;
  /** The name that the listener's certificate must be for, if it is not the host of the address. */
  serverName?: string;
  signal?: AbortSignal;
  /** For looking up the name, connecting and the handshake together; 10 s by default. */
  timeoutMs?: number;
}

const TIMEOUT_MS = 10_000;
/** How long one of several addresses of a name is tried; node's 250 ms are short for far hosts. */
const ATTEMPT_MS = 2000;

/**
 * A connection to `address`. With TLS the listener has proved its name; whether it accepts our
 * certificate shows only with its first bytes, because TLS 1.3 does not wait for that.
 */
export async function connect(address: Address, options: ConnectOptions = {}): Promise<Connection> {
  const { signal } = options;
  signal?.throwIfAborted();
  const peer = formatAddress(address);
  const inlet = newInlet();
  const socket = options.tls
    ? tlsSocket(address, options.tls, options.serverName)
    : plainSocket(address, inlet.options);
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  const deadline = AbortSignal.timeout(timeoutMs);
  try {
    const given = signal ? AbortSignal.any([signal, deadline]) : deadline;
    await once(socket, options.tls ? "secureConnect" : "connect", { signal: given });
  } catch (error) {
    socket.on("error", () => {});
    socket.destroy();
    if (signal?.aborted) throw signal.reason;
    if (deadline.aborted) throw failure(peer, `no answer within ${timeoutMs} ms`);
    const isReset = (error as { code?: unknown }).code === "ECONNRESET";
    if (options.tls && isReset) throw failure(peer, "the peer broke off the TLS handshake", error);
    throw linkError(peer, error);
  }
  return new SocketConnection(socket, peer, options.tls ? undefined : inlet);
}

function plainSocket(address: Address, reading: object): Socket {
  const socket = new Socket({ allowHalfOpen: true, ...reading });
  // Paused, or what arrives before `receive` would be lost.
  socket.pause();
  return address.kind === "unix"
    ? socket.connect({ path: address.path })
    : socket.connect(tcpTarget(address));
}

function tlsSocket(address: Address, tls: TlsIdentity, serverName: string | undefined): TLSSocket {
  const name = serverName ?? (address.kind === "unix" ? "localhost" : address.host);
  const options = {
    ...(address.kind === "unix" ? { path: address.path } : tcpTarget(address)),
    ...tls.secureOptions,
    allowHalfOpen: true,
    rejectUnauthorized: true,
    servername: isIP(name) ? "" : name,
    checkServerIdentity: (_: string, certificate: PeerCertificate) =>
      checkServerIdentity(name, certificate),
  };
  return connectTls(options as ConnectionOptions);
}

function tcpTarget({ host, port }: TcpAddress) {
  return { host, port, autoSelectFamilyAttemptTimeout: ATTEMPT_MS };
}

function failure(peer: string, reason: string, cause?: unknown): PagefoldError {
  return new PagefoldError("CONNECTION", `${peer}: ${reason}`, { cause });
}
