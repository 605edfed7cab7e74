// Why a link failed, in one line: the texts for what the system, OpenSSL and node say.
import { PagefoldError, reasonOf } from "../core/errors.ts";

const REASONS: Record<string, string> = {
  ECONNREFUSED: "nobody listens there",
  ECONNRESET: "the peer broke the connection",
  ERR_STREAM_DESTROYED: "the connection is closed",
  ERR_STREAM_WRITE_AFTER_END: "the connection is closed",
  ERR_SOCKET_CLOSED: "the connection is closed",
  ECONNABORTED: "the connection was given up",
  EPIPE: "the peer has closed the connection",
  ETIMEDOUT: "the peer does not answer",
  EHOSTUNREACH: "there is no way to that host",
  ENETUNREACH: "there is no way to that network",
  EADDRINUSE: "the address is in use",
  EADDRNOTAVAIL: "this machine does not have that address",
  ENOTFOUND: "there is no host of that name",
  EAI_AGAIN: "the name cannot be looked up now",
  // What we find wrong with the peer's certificate.
  CERT_HAS_EXPIRED: "the peer's certificate has expired",
  CERT_NOT_YET_VALID: "the peer's certificate is not valid yet",
  CERT_REVOKED: "the peer's certificate is on the list of ca-crl.pem",
  CRL_HAS_EXPIRED: "the list of ca-crl.pem has expired",
  UNABLE_TO_GET_CRL: "ca-crl.pem is not of the peer's CA",
  DEPTH_ZERO_SELF_SIGNED_CERT: "the peer's certificate is signed by itself, not by our CA",
  SELF_SIGNED_CERT_IN_CHAIN: "the peer's certificate comes from a CA that is not in ca-cert.pem",
  UNABLE_TO_GET_ISSUER_CERT: "the peer's certificate comes from a CA that is not in ca-cert.pem",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    "the peer's certificate comes from a CA that is not in ca-cert.pem",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    "the peer's certificate comes from a CA that is not in ca-cert.pem",
  CERT_SIGNATURE_FAILURE: "the peer's certificate was not signed by the CA it names",
  INVALID_PURPOSE: "the peer's certificate is not made for this end of a connection",
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: "the peer shows no certificate",
  // What the peer finds wrong with ours.
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: "the peer asks for a certificate of ours",
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: "the peer does not know the CA of our certificate",
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: "the peer says that our certificate has expired",
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_REVOKED: "the peer says that our certificate is revoked",
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: "the peer refuses our certificate",
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: "the peer refuses our certificate",
  ERR_SSL_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    "the peer says that our certificate is not made for this end of a connection",
  // The peer speaks something else.
  ERR_SSL_WRONG_VERSION_NUMBER: "the peer does not speak TLS",
  ERR_SSL_PACKET_LENGTH_TOO_LONG: "the peer does not speak TLS",
  ERR_SSL_HTTP_REQUEST: "the peer does not speak TLS",
  ERR_SSL_UNSUPPORTED_PROTOCOL: "the peer speaks no TLS as new as 1.2",
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: "the peer speaks no TLS version of ours",
};

/** The reason of a failed link without the place. */
export function linkReason(error: unknown): string {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") return nameReason(error as AltNameError);
  if (typeof code === "string" && code in REASONS) return REASONS[code];
  if (name === "AbortError") return "given up";
  // The rest of an OpenSSL error is an address and a file name of its own.
  return reasonOf(error)
    .replace(/^[0-9A-F]+:error:[0-9A-F]+:(?:[^:]*:){2}/, "")
    .split(":")[0];
}

/** A failure of a link; errors that are ours already pass. */
export function linkError(place: string, error: unknown): PagefoldError {
  if (error instanceof PagefoldError) return error;
  return new PagefoldError("CONNECTION", `${place}: ${linkReason(error)}`, { cause: error });
}

interface AltNameError {
  host: string;
  cert: { subjectaltname?: string };
}

function nameReason({ host, cert }: AltNameError): string {
  const names = cert.subjectaltname;
  const text = names ? `only for ${names}` : "for no name at all";
  return `the peer's certificate is not made for ${host}, ${text}`;
}
