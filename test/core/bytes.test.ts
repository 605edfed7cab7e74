// Varints, zigzag and fixed integers: what is written is read, and nothing else is.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteReader, ByteWriter } from "../../src/core/bytes.ts";
import { expectTotal } from "../support/totality.ts";

const safe = fc.nat({ max: Number.MAX_SAFE_INTEGER });

function written(write: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter(1);
  write(writer);
  return writer.take();
}

const edges = [0, 1, 127, 128, 16383, 16384, 2 ** 31, 2 ** 32, 2 ** 49 - 1, 2 ** 49, 2 ** 53 - 1];

describe("bytes", () => {
  it("reads every varint that it writes, in the shortest form", () => {
    const check = (value: number) => {
      const bytes = written((writer) => writer.varint(value));
      const reader = new ByteReader(bytes, "test");
      expect(reader.varint()).toBe(value);
      reader.end();
      expect(bytes.length).toBe(Math.max(1, Math.ceil(value.toString(2).length / 7)));
    };
    edges.forEach(check);
    fc.assert(fc.property(safe, check));
  });

  it("reads every zigzag that it writes", () => {
    const limit = 2 ** 52 - 1;
    const check = (value: number) => {
      const reader = new ByteReader(
        written((writer) => writer.zigzag(value)),
        "test",
      );
      expect(reader.zigzag()).toBe(value);
    };
    [0, 1, -1, 63, -64, 64, limit, -limit].forEach(check);
    fc.assert(fc.property(fc.integer({ min: -limit, max: limit }), check));
  });

  it("reads mixed values in order", () => {
    const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    const text = fc.string({ unit: "grapheme", maxLength: 40 });
    const raw = fc.uint8Array({ maxLength: 300 });
    fc.assert(
      fc.property(fc.nat(255), fc.nat(2 ** 31), u64, text, raw, (small, word, long, name, tail) => {
        const bytes = written((writer) => {
          writer.u8(small);
          writer.u32(word);
          writer.u64(long);
          writer.string(name);
          writer.raw(tail);
        });
        const reader = new ByteReader(bytes, "test");
        expect(reader.u8()).toBe(small);
        expect(reader.u32()).toBe(word);
        expect(reader.u64()).toBe(long);
        expect(reader.string(1000)).toBe(name);
        expect([...reader.raw(reader.remaining)]).toEqual([...tail]);
        reader.end();
      }),
    );
  });

  it.each<[string, number[], (reader: ByteReader) => unknown, string]>([
    ["a varint that is cut off", [0x80], (r) => r.varint(), "1 bytes are needed, 0 are there"],
    ["a varint in a longer form", [0x80, 0x00], (r) => r.varint(), "shortest form"],
    ["a varint of 9 bytes", Array(9).fill(0x81), (r) => r.varint(), "longer than 8 bytes"],
    ["a varint over 2⁵³ − 1", [...Array(7).fill(0xff), 0x7f], (r) => r.varint(), "over the limit"],
    ["a varint over its limit", [5], (r) => r.varint(4), "5 is over the limit of 4"],
    ["a string that is longer than the rest", [9, 65], (r) => r.string(99), "9 bytes are needed"],
    ["a string over its limit", [9, 65], (r) => r.string(8), "9 is over the limit of 8"],
    ["a string that is not UTF-8", [1, 0xff], (r) => r.string(9), "not UTF-8"],
    ["bytes that are left over", [1, 2], (r) => r.end(), "2 bytes are left over"],
  ])("refuses %s", (_what, bytes, read, message) => {
    const reader = new ByteReader(new Uint8Array(bytes), "here");
    expect(() => read(reader)).toThrow(message);
    expect(() => read(new ByteReader(new Uint8Array(bytes), "here"))).toThrow("here: at byte");
  });

  it("is total on random bytes", () => {
    expectTotal(new Uint8Array(0), (bytes) => {
      const reader = new ByteReader(bytes, "test");
      reader.varint();
      reader.zigzag();
      reader.string(20);
      reader.u64();
      reader.u32();
      reader.counted(8);
      reader.end();
    });
  });
});
