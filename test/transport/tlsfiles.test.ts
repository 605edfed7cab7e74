// Our own certificate files: each fault is found before anybody connects, and names its file.
import { generateKeyPairSync } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadTlsIdentity } from "../../src/transport/tlsfiles.ts";
import { hours, newAuthority, writeTlsFiles } from "../support/certificates.ts";
import { temporaryFolder } from "../support/folder.ts";

const authority = newAuthority("test CA");

describe("the files of --tls-dir", () => {
  it("are read for either role, with a list of revoked certificates or without", async () => {
    const folder = temporaryFolder();
    writeTlsFiles(folder, authority);
    expect((await loadTlsIdentity(folder, "client")).role).toBe("client");
    writeFileSync(join(folder, "ca-crl.pem"), authority.revoke([1, 2]));
    const { secureOptions } = await loadTlsIdentity(folder, "server");
    expect(secureOptions).toMatchObject({ minVersion: "TLSv1.2" });
    expect(secureOptions.crl).toContain("BEGIN X509 CRL");
  });

  it("may hold a CA among others, and files of the other role may be missing", async () => {
    const folder = temporaryFolder();
    writeTlsFiles(folder, authority);
    const both = newAuthority("another CA").certPem + authority.certPem;
    writeFileSync(join(folder, "ca-cert.pem"), both);
    rmSync(join(folder, "client-key.pem"));
    await loadTlsIdentity(folder, "server");
  });

  const stranger = newAuthority("a stranger");
  it.each<[string, string, string | undefined, string]>([
    ["a missing CA", "ca-cert.pem", undefined, "no such file or directory"],
    ["a missing certificate", "server-cert.pem", undefined, "no such file or directory"],
    ["a missing key", "server-key.pem", undefined, "no such file or directory"],
    ["a file of something else", "server-cert.pem", "hello\n", "holds no PEM certificate"],
    [
      "a certificate that is none",
      "ca-cert.pem",
      "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
      "holds a certificate that is no X.509",
    ],
    ["a key that is none", "server-key.pem", "hello\n", "holds no PEM private key"],
    [
      "a key with a passphrase",
      "server-key.pem",
      generateKeyPairSync("ed25519").privateKey.export({
        type: "pkcs8",
        format: "pem",
        cipher: "aes-128-cbc",
        passphrase: "x",
      }) as string,
      "is locked with a passphrase",
    ],
    [
      "a key of another certificate",
      "server-key.pem",
      authority.issue("other").keyPem,
      "is not the key of server-cert.pem",
    ],
    [
      "a certificate of another CA",
      "server-cert.pem",
      stranger.issue("server").certPem,
      "was not issued by the CA of ca-cert.pem",
    ],
    [
      "a CA of the same name",
      "ca-cert.pem",
      newAuthority("test CA").certPem,
      "was not issued by the CA of ca-cert.pem",
    ],
    [
      "an old certificate",
      "server-cert.pem",
      authority.issue("server", { notAfter: hours(-0.5) }).certPem,
      "expired on",
    ],
    [
      "a certificate of tomorrow",
      "server-cert.pem",
      authority.issue("server", { notBefore: hours(24), notAfter: hours(48) }).certPem,
      "is not valid before",
    ],
    [
      "an old CA",
      "ca-cert.pem",
      newAuthority("test CA", { notAfter: hours(-0.5) }).certPem,
      "expired on",
    ],
    ["a list that is none", "ca-crl.pem", "hello\n", "holds no PEM list of revoked certificates"],
  ])("with %s are refused", async (_, name, text, reason) => {
    const folder = temporaryFolder();
    writeTlsFiles(folder, authority);
    if (text === undefined) rmSync(join(folder, name));
    else writeFileSync(join(folder, name), text);
    const error = await loadTlsIdentity(folder, "server").then(
      () => undefined,
      (failure) => failure,
    );
    expect(error).toMatchObject({ code: "INPUT" });
    // A certificate is what does not fit, whichever of the two files was changed.
    const named = reason.startsWith("was not issued") ? "server-cert.pem" : name;
    expect(error.message.startsWith(`${join(folder, named)}: ${reason}`)).toBe(true);
    expect(error.message).not.toContain("\n");
  });
});
