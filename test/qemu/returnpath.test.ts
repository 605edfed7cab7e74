// The return path is followed to SHUT, however it is cut and whatever else it says.
import { describe, expect, it } from "vitest";
import { ReturnPath } from "../../src/qemu/returnpath.ts";
import { randomSeed, type SeededRandom, seededRandom } from "../support/random.ts";

function message(type: number, content: Uint8Array): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(type);
  head.writeUInt16BE(content.length, 2);
  return Buffer.concat([head, content]);
}

function shut(value: number): Buffer {
  const content = Buffer.alloc(4);
  content.writeUInt32BE(value);
  return message(1, content);
}

/** Messages of all types but SHUT, with contents that look like one. */
function others(random: SeededRandom, count: number): Buffer {
  return Buffer.concat(
    Array.from({ length: count }, () => {
      const content = random.int(3) === 0 ? shut(0) : random.bytes(random.int(40));
      return message(2 + random.int(8), content);
    }),
  );
}

function follow(bytes: Uint8Array, random: SeededRandom, pieceBytes: number): ReturnPath {
  const path = new ReturnPath();
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + random.int(pieceBytes);
    path.take(bytes.subarray(at, end));
    at = end;
  }
  return path;
}

describe("a return path", () => {
  it("says what SHUT said, wherever it is cut", () => {
    const random = seededRandom(randomSeed("return path"));
    for (let round = 0; round < 200; round++) {
      const value = random.int(2) * random.int(1000);
      const bytes = Buffer.concat([
        others(random, random.int(6)),
        shut(value),
        others(random, random.int(3)),
      ]);
      for (const pieceBytes of [1, 3, 50, 5000]) {
        const { shutValue, hasSucceeded } = follow(bytes, random, pieceBytes);
        expect([shutValue, hasSucceeded]).toEqual([value, value === 0]);
      }
    }
  });

  it("has no answer before the last byte of SHUT, nor without one", () => {
    const random = seededRandom(randomSeed("return path"));
    const bytes = shut(0);
    for (let length = 0; length < bytes.length; length++) {
      expect(follow(bytes.subarray(0, length), random, 2).shutValue).toBeUndefined();
    }
    expect(follow(others(random, 50), random, 100).shutValue).toBeUndefined();
    expect(follow(message(1, Buffer.alloc(2)), random, 9).shutValue).toBeUndefined();
  });

  it("believes the first SHUT", () => {
    const random = seededRandom(1);
    expect(follow(Buffer.concat([shut(5), shut(0)]), random, 4).shutValue).toBe(5);
    expect(follow(Buffer.concat([shut(0), shut(5)]), random, 4).hasSucceeded).toBe(true);
  });

  it("is not led astray by a SHUT that is longer", () => {
    const long = message(1, Buffer.concat([Buffer.alloc(4), shut(9)]));
    const path = follow(Buffer.concat([long, shut(3)]), seededRandom(1), 5);
    expect(path.shutValue).toBe(0);
  });
});
