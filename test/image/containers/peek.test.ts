// Looking at the beginning of a stream: nothing is lost, whatever it is cut into.
import { describe, expect, it } from "vitest";
import { peek } from "../../../src/image/containers/peek.ts";
import { reused } from "../../support/pieces.ts";
import { randomSeed, seededRandom } from "../../support/random.ts";

const random = seededRandom(randomSeed("peek"));

async function readAll(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const piece of bytes) parts.push(Buffer.from(piece));
  return Buffer.concat(parts);
}

describe("peek", () => {
  it.each([1, 2, 3, 4, 5, 100, 1000])("takes nothing from pieces of %i bytes", async (size) => {
    const content = random.bytes(5000);
    const { head, bytes } = await peek(reused(content, size), 100);
    expect(Buffer.from(content).subarray(0, 100).equals(head)).toBe(true);
    expect((await readAll(bytes)).equals(content)).toBe(true);
  });

  it.each([0, 1, 99])("has what there is of a stream of %i bytes", async (length) => {
    const content = random.bytes(length);
    const { head, bytes } = await peek(reused(content, 7), 100);
    expect(Buffer.from(content).equals(head)).toBe(true);
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
    const { bytes } = await peek(source(), 4);
    for await (const _ of bytes) break;
    expect(closed).toBe(1);
    await expect(peek(source(), 4, AbortSignal.abort(new Error("enough")))).rejects.toThrow(
      "enough",
    );
  });
});
