// Finding the end of devices that have no length.
import { describe, expect, it } from "vitest";
import { DescriptionScanner } from "../../src/qemu/description.ts";
import { StreamMaker } from "../support/qemustream.ts";

const JSON_TEXT = '{"page_size": 4096, "devices": []}';
const devices = () => new StreamMaker().raw(new Uint8Array(40).fill(0x7e)).footer(12).u8(0);
const whole = () => devices().description(JSON_TEXT);

/** Feeds the bytes in pieces; the positions behind pieces where the end was seen. */
function endsOf(bytes: Uint8Array, pieceBytes: number): number[] {
  const scanner = new DescriptionScanner();
  const ends: number[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const to = Math.min(at + pieceBytes, bytes.length);
    scanner.take(bytes, at, to);
    if (scanner.isAtEnd) ends.push(to);
  }
  return ends;
}

describe("description", () => {
  it("ends with its last byte, however it is cut", () => {
    const { bytes } = whole().made();
    for (const pieceBytes of [1, 2, 3, 5, 7, 11, 12, 13, 1000]) {
      expect(endsOf(bytes, pieceBytes)).toEqual([bytes.length]);
    }
  });

  it("does not end before bytes that follow in the same piece", () => {
    const { bytes } = whole().u8(4).made();
    expect(endsOf(bytes, 1000)).toEqual([]);
  });

  it("goes on looking behind what only looked like an end", () => {
    const fake = whole().made().bytes;
    const { bytes } = new StreamMaker().raw(fake).raw(whole().made().bytes).made();
    expect(endsOf(bytes, 1000)).toEqual([bytes.length]);
    expect(endsOf(bytes, 1)).toEqual([fake.length, bytes.length]);
  });

  it("is not fooled by a mark with another length around the right one", () => {
    const outer = devices().u8(6).be32(1_000_000).raw(Buffer.from("{"));
    const { bytes } = outer.raw(whole().made().bytes).made();
    expect(endsOf(bytes, 7)).toEqual([bytes.length]);
  });

  it.each<[string, StreamMaker]>([
    ["no footer", new StreamMaker().raw(new Uint8Array(9)).description(JSON_TEXT)],
    ["no JSON", devices().u8(6).be32(3).raw(Buffer.from("[1]"))],
    ["no closing brace", devices().u8(6).be32(3).raw(Buffer.from("{1]"))],
    ["bytes that are missing", devices().u8(6).be32(99).raw(Buffer.from(JSON_TEXT))],
  ])("sees no end with %s", (_, maker) => {
    for (const pieceBytes of [1, 1000]) expect(endsOf(maker.made().bytes, pieceBytes)).toEqual([]);
  });

  it("knows where a stream without one may end", () => {
    const scanner = new DescriptionScanner();
    const { bytes } = whole().made();
    const marks: number[] = [];
    for (let at = 0; at < bytes.length; at++) {
      scanner.take(bytes, at, at + 1);
      if (scanner.isAtMark) marks.push(at + 1);
    }
    expect(marks).toContain(40 + 5 + 1);
    expect(marks).not.toContain(bytes.length);
  });
});
