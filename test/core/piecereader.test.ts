// Exact numbers of bytes out of pieces of any size.
import { describe, expect, it } from "vitest";
import { PieceReader } from "../../src/core/piecereader.ts";
import { inPieces } from "../support/engine.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

describe("a piece reader", () => {
  it("gives all bytes in order, in whatever numbers they are asked for", async () => {
    const random = seededRandom(randomSeed("pieces"));
    for (let round = 0; round < 100; round++) {
      const bytes = random.bytes(random.int(2000));
      const reader = new PieceReader(inPieces(bytes, 1 + random.int(300)), undefined);
      const parts: Uint8Array[] = [];
      while (reader.position < bytes.length) {
        if (random.int(3) === 0) {
          const at = reader.position;
          const skipped = await reader.skip(random.int(100));
          parts.push(bytes.subarray(at, at + skipped));
        } else parts.push((await reader.take(random.int(500))).slice());
      }
      expect(Buffer.concat(parts).equals(bytes)).toBe(true);
      expect((await reader.take(9)).length).toBe(0);
      expect(await reader.skip(9)).toBe(0);
    }
  });

  it("waits for nobody when it is asked for nothing", async () => {
    const never = (async function* () {
      yield new Uint8Array(4);
      await new Promise(() => undefined);
    })();
    const reader = new PieceReader(never, undefined);
    expect((await reader.take(0)).length).toBe(0);
    expect((await reader.take(4)).length).toBe(4);
    // The piece is used up, and no other has come.
    expect((await reader.take(0)).length).toBe(0);
    expect(reader.position).toBe(4);
  });

  it("passes on what breaks", async () => {
    const broken = (async function* () {
      yield new Uint8Array(4);
      throw new Error("cut");
    })();
    const reader = new PieceReader(broken, undefined);
    await expect(reader.take(5)).rejects.toThrow("cut");
  });

  it("stops waiting when it is aborted", async () => {
    const controller = new AbortController();
    const never = (async function* (): AsyncGenerator<Uint8Array> {
      await new Promise(() => undefined);
      yield new Uint8Array(1);
    })();
    const reader = new PieceReader(never, controller.signal);
    const taken = reader.take(1);
    controller.abort(new Error("enough"));
    await expect(taken).rejects.toThrow("enough");
    await reader.close();
  });
});
