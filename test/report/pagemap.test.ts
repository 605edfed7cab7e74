// Maps of any coarseness say the same of the frames.
import { expect, test } from "vitest";
import { ENTROPY_PER_BIT } from "../../src/kernels/layout.ts";
import { KIND_COUNT } from "../../src/report/kindcodes.ts";
import { PageMap } from "../../src/report/pagemap.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const random = seededRandom(randomSeed("pagemap"));

function framesOf(count: number) {
  return Array.from({ length: count }, () => ({
    kind: random.int(KIND_COUNT),
    entropy: random.int(8 * ENTROPY_PER_BIT + 1),
  }));
}

/** What the cells of `framesPerCell` must say. */
function cellsOf(frames: ReturnType<typeof framesOf>, framesPerCell: number) {
  const cells: { counts: number[]; entropy: number }[] = [];
  frames.forEach(({ kind, entropy }, frame) => {
    const cell = Math.floor(frame / framesPerCell);
    cells[cell] ??= { counts: new Array(KIND_COUNT).fill(0), entropy: 0 };
    cells[cell].counts[kind]++;
    cells[cell].entropy += entropy;
  });
  return cells;
}

function read(map: PageMap) {
  return Array.from({ length: map.cellCount }, (_, cell) => ({
    counts: [...map.counts.subarray(cell * KIND_COUNT, (cell + 1) * KIND_COUNT)],
    entropy: map.entropySums[cell],
  }));
}

test("a map has at most as many cells as it may, whatever comes", () => {
  for (const count of [0, 1, 2, 63, 64, 65, 127, 129, 1000, 5000]) {
    const frames = framesOf(count);
    const map = new PageMap(1, 64);
    for (const { kind, entropy } of frames) map.add(kind, entropy);
    expect(map.frameCount).toBe(count);
    expect(map.cellCount).toBeLessThanOrEqual(64);
    expect(map.framesPerCell).toBe(2 ** Math.max(0, Math.ceil(Math.log2(count / 64))));
    expect(read(map)).toEqual(cellsOf(frames, map.framesPerCell));
  }
});

test("a copy may be made coarser without the original", () => {
  const frames = framesOf(77);
  const map = new PageMap(1, 1000);
  for (const { kind, entropy } of frames) map.add(kind, entropy);
  const copy = PageMap.from(map);
  copy.coarsen();
  copy.coarsen();
  expect(read(copy)).toEqual(cellsOf(frames, 4));
  expect(read(map)).toEqual(cellsOf(frames, 1));
});

test("regions have the mean entropy of their frames, the last one too", () => {
  const map = new PageMap(1, 1000);
  const bits = [0, 2, 4, 8, 8, 8, 1];
  for (const each of bits) map.add(0, each * ENTROPY_PER_BIT);
  expect(map.entropy(100)).toEqual({ framesPerRegion: 1, bits });
  expect(map.entropy(2)).toEqual({ framesPerRegion: 4, bits: [3.5, 5.667] });
  map.coarsen();
  expect(map.entropy(4)).toEqual({ framesPerRegion: 2, bits: [1, 6, 8, 1] });
  expect(new PageMap(1, 10).entropy(4)).toEqual({ framesPerRegion: 1, bits: [] });
});
