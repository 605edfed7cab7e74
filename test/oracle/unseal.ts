// What is sealed in an archive, opened as docs/format.md §1.5 says and with node:crypto alone.
import { createDecipheriv, hkdfSync } from "node:crypto";

function derived(key: Buffer, salt: Buffer, info: Buffer, byteLength: number): Buffer {
  return Buffer.from(hkdfSync("sha256", key, salt, info, byteLength));
}

function opened(sessionKey: Buffer, nonce: Buffer, sealed: Buffer, tag: Buffer, bound: Buffer) {
  const decipher = createDecipheriv("aes-256-gcm", sessionKey, nonce);
  decipher.setAAD(bound);
  decipher.setAuthTag(tag);
  return Buffer.concat([decipher.update(sealed), decipher.final()]);
}

function gcmNonce(kind: number, number: number): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt8(kind, 0);
  nonce.writeBigUInt64LE(BigInt(number), 4);
  return nonce;
}

export class Unsealer {
  private readonly key: Buffer;
  private readonly salt: Buffer;

  /** `superblock` is either one of the archive. Throws unless the key fits. */
  constructor(key: Buffer, superblock: Buffer) {
    this.key = key;
    this.salt = superblock.subarray(64, 96);
    if (superblock[56] !== 1) throw new Error("oracle: is not sealed");
    const check = derived(key, this.salt, Buffer.from("pagefold key check"), 16);
    if (!check.equals(superblock.subarray(96, 112))) throw new Error("oracle: another key");
  }

  /** The head of the batch at `at`, as it is without a seal. */
  head(archive: Buffer, at: number): Buffer {
    const header = archive.subarray(at, at + 64);
    if (header[5] !== 1) throw new Error(`oracle: the batch at ${at} is not sealed`);
    const stored = archive.subarray(at + 64, at + 64 + header.readUInt32LE(12));
    const bound = Buffer.from(header);
    bound.writeBigUInt64LE(BigInt(at), 56);
    const nonce = gcmNonce(1, header.readUInt32LE(8));
    const [sealed, tag] = [stored.subarray(0, -16), stored.subarray(-16)];
    return opened(this.sessionKey(header), nonce, sealed, tag, bound);
  }

  /** A cluster of the batch at `at`: what follows its checksum in one that is not sealed. */
  cluster(archive: Buffer, at: number, number: number, bytes: Buffer): Buffer {
    const key = this.sessionKey(archive.subarray(at, at + 64));
    const [tag, sealed] = [bytes.subarray(8, 24), bytes.subarray(24)];
    return opened(key, gcmNonce(2, number), sealed, tag, Buffer.alloc(0));
  }

  private sessionKey(header: Buffer): Buffer {
    const info = Buffer.concat([Buffer.from("pagefold session "), header.subarray(24, 48)]);
    return derived(this.key, this.salt, info, 32);
  }
}
