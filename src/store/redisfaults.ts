// What goes wrong with a Redis server, as one line that names the place and the reason.
import { PagefoldError, reasonOf } from "../core/errors.ts";

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nobody listens there",
  ECONNRESET: "the server broke off the connection",
  EPIPE: "the server broke off the connection",
  ENOTFOUND: "no such host",
  EAI_AGAIN: "the name of the host cannot be looked up",
  ETIMEDOUT: "no answer",
  EHOSTUNREACH: "no way to this host",
  ENETUNREACH: "no way to this network",
};

/** Names that the client gives its errors, by the class. */
const CLIENT_REASONS: Readonly<Record<string, string>> = {
  ConnectionTimeoutError: "no answer while connecting",
  SocketTimeoutError: "no answer for a long time",
  SocketClosedUnexpectedlyError: "the server broke off the connection",
  ClientClosedError: "the connection was closed",
  ClientOfflineError: "the connection is lost",
  DisconnectsClientError: "the connection was closed",
  RootNodesUnavailableError: "no server of the cluster answers",
};

/** LIMIT when the server is full, otherwise CONNECTION. */
export function redisFailure(place: string, error: unknown): PagefoldError {
  if (error instanceof PagefoldError) return error;
  const reason = redisReason(error);
  // A script passes on what a command answers, in words around it.
  if (/\bOOM\b/.test(reason)) {
    return new PagefoldError("LIMIT", `Redis at ${place}: full (maxmemory)`, { cause: error });
  }
  return new PagefoldError("CONNECTION", `Redis at ${place}: ${reason}`, { cause: error });
}

function redisReason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // All addresses of a name were tried.
  if (error instanceof AggregateError && error.errors.length > 0) {
    return redisReason(error.errors[0]);
  }
  const { code } = error as NodeJS.ErrnoException;
  const known = REASONS[code ?? ""] ?? CLIENT_REASONS[error.constructor.name];
  // What a server says may have any length.
  return (known ?? reasonOf(error)).split("\n", 1)[0].slice(0, MAX_REASON);
}

const MAX_REASON = 200;
