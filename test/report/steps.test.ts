// The steps from memory to archive add up.
import { expect, test } from "vitest";
import { stepsOf } from "../../src/report/steps.ts";

test("every step begins where the one before ended, the last ends with the archive", () => {
  const counts = {
    zero: 1,
    uniform: 2,
    duplicateInside: 3,
    duplicateAcross: 4,
    base: 0,
    similar: 5,
    compressed: 6,
    raw: 7,
  };
  const steps = stepsOf({ counts, deltaBytes: 600, storedBytes: 40_000, outputBytes: 50_000 });
  expect(steps).toEqual([
    { name: "memory", changeBytes: 28 * 4096, leftBytes: 28 * 4096 },
    { name: "zero", changeBytes: -4096, leftBytes: 27 * 4096 },
    { name: "uniform", changeBytes: -2 * 4096, leftBytes: 25 * 4096 },
    { name: "duplicateInside", changeBytes: -3 * 4096, leftBytes: 22 * 4096 },
    { name: "duplicateAcross", changeBytes: -4 * 4096, leftBytes: 18 * 4096 },
    { name: "similar", changeBytes: 600 - 5 * 4096, leftBytes: 13 * 4096 + 600 },
    { name: "compression", changeBytes: 40_000 - 13 * 4096 - 600, leftBytes: 40_000 },
    { name: "overhead", changeBytes: 10_000, leftBytes: 50_000 },
  ]);
});
