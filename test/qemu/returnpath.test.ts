// What the target says of its success, in pieces of any size.
import { expect, it } from "vitest";
import { ReturnPath } from "../../src/qemu/returnpath.ts";
import { StreamMaker } from "../support/qemustream.ts";

const message = (maker: StreamMaker, type: number, content: Uint8Array) =>
  maker.be16(type).be16(content.length).raw(content);

function path(value: number, tail = 0): Uint8Array {
  const maker = message(new StreamMaker(), 2, Uint8Array.of(0, 0, 0, 1));
  message(maker, 3, new Uint8Array(300).fill(1));
  message(maker, 4, new Uint8Array(0));
  message(maker, 1, new StreamMaker().be32(value).raw(new Uint8Array(tail)).made().bytes);
  return message(maker, 1, Uint8Array.of(0, 0, 0, 9)).made().bytes;
}

it.each([1, 2, 3, 7, 1000])("returnpath: hears SHUT in pieces of %i bytes", (pieceBytes) => {
  for (const [value, tail] of [
    [0, 0],
    [1, 0],
    [0, 5],
    [0xffff_fffb, 0],
  ]) {
    const bytes = path(value, tail);
    const heard = new ReturnPath();
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      if (at < 300) expect(heard.shutValue).toBeUndefined();
      heard.take(bytes.subarray(at, at + pieceBytes));
    }
    expect(heard.shutValue).toBe(value);
    expect(heard.hasSucceeded).toBe(value === 0);
  }
});

it("returnpath: has not succeeded by itself, nor by a SHUT without a value", () => {
  const heard = new ReturnPath();
  heard.take(message(new StreamMaker(), 1, new Uint8Array(2)).made().bytes);
  expect(heard.hasSucceeded).toBe(false);
  heard.take(message(new StreamMaker(), 1, new Uint8Array(4)).made().bytes);
  expect(heard.hasSucceeded).toBe(true);
});
