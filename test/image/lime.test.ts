// LiME files, built by hand and mutated: whatever the headers claim, the segments partition the
// file, and where they are true, its pages are the pages of the memory.
import { describe, expect, it } from "vitest";
import type { ReadAt } from "../../src/image/layout.ts";
import { readLime } from "../../src/image/lime.ts";
import { limeFile } from "../support/lime.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

function readerOf(bytes: Uint8Array): ReadAt {
  return async (byteOffset, into) => {
    const piece = bytes.subarray(byteOffset, byteOffset + into.length);
    into.set(piece);
    return piece.length;
  };
}

const layoutOf = (bytes: Uint8Array) => readLime(readerOf(bytes), bytes.length);

/** Segments as [offset, length, address or undefined]. */
async function shown(bytes: Uint8Array) {
  const layout = await layoutOf(bytes);
  return layout?.segments.map(({ byteOffset, byteLength }, i) => {
    const region = layout.regions.find(({ segmentIndex }) => segmentIndex === i);
    return [byteOffset, byteLength, region?.address];
  });
}

describe("lime", () => {
  it("begins segments at memory, and has headers between them", async () => {
    const file = limeFile([
      { first: 0x1000n, byteLength: 0x9e000 },
      { first: 0x100000n, byteLength: 8192 },
    ]);
    expect(await shown(file)).toEqual([
      [0, 32, undefined],
      [32, 0x9e000, 0x1000n],
      [32 + 0x9e000, 32, undefined],
      [64 + 0x9e000, 8192, 0x100000n],
    ]);
  });

  it("cuts pages where those of the memory are, in a range that begins inside of one", async () => {
    expect(await shown(limeFile([{ first: 0xff0n, byteLength: 16 + 4096 }]))).toEqual([
      [0, 32, undefined],
      [32, 16, 0xff0n],
      [48, 4096, 0x1000n],
    ]);
  });

  it("takes what is there of a range that was cut off", async () => {
    const cut = { first: 0n, byteLength: 5000, last: 0xffff_ffff_ffff_ffffn };
    expect(await shown(limeFile([cut]))).toEqual([
      [0, 32, undefined],
      [32, 5000, 0n],
    ]);
  });

  it("keeps what follows the last range", async () => {
    expect(await shown(limeFile([{ first: 0n, byteLength: 4096 }], 50))).toEqual([
      [0, 32, undefined],
      [32, 4096, 0n],
      [4128, 50, undefined],
    ]);
  });

  it("knows what is none", async () => {
    const other = limeFile([{ first: 0n, byteLength: 4096 }]);
    other[4] = 2;
    expect(await layoutOf(other)).toBeUndefined();
    expect(await layoutOf(new Uint8Array(0))).toBeUndefined();
    expect(await layoutOf(limeFile([{ first: 0n, byteLength: 4096 }]).subarray(0, 31))).toBe(
      undefined,
    );
    expect(await layoutOf(limeFile([{ first: 9n, byteLength: 64, last: 3n }]))).toBeUndefined();
  });

  it("partitions the file whatever its headers say", async () => {
    const random = seededRandom(randomSeed("lime"));
    for (let round = 0; round < 20_000; round++) {
      const ranges = Array.from({ length: 1 + random.int(5) }, () => ({
        first: BigInt(random.int(1 << 20)),
        byteLength: 1 + random.int(9000),
      }));
      const file = limeFile(ranges, random.int(40));
      for (let i = random.int(4); i > 0; i--) file[random.int(file.length)] = random.int(256);
      if (random.int(3) === 0) file.set(random.bytes(8), random.int(2) * 8 + 8);
      const layout = await layoutOf(file);
      if (!layout) continue;
      let at = 0;
      for (const { byteOffset, byteLength } of layout.segments) {
        if (byteOffset !== at || byteLength < 1) expect.fail(`round ${round}: byte ${at}`);
        at += byteLength;
      }
      expect(at).toBe(file.length);
    }
  });
});
