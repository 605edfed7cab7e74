// The keys of a scope that spans racks: one for the digests that name pages between hosts, one for
// sealing pages in a store. Both come from a secret that the hosts share.
import { createSecretKey } from "node:crypto";
import { deriveBytes, KEY_BYTES } from "../core/seal.ts";

const DIGEST_PURPOSE = Buffer.from("pagefold rack digest");
const SEAL_PURPOSE = Buffer.from("pagefold rack seal");
/** A secret that is none; never one of a key file, which has 32 bytes. */
const NO_SECRET = Buffer.from("pagefold rack without a key file");

export interface RackSecrets {
  readonly digestKey: Uint8Array;
  readonly sealKey: Uint8Array;
}

/**
 * The keys of `scope` for who has `secret`. Without a secret they follow from the scope's name
 * alone: that keeps scopes apart, but hides nothing from anybody who knows or guesses the name.
 * Who can reach the index may then ask which pages a scope has, and who can reach the store may
 * read it.
 */
export function rackKeys(secret: Uint8Array | undefined, scope: string): RackSecrets {
  // What was hashed with a secret is never what was hashed without.
  const given = secret === undefined ? [NO_SECRET] : [Buffer.of(1), secret];
  const key = createSecretKey(Buffer.concat(given));
  const salt = Buffer.from(scope);
  return {
    digestKey: deriveBytes(key, salt, DIGEST_PURPOSE, KEY_BYTES),
    sealKey: deriveBytes(key, salt, SEAL_PURPOSE, KEY_BYTES),
  };
}
