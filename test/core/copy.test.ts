// Copies between all kinds of memory and alignments.
import { expect, it } from "vitest";
import { copyBytes } from "../../src/core/copy.ts";

it("copy: moves just the bytes that were asked for", () => {
  const memories = [(n: number) => new ArrayBuffer(n), (n: number) => new SharedArrayBuffer(n)];
  for (const from of memories) {
    for (const to of memories) {
      for (const [start, end, length] of [
        [0, 0, 1],
        [3, 8, 4096],
        [8, 3, 4095],
        [5, 5, 63],
      ]) {
        const source = new Uint8Array(from(5000), 7).map((_, i) => i % 251);
        const sourceShared = new Uint8Array(from(5000), 7);
        sourceShared.set(source);
        const target = new Uint8Array(to(5000), 1);
        copyBytes(sourceShared, start, target, end, length);
        const wanted = new Uint8Array(target.length);
        wanted.set(source.subarray(start, start + length), end);
        expect(Buffer.compare(target, wanted)).toBe(0);
      }
    }
  }
});
