// The index of a part of memory: what goes in comes out, and no bytes are trusted.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeIndex,
  encodeIndex,
  framesOf,
  gatherBlocks,
  gatherPieces,
  inOrder,
  type PartIndex,
} from "../../src/replication/memorypart.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const FRAMES = 300;

const indexes: fc.Arbitrary<PartIndex> = fc
  .record({
    frames: fc.uniqueArray(fc.integer({ min: 0, max: FRAMES - 1 }), { minLength: 1 }),
    mask: fc.integer({ min: 1, max: 0xffff_ffff }),
    pieces: fc.array(
      fc.record({
        firstBlock: fc.integer({ min: 0, max: 64 * FRAMES - 400 }),
        blockCount: fc.integer({ min: 1, max: 400 }),
      }),
    ),
  })
  .map(({ frames, mask, pieces }) => ({
    frames: Uint32Array.from(frames).sort(),
    masks: Uint32Array.from(frames.flatMap((frame) => [mask, (mask * frame) >>> 0])),
    pieces: inOrder(pieces),
  }));

const good = (): PartIndex => ({
  frames: Uint32Array.of(3, 4, 299),
  masks: Uint32Array.of(1, 0, 0, 0x8000_0000, 3, 3),
  pieces: [
    { firstBlock: 64, blockCount: 1 },
    { firstBlock: 190, blockCount: 4 },
  ],
});

describe("the index of a part", () => {
  it("comes back", () => {
    fc.assert(
      fc.property(indexes, (index) => {
        expect(decodeIndex(encodeIndex(index), FRAMES, "an index")).toEqual(index);
      }),
    );
  });

  it("has the bytes that are drawn", () => {
    expect(Buffer.from(encodeIndex(good())).toString("hex")).toBe(
      `0303${"00"}a602${"0100000000000000"}${"0000000000000080"}${"0300000003000000"}0240007d03`,
    );
  });

  it.each<[string, Partial<PartIndex>, number, RegExp]>([
    ["no pages", { frames: new Uint32Array(0), masks: new Uint32Array(0) }, FRAMES, /no pages/],
    ["a frame outside", {}, 299, /frame 299 of 299/],
    ["no blocks", { masks: new Uint32Array(6) }, FRAMES, /frame 3 without blocks/],
    [
      "a piece outside",
      { pieces: [{ firstBlock: 19199, blockCount: 2 }] },
      FRAMES,
      /19201 of 19200/,
    ],
    ["long pieces", { pieces: [{ firstBlock: 0, blockCount: 16385 }] }, FRAMES, /more than 16384/],
  ])("is refused: %s", (_, change, frameCount, message) => {
    const bytes = encodeIndex({ ...good(), ...change });
    expect(() => decodeIndex(bytes, frameCount, "an index")).toThrow(message);
    expect(() => decodeIndex(bytes.subarray(0, -1), 1 << 20, "an index")).toThrow(/^an index/);
  });

  it("is refused or sound, whatever the bytes", () => {
    const random = seededRandom(randomSeed("memorypart"));
    for (let round = 0; round < 5000; round++) {
      const bytes = encodeIndex(good()).slice();
      for (let i = random.int(3); i >= 0; i--) bytes[random.int(bytes.length)] = random.int(256);
      try {
        const index = decodeIndex(bytes, FRAMES, "an index");
        for (const frame of framesOf(index, true)) expect(frame).toBeLessThan(FRAMES);
      } catch (error) {
        expect(error).toMatchObject({ code: "DAMAGED" });
      }
    }
  });
});

describe("pieces", () => {
  const pageOf = (frame: number) => new Uint8Array(4096).map((_, i) => frame * 64 + (i >> 6));

  it("are put in order, and joined with their neighbours", () => {
    const pieces = inOrder([
      { firstBlock: 500, blockCount: 3 },
      { firstBlock: 10, blockCount: 5 },
      { firstBlock: 12, blockCount: 4 },
      { firstBlock: 24, blockCount: 1 },
      { firstBlock: 34, blockCount: 1 },
    ]);
    expect(pieces).toEqual([
      { firstBlock: 10, blockCount: 15 },
      { firstBlock: 34, blockCount: 1 },
      { firstBlock: 500, blockCount: 3 },
    ]);
    const all = inOrder([{ firstBlock: 0, blockCount: 1 << 20 }]);
    expect(all).toEqual([{ firstBlock: 0, blockCount: 16384 }]);
  });

  it("are gathered over the ends of pages, and so are blocks", () => {
    const pieces = [{ firstBlock: 62, blockCount: 68 }];
    const bytes = Buffer.concat(gatherPieces(pieces, pageOf));
    expect(bytes.length).toBe(68 * 64);
    expect([0, 1, 2, 67].map((block) => bytes[64 * block])).toEqual([62, 63, 64, 129]);
    expect([...framesOf({ ...good(), pieces }, false)]).toEqual([0, 1, 2]);
    expect([...framesOf({ ...good(), pieces }, true)]).toEqual([0, 1, 2, 3, 4, 299]);
    const blocks = gatherBlocks({ frames: Uint32Array.of(1), masks: Uint32Array.of(5, 1) }, pageOf);
    expect([0, 1, 2].map((block) => blocks[64 * block])).toEqual([64, 66, 96]);
  });
});
