// Frames behind a prefix: read behind the same one they give the content, whatever the two are; and
// no bytes make the decoder write elsewhere.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ZSTD_AFTER_SCRATCH_BYTES } from "../../../src/kernels/abi.ts";
import { builds, FIRST_FREE_BYTE, openKernels } from "../../support/kernels.ts";
import { memoryLike } from "../../support/lz4-inputs.ts";
import { randomSeed, seededRandom } from "../../support/random.ts";
import { anyPiece, textLike } from "../../support/zstd-inputs.ts";

const GUARD = 4096;
const PAINT = 0xa5;
const MAX_BYTES = 2 << 20;
const SCRATCH = FIRST_FREE_BYTE + GUARD;
const PREFIX = SCRATCH + ZSTD_AFTER_SCRATCH_BYTES + GUARD;
const BODY = PREFIX + 2 * MAX_BYTES + GUARD;
const END = BODY + MAX_BYTES + GUARD;

describe.each(builds)("frames behind a prefix, $name build", ({ name }) => {
  const seed = randomSeed(`matchafter, ${name}`);
  const { kernels, bytes } = openKernels(name, END - FIRST_FREE_BYTE);

  function isPainted(from: number): boolean {
    return bytes.subarray(from, from + GUARD).every((byte) => byte === PAINT);
  }

  function encode(prefix: Uint8Array, content: Uint8Array, home: number, room = MAX_BYTES) {
    bytes.set(prefix, PREFIX);
    bytes.set(content, PREFIX + prefix.length);
    for (const at of [SCRATCH - GUARD, PREFIX - GUARD, BODY - GUARD, BODY + room]) {
      bytes.fill(PAINT, at, at + GUARD);
    }
    const [p, c] = [prefix.length, content.length];
    const length = kernels.zstdCompressAfter(PREFIX, p, c, home, BODY, room, SCRATCH);
    for (const at of [SCRATCH - GUARD, PREFIX - GUARD, BODY - GUARD, BODY + room]) {
      expect(isPainted(at)).toBe(true);
    }
    return bytes.slice(BODY, BODY + length);
  }

  function decode(prefix: Uint8Array, body: Uint8Array, room: number): Uint8Array | number {
    const end = PREFIX + prefix.length + room;
    bytes.set(prefix, PREFIX);
    bytes.fill(PAINT, end, end + GUARD);
    bytes.set(body, BODY);
    const [p, b] = [prefix.length, body.length];
    const length = kernels.zstdDecompressAfter(BODY, b, PREFIX, p, room, SCRATCH);
    expect(isPainted(end)).toBe(true);
    expect(Buffer.compare(bytes.subarray(PREFIX, PREFIX + p), prefix)).toBe(0);
    return length < 0 ? length : bytes.slice(PREFIX + p, PREFIX + p + length);
  }

  function expectBack(prefix: Uint8Array, content: Uint8Array, home: number): Uint8Array {
    const body = encode(prefix, content, home);
    expect(Buffer.compare(decode(prefix, body, content.length) as Uint8Array, content)).toBe(0);
    return body;
  }

  test("edges of lengths, and every home", () => {
    const text = textLike(300, seed);
    for (const length of [0, 1, 7, 8, 19, 20, 21, 63, 64, 255, 256, 300]) {
      for (const prefixLength of [8, 9, 64, 300]) {
        for (const home of [0, 1, 8, length, prefixLength, 9999]) {
          expectBack(text.subarray(0, prefixLength), text.subarray(0, length), home);
        }
      }
    }
    expect(encode(text.subarray(0, 7), text, 0).length).toBe(0);
  });

  test("large ones, of which little is new", () => {
    const random = seededRandom(seed);
    for (const older of [memoryLike(1 << 20, seed), random.bytes(200_000)]) {
      const content = older.slice();
      for (let at = random.int(200); at < content.length; at += 200 + random.int(9000)) {
        content[at] ^= 1 + random.int(255);
      }
      const body = expectBack(Buffer.concat([textLike(5000, 1), older]), content, older.length);
      expect(body.length).toBeLessThan(content.length / 150);
      // What was moved is found without a home, too.
      expectBack(Buffer.concat([older.subarray(0, 100_000), older]), older.subarray(3), 0);
    }
  });

  test("property: what is compressed decompresses to itself", () => {
    const input = fc.array(anyPiece, { maxLength: 12 }).map((pieces) => Buffer.concat(pieces));
    const property = fc.property(input, input, fc.nat(3000), (prefix, content, home) => {
      if (prefix.length >= 8) expectBack(prefix, content, home);
    });
    fc.assert(property, { seed, numRuns: 150 });
  });

  test("does not fit, or fits exactly", () => {
    const content = seededRandom(seed).bytes(5000);
    const { length } = encode(content.subarray(0, 8), content, 0);
    expect(length).toBe(5000 + 7 + 3);
    expect(encode(content.subarray(0, 8), content, 0, length - 1).length).toBe(0);
    expect(encode(content.subarray(0, 8), content, 0, length).length).toBe(length);
  });

  test("what is broken is refused, or gives as many bytes", () => {
    const random = seededRandom(seed);
    const older = memoryLike(30_000, seed);
    const content = memoryLike(30_000, seed + 1);
    const body = encode(older, content, older.length);
    expect(decode(older.subarray(0, 0), body, content.length)).toBeLessThan(0);
    expect(decode(older, Buffer.concat([body, body]), 2 * content.length)).toBeLessThan(0);
    for (let i = 0; i < 2000; i++) {
      const broken = body.slice(0, random.int(10) === 0 ? random.int(body.length) : undefined);
      for (let n = random.int(4); n >= 0; n--) broken[random.int(broken.length)] = random.int(256);
      const cut = random.int(2) === 0 ? older : older.subarray(random.int(older.length));
      const found = decode(cut, broken, content.length);
      expect(typeof found === "number" ? found < 0 : found.length <= content.length).toBe(true);
    }
  });
});
