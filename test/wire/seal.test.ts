// The seal of an archive: the example of docs/format.md §1.5, and who may write and open what.
import { createSecretKey, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { deriveBytes, openBytes, SealKind, sessionKey } from "../../src/core/seal.ts";
import { BatchType, decodeBatchHeader, decodeHead, encodeBatch } from "../../src/wire/batch.ts";
import { loadChecksum } from "../../src/wire/checksum.ts";
import { ArchiveSeal } from "../../src/wire/seal.ts";
import {
  decodeSuperblock,
  encodeSuperblock,
  type Superblock,
  UNCOMMITTED,
} from "../../src/wire/superblock.ts";
import { seededRandom } from "../support/random.ts";
import { expectTotal } from "../support/totality.ts";

const checksum = await loadChecksum();
const key = createSecretKey(randomBytes(32));
const head = new TextEncoder().encode("what stands in a head");

function sealedBatch(seal: ArchiveSeal, type: BatchType, sequence = 7, byteOffset = 9000) {
  const session = seal.begin([], sequence, 0);
  const bytes = encodeBatch(type, sequence, head, 0, checksum, { session, byteOffset });
  return { session, bytes };
}

function decode(bytes: Uint8Array, seal: ArchiveSeal | undefined, byteOffset = 9000): Uint8Array {
  const header = decodeBatchHeader(bytes, byteOffset);
  const stored = bytes.subarray(64, 64 + header.headBytes);
  return decodeHead(header, bytes, stored, checksum, seal);
}

/** With a checksum that agrees. */
function summed(bytes: Uint8Array): Uint8Array {
  const sum = checksum(bytes.subarray(0, 56), bytes.subarray(64));
  new DataView(bytes.buffer, bytes.byteOffset).setBigUint64(56, sum, true);
  return bytes;
}

describe("seal", () => {
  it("is what docs/format.md shows", () => {
    const text = readFileSync(new URL("../../docs/format.md", import.meta.url), "utf8");
    const example = text.slice(text.indexOf("**An example.** With the key"));
    const shown = (name: string): Buffer => {
      const match = new RegExp(`^ {4}${name} +((?:[0-9a-f]+\\s+)+)`, "m").exec(example);
      return Buffer.from((match?.[1] ?? "").replace(/\s/g, ""), "hex");
    };
    const bytesFrom = (first: number, count: number) =>
      Buffer.from(Array.from({ length: count }, (_, i) => first + i));
    const [salt, nonce] = [bytesFrom(0x20, 32), bytesFrom(0x40, 24)];
    const own = createSecretKey(bytesFrom(0, 32));
    const check = deriveBytes(own, salt, Buffer.from("pagefold key check"), 16);
    expect(Buffer.from(check)).toEqual(shown("key check"));
    const derived = sessionKey(own, salt, nonce);
    expect(derived.export()).toEqual(shown("session key"));
    const bound = shown("bound");
    expect(bound.length).toBe(64);
    const [sealed, tag] = [shown("ciphertext"), shown("tag")];
    const opened = openBytes(derived, SealKind.HEAD, 0, sealed, tag, bound);
    expect(Buffer.from(opened ?? []).toString("latin1", 2, 10)).toBe("tiny.raw");
  });

  it("marks the superblocks, and tells another key", () => {
    const { mark } = ArchiveSeal.create(key);
    const block = encodeSuperblock(UNCOMMITTED, checksum, mark);
    const { seal } = decodeSuperblock(block, checksum) as Superblock;
    expect(seal).toEqual(mark);
    expect(ArchiveSeal.open(mark, key)?.mark).toEqual(mark);
    expect(ArchiveSeal.open(mark, createSecretKey(randomBytes(32)))).toBeUndefined();
    expect(ArchiveSeal.create(key).mark.salt).not.toEqual(mark.salt);
  });

  it.each(Object.entries(BatchType))("opens the head of %s at its place alone", (_, type) => {
    const seal = ArchiveSeal.create(key);
    const { bytes } = sealedBatch(seal, type);
    expect(Buffer.from(decode(bytes, seal))).toEqual(Buffer.from(head));
    const refused = "is not the one that belongs there";
    expect(() => decode(bytes, seal, 9001)).toThrow(refused);
    expect(() => decode(bytes, ArchiveSeal.create(key))).toThrow(refused);
    expect(() => decode(bytes, undefined)).toThrow("is sealed, and the archive is not");
    const open = encodeBatch(type, 7, head, 0, checksum);
    expect(() => decode(open, seal)).toThrow("is not sealed, and the archive is");
    for (let at = 0; at < bytes.length; at++) {
      const flipped = bytes.slice();
      flipped[at] ^= 1 << (at % 8);
      expect(() => decode(flipped, seal), `byte ${at}`).toThrow();
      if (at < 56 || at >= 64) expect(() => decode(summed(flipped), seal), `byte ${at}`).toThrow();
    }
  });

  it("knows the session that a number is of", () => {
    const seal = ArchiveSeal.create(key);
    const first = sealedBatch(seal, BatchType.LEAF, 0);
    const second = sealedBatch(seal, BatchType.LEAF, 9);
    const sessionOf = ({ session: { sessions } }: typeof first) => sessions[0];
    seal.admit([sessionOf(first), sessionOf(second)]);
    for (const { bytes } of [first, second]) decode(bytes, seal);
    const elsewhere = sealedBatch(seal, BatchType.LEAF, 9);
    expect(() => decode(elsewhere.bytes, seal)).toThrow("is not the one that belongs there");
  });

  it("draws another nonce for each session", () => {
    const seal = ArchiveSeal.create(key);
    const sessions = Array.from({ length: 100 }, () => seal.begin([], 0, 0));
    const nonces = new Set(sessions.map(({ nonce }) => Buffer.from(nonce).toString("hex")));
    const keys = new Set(sessions.map((session) => session.key.export().toString("hex")));
    expect([nonces.size, keys.size]).toEqual([100, 100]);
    const all = seal.begin(sessions[3].sessions, 12, 34).sessions;
    expect(all.map(({ firstSequence }) => firstSequence)).toEqual([0, 12]);
  });

  it("is total", () => {
    const seal = ArchiveSeal.create(key);
    const { bytes } = sealedBatch(seal, BatchType.DIRECTORY);
    expectTotal(bytes, (changed) => {
      if (changed.length >= 64) decode(changed, seal);
    });
    expectTotal(bytes, (changed) => {
      if (changed.length >= 64) decode(summed(new Uint8Array(changed)), seal);
    });
    const mark = { salt: randomBytes(32), keyCheck: seededRandom(3).bytes(16) };
    const block = encodeSuperblock(UNCOMMITTED, checksum, mark);
    expectTotal(block.slice(0, 4088), (changed) => {
      const whole = Buffer.concat([changed, Buffer.alloc(4096)]).subarray(0, 4096);
      whole.writeBigUInt64LE(checksum(whole.subarray(0, 4088)), 4088);
      decodeSuperblock(whole, checksum);
    });
  });
});
