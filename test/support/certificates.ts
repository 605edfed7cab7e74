// X.509 certificates for tests, written as DER with node:crypto alone: authorities, certificates of
// both roles with every fault a test asks for, and lists of what was revoked. RFC 5280.
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { writeFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";

const HOUR_MS = 3_600_000;
const ECDSA_WITH_SHA256 = tlv(0x30, oid("2a8648ce3d040302"));
const COMMON_NAME = oid("550403");
const BASIC_CONSTRAINTS = oid("551d13");
const ALTERNATIVE_NAMES = oid("551d11");
const EXTENDED_USAGE = oid("551d25");
const USAGES = { server: oid("2b06010505070301"), client: oid("2b06010505070302") };

export interface CertificateOptions {
  /** Host names and IP addresses. */
  names?: readonly string[];
  usage?: "server" | "client";
  notBefore?: Date;
  notAfter?: Date;
}

export interface Certificate {
  certPem: string;
  keyPem: string;
  serial: number;
}

export interface Authority {
  certPem: string;
  issue(subject: string, options?: CertificateOptions): Certificate;
  /** A list of revoked serial numbers. */
  revoke(serials: readonly number[]): string;
}

let lastSerial = 0;

export function newAuthority(name: string, options: CertificateOptions = {}): Authority {
  const { publicKey, privateKey } = newKeys();
  const signed = (body: Buffer): Buffer =>
    tlv(0x30, body, ECDSA_WITH_SHA256, bits(sign("sha256", body, privateKey)));
  const own = certificateBody(name, name, publicKey, ++lastSerial, options, true);
  return {
    certPem: pem("CERTIFICATE", signed(own)),
    issue(subject, wanted = {}) {
      const keys = newKeys();
      const serial = ++lastSerial;
      const body = certificateBody(name, subject, keys.publicKey, serial, wanted, false);
      return {
        certPem: pem("CERTIFICATE", signed(body)),
        keyPem: keys.privateKey.export({ type: "pkcs8", format: "pem" }) as string,
        serial,
      };
    },
    revoke(serials) {
      const entries = serials.map((serial) => tlv(0x30, integer(serial), time(hours(-1))));
      const dates = [time(hours(-1)), time(hours(1))];
      const list = entries.length > 0 ? [tlv(0x30, ...entries)] : [];
      const body = tlv(0x30, integer(1), ECDSA_WITH_SHA256, nameOf(name), ...dates, ...list);
      return pem("X509 CRL", signed(body));
    },
  };
}

/** Writes a directory of certificates in QEMU's layout, with both roles. */
export function writeTlsFiles(
  folder: string,
  authority: Authority,
  {
    server = authority.issue("server", { names: ["localhost", "127.0.0.1", "::1"] }),
  }: {
    server?: Certificate;
  } = {},
  client: Certificate = authority.issue("client"),
): void {
  writeFileSync(join(folder, "ca-cert.pem"), authority.certPem);
  writeFileSync(join(folder, "server-cert.pem"), server.certPem);
  writeFileSync(join(folder, "server-key.pem"), server.keyPem);
  writeFileSync(join(folder, "client-cert.pem"), client.certPem);
  writeFileSync(join(folder, "client-key.pem"), client.keyPem);
}

export function hours(count: number): Date {
  return new Date(Date.now() + count * HOUR_MS);
}

function newKeys(): { publicKey: KeyObject; privateKey: KeyObject } {
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}

function certificateBody(
  issuer: string,
  subject: string,
  publicKey: KeyObject,
  serial: number,
  { names = [], usage, notBefore = hours(-1), notAfter = hours(24) }: CertificateOptions,
  isAuthority: boolean,
): Buffer {
  const extensions: Buffer[] = [];
  if (isAuthority) extensions.push(extension(BASIC_CONSTRAINTS, tlv(0x30, tlv(0x01, [0xff]))));
  if (names.length > 0) {
    extensions.push(extension(ALTERNATIVE_NAMES, tlv(0x30, ...names.map(alternativeName))));
  }
  if (usage) extensions.push(extension(EXTENDED_USAGE, tlv(0x30, USAGES[usage])));
  return tlv(
    0x30,
    tlv(0xa0, integer(2)),
    integer(serial),
    ECDSA_WITH_SHA256,
    nameOf(issuer),
    tlv(0x30, time(notBefore), time(notAfter)),
    nameOf(subject),
    publicKey.export({ type: "spki", format: "der" }),
    ...(extensions.length > 0 ? [tlv(0xa3, tlv(0x30, ...extensions))] : []),
  );
}

function extension(id: Buffer, value: Buffer): Buffer {
  return tlv(0x30, id, tlv(0x04, value));
}

function alternativeName(name: string): Buffer {
  if (isIP(name) === 4) return tlv(0x87, name.split(".").map(Number));
  if (name === "::1") return tlv(0x87, [...new Array(15).fill(0), 1]);
  return tlv(0x82, Buffer.from(name));
}

function nameOf(commonName: string): Buffer {
  return tlv(0x30, tlv(0x31, tlv(0x30, COMMON_NAME, tlv(0x0c, Buffer.from(commonName)))));
}

/** Tag, length, value. */
function tlv(tag: number, ...contents: (Uint8Array | readonly number[])[]): Buffer {
  const value = Buffer.concat(contents.map((content) => Uint8Array.from(content)));
  const { length } = value;
  const head = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8];
  if (length >= 0x100) head.push(length & 0xff);
  return Buffer.concat([Buffer.from([tag, ...head]), value]);
}

function oid(hex: string): Buffer {
  return tlv(0x06, Buffer.from(hex, "hex"));
}

function integer(value: number): Buffer {
  return tlv(
    0x02,
    [(value >> 24) & 0x7f, (value >> 16) & 0xff, (value >> 8) & 0xff, value & 0xff].slice(
      value < 0x80 ? 3 : value < 0x8000 ? 2 : 0,
    ),
  );
}

function bits(value: Uint8Array): Buffer {
  return tlv(0x03, [0], value);
}

function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/[-:T]/g, "").slice(2, 14);
  return tlv(0x17, Buffer.from(`${digits}Z`));
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}
