// What is said of pages that are sent by name: it comes back as it was written, and nothing else is
// taken for it.
import { describe, expect, it } from "vitest";
import {
  decodeDigests,
  decodeNumbers,
  decodeShare,
  encodeDigests,
  encodeNumbers,
  encodeShare,
} from "../../src/wire/rackheads.ts";
import { type SessionFrame, SessionType } from "../../src/wire/sessionframe.ts";
import { randomSeed, seededRandom } from "../support/random.ts";
import { expectTotal } from "../support/totality.ts";

function frameOf(head: Uint8Array): SessionFrame {
  return { type: SessionType.SHARE, guest: 0, sequence: 1, head, body: new Uint8Array(0) };
}

const random = seededRandom(randomSeed("rack heads"));

describe("pages to be shared", () => {
  const digests = random.bytes(96);
  const slots = [
    [0, 0],
    [70_000, 255],
    [3, 12],
  ] as const;

  it("come back as they were written", () => {
    expect(decodeShare(frameOf(encodeShare({ digests, slots })))).toEqual({ digests, slots });
  });

  it("are no more than a batch has, and whole", () => {
    const many = encodeShare({ digests: new Uint8Array(513 * 32), slots: [] });
    expect(() => decodeShare(frameOf(many))).toThrow("16416");
    const cut = encodeShare({ digests: digests.subarray(5), slots });
    expect(() => decodeShare(frameOf(cut))).toThrow("digests of 91 bytes");
    const few = encodeShare({ digests, slots: slots.slice(1) });
    expect(() => decodeShare(frameOf(few))).toThrow("1 bytes are needed");
  });

  it("are total", () =>
    expectTotal(encodeShare({ digests, slots }), (bytes) => decodeShare(frameOf(bytes))));
});

describe("digests", () => {
  it("come back as they were written, and are total", () => {
    const digests = random.bytes(64);
    expect(decodeDigests(frameOf(encodeDigests(digests)))).toEqual(digests);
    expectTotal(encodeDigests(digests), (bytes) => decodeDigests(frameOf(bytes)));
  });
});

describe("numbers of names", () => {
  it("come back in their order", () => {
    for (const numbers of [
      [],
      [0],
      [7, 8, 9, 2 ** 45, 3],
      Array.from({ length: 4096 }, (_, i) => i),
    ]) {
      expect(decodeNumbers(frameOf(encodeNumbers(numbers)))).toEqual(numbers);
    }
    const many = encodeNumbers(Array.from({ length: 4097 }, (_, i) => i));
    expect(() => decodeNumbers(frameOf(many))).toThrow("limit of 4096");
  });

  it("take a byte where they follow one another", () => {
    expect(encodeNumbers([1000, 1001, 1002, 1003]).length).toBe(1 + 2 + 3);
  });

  it("are total, and never below 0", () => {
    expectTotal(encodeNumbers([5, 6, 9]), (bytes) => decodeNumbers(frameOf(bytes)));
    expect(() => decodeNumbers(frameOf(Uint8Array.of(1, 1)))).toThrow("name -1");
  });
});
