// Looking at the beginning of a stream: nothing is lost, whatever it is cut into.
import { describe, expect, it } from "vitest";
import { openStream } from "../../src/image/peek.ts";
import { ZstdReader } from "../../src/image/zstd.ts";
import { inPieces } from "../support/engine.ts";
import { randomSeed, seededRandom } from "../support/random.ts";
import { zstdFrames } from "../support/zstd-frames.ts";

const zstd = new ZstdReader();
const random = seededRandom(randomSeed("peek"));

async function readAll(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const piece of bytes) parts.push(Buffer.from(piece));
  return Buffer.concat(parts);
}

/** The same buffer again and again, as readers of files hand out. */
async function* reused(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  const piece = new Uint8Array(size);
  for (let at = 0; at < bytes.length; at += size) {
    const part = bytes.subarray(at, at + size);
    piece.set(part);
    yield piece.subarray(0, part.length);
    piece.fill(0x55);
  }
}

describe("peek", () => {
  it.each([1, 2, 3, 4, 5, 1000])("takes nothing away from pieces of %i bytes", async (size) => {
    const content = random.bytes(5000);
    const plain = await openStream(reused(content, size), zstd, { name: "a" });
    expect(plain.isCompressed).toBe(false);
    expect((await readAll(plain.bytes)).equals(content)).toBe(true);
    const frames = zstdFrames(content, { isSized: false });
    const compressed = await openStream(reused(frames, size), zstd, { name: "a" });
    expect(compressed.isCompressed).toBe(true);
    expect((await readAll(compressed.bytes)).equals(content)).toBe(true);
  });

  it.each([0, 1, 3])("takes a stream of %i bytes as it is", async (length) => {
    const content = Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd]).subarray(0, length);
    const { bytes, isCompressed } = await openStream(inPieces(content, 1), zstd, { name: "a" });
    expect(isCompressed).toBe(false);
    expect((await readAll(bytes)).equals(content)).toBe(true);
  });

  it("closes its source when nobody wants more, and when it fails", async () => {
    let closed = 0;
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield random.bytes(10);
      } finally {
        closed++;
      }
    }
    const { bytes } = await openStream(source(), zstd, { name: "a" });
    for await (const _ of bytes) break;
    expect(closed).toBe(1);
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(openStream(source(), zstd, { name: "a", signal })).rejects.toThrow("enough");
  });
});
