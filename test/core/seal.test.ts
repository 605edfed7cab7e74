// What is sealed opens under its own key, kind, number and binding, and under nothing else.
import { createSecretKey, randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import {
  ClusterKeys,
  keyObject,
  openBytes,
  SealKind,
  sealBytes,
  sessionKey,
} from "../../src/core/seal.ts";
import { seededRandom } from "../support/random.ts";

const random = seededRandom(7);
const key = createSecretKey(randomBytes(32));

it("seal: gives back what was sealed, also in shared memory", () => {
  const memory = new Uint8Array(new SharedArrayBuffer(70_000));
  for (const length of [0, 1, 15, 16, 17, 65_536]) {
    const content = memory.subarray(9, 9 + length);
    content.set(random.bytes(length));
    const { sealed, tag } = sealBytes(key, SealKind.CLUSTER, 2 ** 33 + length, content);
    expect(sealed.length).toBe(length);
    const opened = openBytes(key, SealKind.CLUSTER, 2 ** 33 + length, sealed, tag);
    expect(Buffer.compare(opened as Uint8Array, new Uint8Array(content))).toBe(0);
  }
});

it("seal: opens nothing that was sealed otherwise", () => {
  const bound = random.bytes(64);
  const content = random.bytes(100);
  const { sealed, tag } = sealBytes(key, SealKind.HEAD, 5, content, bound);
  const changed = (bytes: Uint8Array): Uint8Array => {
    const copy = new Uint8Array(bytes);
    copy[random.int(copy.length)] ^= 1 << random.int(8);
    return copy;
  };
  const other = createSecretKey(randomBytes(32));
  expect(openBytes(key, SealKind.HEAD, 5, sealed, tag, bound)).toEqual(Buffer.from(content));
  expect(openBytes(other, SealKind.HEAD, 5, sealed, tag, bound)).toBeUndefined();
  expect(openBytes(key, SealKind.CLUSTER, 5, sealed, tag, bound)).toBeUndefined();
  expect(openBytes(key, SealKind.HEAD, 6, sealed, tag, bound)).toBeUndefined();
  expect(openBytes(key, SealKind.HEAD, 5, sealed, tag, changed(bound))).toBeUndefined();
  expect(openBytes(key, SealKind.HEAD, 5, sealed, tag)).toBeUndefined();
  expect(openBytes(key, SealKind.HEAD, 5, changed(sealed), tag, bound)).toBeUndefined();
  expect(openBytes(key, SealKind.HEAD, 5, sealed, changed(tag), bound)).toBeUndefined();
});

it("seal: takes keys of 32 bytes, and does not print them", () => {
  for (const length of [0, 16, 31, 33, 64]) {
    for (const wrong of [new Uint8Array(length), createSecretKey(Buffer.alloc(length, 1))]) {
      if (length === 0 && !(wrong instanceof Uint8Array)) continue;
      expect(() => keyObject(wrong)).toThrow(`key: ${length} bytes, it takes 32`);
    }
  }
  const bytes = randomBytes(32);
  const object = keyObject(bytes);
  expect(object.export().equals(bytes)).toBe(true);
  expect(keyObject(object)).toBe(object);
  expect(JSON.stringify({ object })).toBe('{"object":{}}');
});

it("seal: finds the session of a cluster", () => {
  const salt = randomBytes(32);
  const nonces = [0, 1, 2].map(() => randomBytes(24));
  const keys = new ClusterKeys({ key, salt, firstClusters: [0, 10, 10], nonces });
  const sessions = [0, 9, 10, 11, 4_000_000_000].map((cluster) => keys.keyOf(cluster));
  const expected = [0, 0, 2, 2, 2].map((i) => sessionKey(key, salt, nonces[i]));
  expect(sessions.map((found, i) => found?.equals(expected[i]))).toEqual(Array(5).fill(true));
  const later = new ClusterKeys({ key, salt, firstClusters: [3], nonces });
  expect(later.keyOf(2)).toBeUndefined();
});
