// IMAGE and END heads: round trips, names that are refused, mutations.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeEndHead,
  decodeImageHead,
  type EndHead,
  emptyCounts,
  encodeEndHead,
  encodeImageHead,
  faultOfName,
  type ImageHead,
} from "../../src/wire/imagehead.ts";
import { expectTotal } from "../support/totality.ts";

const checksum = fc.uint8Array({ minLength: 16, maxLength: 16 });
const part = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 });
const name = fc
  .array(part, { minLength: 1, maxLength: 4 })
  .map((parts) => parts.join("/"))
  .filter((text) => faultOfName(text) === undefined);
const nat = fc.nat({ max: 2 ** 45 });

const imageHead: fc.Arbitrary<ImageHead> = fc
  .record({
    image: fc.nat(2 ** 24),
    name,
    format: fc.constantFrom("raw", "elf-core"),
    mtimeNs: fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }),
    segmentBytes: fc.array(fc.integer({ min: 1, max: 2 ** 40 }), { maxLength: 5 }),
    byteLength: fc.option(nat, { nil: undefined }),
    notes: fc.array(fc.tuple(part, part), { maxLength: 3 }),
    base: fc.option(fc.record({ name, byteLength: nat, checksum }), { nil: undefined }),
  })
  .map(({ base, ...head }) => {
    const { segmentBytes } = head;
    const sum = segmentBytes.reduce((total, length) => total + length, 0);
    const byteLength = segmentBytes.length > 0 ? sum : head.byteLength;
    return { ...head, byteLength, ...(base ? { base } : {}) };
  });

const endHead: fc.Arbitrary<EndHead> = fc.record({
  image: fc.nat(2 ** 24),
  round: fc.nat(1000),
  byteLength: nat,
  checksum,
  digests: fc.array(fc.tuple(part, fc.uint8Array({ maxLength: 64 })), { maxLength: 2 }),
  counts: fc.nat(2 ** 30).map((n) => ({ ...emptyCounts(), zero: n, raw: n + 1, base: 7 })),
  storedBytes: nat,
});

describe("image heads", () => {
  it("read as they were written", () => {
    fc.assert(
      fc.property(imageHead, (head) => {
        expect(decodeImageHead(encodeImageHead(head), "IMAGE")).toEqual(head);
      }),
    );
    fc.assert(
      fc.property(endHead, (head) => {
        expect(decodeEndHead(encodeEndHead(head), "END")).toEqual(head);
      }),
    );
  });

  it.each([
    ["", "is empty"],
    ["/etc/passwd", "is absolute"],
    ["a//b", "has an empty part"],
    ["a/", "has an empty part"],
    ["..", 'contains ".."'],
    ["a/../b", 'contains ".."'],
    ["./a", 'contains "."'],
    ["a\0b", "contains NUL"],
    ["x".repeat(4097), "has 4097 bytes of at most 4096"],
    ["ä".repeat(2049), "has 4098 bytes of at most 4096"],
  ])("refuse the name %j", (wrong, fault) => {
    expect(faultOfName(wrong)).toContain(fault);
    const head = { ...sample, name: wrong };
    expect(() => decodeImageHead(encodeImageHead(head), "IMAGE")).toThrow(/name|limit/);
  });

  it("refuse segments that do not add up", () => {
    const head = { ...sample, segmentBytes: [10, 20], byteLength: 31 };
    expect(() => decodeImageHead(encodeImageHead(head), "IMAGE")).toThrow("segments of 30 bytes");
  });

  const sample: ImageHead = {
    image: 3,
    name: "a/b.raw",
    format: "raw",
    byteLength: 5000,
    mtimeNs: 1n,
    segmentBytes: [4000, 1000],
    notes: [["k", "v"]],
    base: { name: "old", byteLength: 1, checksum: new Uint8Array(16) },
  };

  it("are total", () => {
    expectTotal(encodeImageHead(sample), (bytes) => decodeImageHead(bytes, "IMAGE"));
    const end: EndHead = {
      image: 1,
      round: 0,
      byteLength: 5000,
      checksum: new Uint8Array(16),
      digests: [["sha256", new Uint8Array(32)]],
      counts: emptyCounts(),
      storedBytes: 9,
    };
    expectTotal(encodeEndHead(end), (bytes) => decodeEndHead(bytes, "END"));
  });
});
