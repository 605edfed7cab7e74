// Where the other side is reached: "10.77.0.2:7700", "[::1]:7700", "host:port" or "unix:/path".
// Names are not resolved here.
import { isIP, isIPv4, isIPv6 } from "node:net";
import { PagefoldError } from "../core/errors.ts";

export interface TcpAddress {
  kind: "tcp";
  /** A name, an IPv4 address, or an IPv6 address without brackets. */
  host: string;
  /** 0 lets the system choose; only a listener can ask for that. */
  port: number;
}

export interface UnixAddress {
  kind: "unix";
  path: string;
}

export type Address = TcpAddress | UnixAddress;

/** What Linux has room for in `sockaddr_un`, without the final NUL. */
export const MAX_SOCKET_PATH_BYTES = 107;
const MAX_HOST_LENGTH = 253;

/** Reads an address; what is wrong with it is a USAGE error that quotes the text. */
export function parseAddress(text: string): Address {
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length);
    const fault = faultOfSocketPath(path);
    if (fault !== undefined) throw badAddress(text, fault);
    return { kind: "unix", path };
  }
  const [, bracketed, name, digits] = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(text) ?? [];
  if (digits === undefined) throw badAddress(text, faultOfShape(text));
  const port = Number(digits);
  if (port > 65_535) throw badAddress(text, `port ${port} is over 65535`);
  const host = bracketed ?? name;
  const fault = bracketed === undefined ? faultOfHost(host) : faultOfBracketed(bracketed);
  if (fault !== undefined) throw badAddress(text, fault);
  return { kind: "tcp", host, port };
}

/** What is wrong with the path of a unix socket, if anything. */
export function faultOfSocketPath(path: string): string | undefined {
  if (path === "") return "the path is missing";
  if (path.includes("\0")) return "the path holds a NUL";
  const length = Buffer.byteLength(path);
  if (length <= MAX_SOCKET_PATH_BYTES) return undefined;
  return `the path has ${length} bytes, a socket's may have ${MAX_SOCKET_PATH_BYTES}`;
}

/** The text that `parseAddress` reads. */
export function formatAddress(address: Address): string {
  if (address.kind === "unix") return `unix:${address.path}`;
  const { host, port } = address;
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether bytes sent there cannot leave this machine. */
export function staysOnThisMachine(address: Address): boolean {
  if (address.kind === "unix") return true;
  const { host } = address;
  return host === "localhost" || host === "::1" || (isIPv4(host) && host.startsWith("127."));
}

/**
 * Refuses TCP without TLS, except on the loopback interface or where the caller asked for it.
 * `option` is the word before the address in the message ("--listen").
 */
export function refuseUnprotected(
  option: string,
  address: Address,
  { tls, insecure }: { tls: boolean; insecure: boolean },
): void {
  if (tls || insecure || staysOnThisMachine(address)) return;
  throw new PagefoldError(
    "USAGE",
    `${option} ${formatAddress(address)}: refused without TLS, ` +
      "which keeps guest memory from others on the network: " +
      "give --tls-dir DIR, or --insecure if the network itself is protected",
  );
}

function badAddress(text: string, fault: string): PagefoldError {
  return new PagefoldError("USAGE", `"${text}" is not an address: ${fault}`);
}

function faultOfShape(text: string): string {
  if (isIPv6(text) || text.split(":").length > 2) {
    return 'an IPv6 address stands in brackets, like "[::1]:7700"';
  }
  if (!text.includes(":")) return 'the port is missing; it is "HOST:PORT" or "unix:PATH"';
  return 'it is "HOST:PORT" or "unix:PATH"';
}

function faultOfBracketed(host: string): string | undefined {
  return isIPv6(host) ? undefined : `[${host}] is not an IPv6 address`;
}

function faultOfHost(host: string): string | undefined {
  if (host === "") return "the host is missing; all interfaces are 0.0.0.0 or [::]";
  if (isIP(host)) return undefined;
  if (/^[\d.]+$/.test(host)) return `${host} is not an IPv4 address`;
  const isName = host.length <= MAX_HOST_LENGTH && /^[A-Za-z0-9_]([A-Za-z0-9._-]*)$/.test(host);
  return isName ? undefined : `${host} is not the name of a host`;
}
