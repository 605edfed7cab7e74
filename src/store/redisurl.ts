// Addresses of Redis servers as redis-cli and its clients write them, and what of them may be told.
// Nothing here connects.
import { existsSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import { PagefoldError } from "../core/errors.ts";

/** Files of certificates, for rediss://. */
export interface RedisTls {
  /** Who may have signed the server's certificate; without it whom Node trusts. */
  readonly caFile?: string | undefined;
  /** What we show to a server that asks. */
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

/** The files of a directory such as QEMU's x509 credentials have; ours only when it holds one. */
export function redisTlsIn(dir: string): RedisTls {
  const [caFile, certFile, keyFile] = ["ca-cert.pem", "client-cert.pem", "client-key.pem"].map(
    (name) => join(dir, name),
  );
  return existsSync(certFile) ? { caFile, certFile, keyFile } : { caFile };
}

/** Where a server is, and who we are to it. */
export interface RedisAddress {
  /** For people: host and port, or the path of a socket; never a password. */
  readonly place: string;
  readonly host: string;
  readonly port: number;
  /** A unix socket instead of host and port. */
  readonly path?: string;
  readonly isTls: boolean;
  readonly user?: string;
  readonly password?: string;
  readonly database: number;
}

const DEFAULT_PORT = 6379;
const FORMS = "redis://HOST[:PORT], rediss:// for TLS, or redis+unix:///PATH";

/**
 * Reads redis://, rediss:// and redis+unix://, each with [[USER]:PASSWORD@] before and /DATABASE
 * behind the host (?db=DATABASE behind a path). Without a password that of REDISCLI_AUTH, as
 * redis-cli has it. USAGE; the message does not repeat what may be a password.
 */
export function parseRedisUrl(url: string, env = process.env): RedisAddress {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const scheme = parsed?.protocol;
  if (!parsed || !["redis:", "rediss:", "redis+unix:"].includes(scheme ?? "")) {
    throw new PagefoldError("USAGE", `this is not the address of a Redis server: it is ${FORMS}`);
  }
  const user = decoded(parsed.username);
  const password = decoded(parsed.password) || env.REDISCLI_AUTH || undefined;
  const who = { ...(user && { user }), ...(password && { password }) };
  if (scheme === "redis+unix:") {
    const path = decoded(parsed.pathname);
    if (!path.startsWith("/") || path.length < 2) {
      throw new PagefoldError("USAGE", `a socket is redis+unix:///PATH, it takes ${FORMS}`);
    }
    const database = databaseOf(parsed.searchParams.get("db") ?? "");
    return { place: path, host: "localhost", port: 0, path, isTls: false, database, ...who };
  }
  // An address of IPv6 stands in brackets in a URL, and nowhere else.
  const host = parsed.hostname.replace(/^\[(.*)\]$/, "$1") || "localhost";
  const port = parsed.port === "" ? DEFAULT_PORT : Number(parsed.port);
  const place = `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
  const database = databaseOf(parsed.pathname.slice(1));
  return { place, host, port, isTls: scheme === "rediss:", database, ...who };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function databaseOf(text: string): number {
  if (!/^\d{0,5}$/.test(text)) throw new PagefoldError("USAGE", `a database of Redis is a number`);
  return Number(text);
}

/**
 * Whether strangers are kept away from what lies there: it is on this machine, or it asks for a
 * password or a certificate. Says nothing of whether the wire can be read; pages are sealed.
 */
export function isProtected(url: string, tls: RedisTls = {}, env = process.env): boolean {
  const { host, path, password, isTls } = parseRedisUrl(url, env);
  const isHere = path !== undefined || isLoopback(host);
  return isHere || password !== undefined || (isTls && tls.certFile !== undefined);
}

/** Whether nobody on a network can read what goes there. */
export function isPrivate(url: string): boolean {
  const { host, path, isTls } = parseRedisUrl(url);
  return path !== undefined || isTls || isLoopback(host);
}

function isLoopback(host: string): boolean {
  const isIpv4 = isIP(host) === 4 && host.startsWith("127.");
  return isIpv4 || host === "::1" || /^(.+\.)?localhost\.?$/i.test(host);
}
