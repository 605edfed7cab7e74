// The certificates of one end of a link, in QEMU's x509 layout: ca-cert.pem, perhaps ca-crl.pem,
// and server-cert.pem with server-key.pem where we listen, client-*.pem where we connect.
//
// Everything that can be wrong with our own files is found here, by name, before anybody connects.
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import { PagefoldError, reasonOf } from "../core/errors.ts";

/** What `connect` and `listen` need for TLS. */
export interface TlsIdentity {
  role: TlsRole;
  /** For `tls.connect` and `tls.createServer`. */
  secureOptions: SecureContextOptions;
}

/** The end of the link that the certificate is for. */
export type TlsRole = "server" | "client";

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Reads the files of one role. What is wrong with one of them is an INPUT error that names it. */
export async function loadTlsIdentity(directory: string, role: TlsRole): Promise<TlsIdentity> {
  const path = (name: string): string => join(directory, name);
  const caPath = path("ca-cert.pem");
  const certPath = path(`${role}-cert.pem`);
  const keyPath = path(`${role}-key.pem`);
  const crlPath = path("ca-crl.pem");
  const [ca, cert, key, crl] = await Promise.all([
    readText(caPath),
    readText(certPath),
    readText(keyPath),
    readText(crlPath).catch((error: PagefoldError) => {
      if ((error.cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }),
  ]);
  const authorities = certificatesOf(ca, caPath);
  const chain = certificatesOf(cert, certPath);
  checkDates(authorities, caPath);
  checkDates(chain, certPath);
  checkIssued(chain, authorities, certPath);
  if (!chain[0].checkPrivateKey(privateKeyOf(key, keyPath))) {
    throw inputError(keyPath, `is not the key of ${role}-cert.pem`);
  }
  const lists = crl === undefined ? {} : { crl };
  const secureOptions: SecureContextOptions = { ca, cert, key, ...lists, minVersion: "TLSv1.2" };
  try {
    createSecureContext(secureOptions);
  } catch (error) {
    // The others have been parsed above; a list is what is left to fail.
    if (crl === undefined) throw inputError(certPath, reasonOf(error), error);
    throw inputError(crlPath, "holds no PEM list of revoked certificates", error);
  }
  return { role, secureOptions };
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "latin1");
  } catch (error) {
    throw inputError(path, reasonOf(error), error);
  }
}

function certificatesOf(text: string, path: string): [X509Certificate, ...X509Certificate[]] {
  try {
    const [first, ...rest] = (text.match(CERTIFICATE) ?? []).map((pem) => new X509Certificate(pem));
    if (first) return [first, ...rest];
  } catch (error) {
    throw inputError(path, "holds a certificate that is no X.509", error);
  }
  throw inputError(path, "holds no PEM certificate");
}

function privateKeyOf(text: string, path: string): KeyObject {
  if (text.includes("ENCRYPTED")) {
    throw inputError(path, "is locked with a passphrase, which nobody can type here");
  }
  try {
    return createPrivateKey(text);
  } catch (error) {
    throw inputError(path, "holds no PEM private key", error);
  }
}

function checkDates(certificates: readonly X509Certificate[], path: string): void {
  const now = Date.now();
  for (const { validFrom, validTo } of certificates) {
    if (now > Date.parse(validTo)) {
      throw inputError(path, `expired on ${validTo}`);
    }
    if (now < Date.parse(validFrom)) {
      throw inputError(path, `is not valid before ${validFrom}`);
    }
  }
}

/** Each certificate of the chain is issued by the next, the last one by an authority. */
function checkIssued(
  chain: readonly X509Certificate[],
  authorities: readonly X509Certificate[],
  path: string,
): void {
  chain.forEach((certificate, at) => {
    const issuers = at + 1 < chain.length ? [chain[at + 1], ...authorities] : authorities;
    const isIssued = (issuer: X509Certificate): boolean =>
      certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
    if (issuers.some(isIssued)) return;
    throw inputError(path, "was not issued by the CA of ca-cert.pem");
  });
}

function inputError(path: string, reason: string, cause?: unknown): PagefoldError {
  return new PagefoldError("INPUT", `${path}: ${reason}`, { cause });
}
