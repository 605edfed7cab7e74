// What a report carries arrives in the page.
import { expect, test } from "vitest";
import { KIND_COUNT } from "../../src/report/kindcodes.ts";
import { PageMap } from "../../src/report/pagemap.ts";
import { decodePayload, encodePayload } from "../../src/report/payload.ts";
import { madeExplanation } from "../support/explained.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const random = seededRandom(randomSeed("payload"));

test("numbers, kinds and entropy are what they were", () => {
  const names = ["a", "b/ü\u0000", `${"x".repeat(500)}end`];
  const size = { names, frameCount: 1234, address: 0xffff_ffff_8000_0000n };
  const { kinds, explanation } = madeExplanation(random, size);
  const { text, cells } = decodePayload(encodePayload(explanation));
  expect(text.steps).toEqual(explanation.steps);
  expect(text.sharing).toEqual(explanation.sharing);
  expect(text.repeated).toEqual(explanation.repeated);
  const shown = text.images.map(({ name }) => name);
  expect(shown.slice(0, 2)).toEqual(names.slice(0, 2));
  expect(shown[2]).toBe(`${"x".repeat(100)}…${"x".repeat(97)}end`);
  expect(text.maps[0].addresses).toEqual([[0, 1234, "ffffffff80000000"]]);
  cells.forEach(({ kinds: read, entropy, counts }, image) => {
    expect(read).toEqual(kinds[image]);
    for (const cell of [0, 1, 1233]) {
      const exact = explanation.maps[image].entropySums[cell] / 4096;
      expect(Math.abs(entropy(cell) - exact)).toBeLessThanOrEqual(1 / 32);
      expect(counts(cell).indexOf(1)).toBe(kinds[image][cell]);
    }
  });
});

test.each([2, 64, 256, 1024])(
  "cells of %d frames say how many are of which kind",
  (framesPerCell) => {
    const { explanation } = madeExplanation(random, { names: ["a"], frameCount: 3000 });
    const map = PageMap.from(explanation.maps[0]);
    while (map.framesPerCell < framesPerCell) map.coarsen();
    const { text, cells } = decodePayload(encodePayload({ ...explanation, maps: [map] }));
    expect(text.maps[0]).toMatchObject({ framesPerCell, frameCount: 3000 });
    for (let cell = 0; cell < map.cellCount; cell++) {
      const exact = [...map.counts.subarray(cell * KIND_COUNT, (cell + 1) * KIND_COUNT)];
      const counts = cells[0].counts(cell);
      const slack = framesPerCell > 255 ? framesPerCell / 255 : 0;
      const errors = exact.map((count, kind) => Math.abs(counts[kind] - count));
      expect(Math.max(...errors)).toBeLessThanOrEqual(slack + 0.5);
      // What is there is never shown as nothing.
      expect(counts.map((count) => count > 0)).toEqual(exact.map((count) => count > 0));
      const most = Math.max(...exact);
      expect(exact[cells[0].kinds[cell]]).toBeGreaterThanOrEqual(most - slack);
    }
  },
);
