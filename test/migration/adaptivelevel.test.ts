// The level follows the link: up while the link has always something to send, down while it waits.
import { describe, expect, it } from "vitest";
import { AdaptiveLevel } from "../../src/migration/adaptivelevel.ts";

const STEPS = [1, 2, 3].map((step) => ({
  clusterPages: 16 * step,
  compress: step,
  sampleBits: 6,
  minVotes: 2,
}));

function stepAfter(level: AdaptiveLevel, batches: number, isBusy: (i: number) => boolean): number {
  for (let i = 0; i < batches; i++) level.observe(isBusy(i));
  return level.step;
}

describe("an adaptive level", () => {
  it("goes up while the link is busy and down while it waits, step by step", () => {
    const level = new AdaptiveLevel(STEPS, 1);
    expect([level.step, level.compress, level.clusterPages]).toEqual([1, 2, 32]);
    expect(stepAfter(level, 15, () => true)).toBe(1);
    expect(stepAfter(level, 1, () => true)).toBe(2);
    expect([level.compress, level.clusterPages]).toEqual([3, 48]);
    expect(stepAfter(level, 200, () => true)).toBe(2);
    expect(stepAfter(level, 40, () => false)).toBeLessThan(2);
    expect(stepAfter(level, 200, () => false)).toBe(0);
    expect(stepAfter(level, 200, () => false)).toBe(0);
  });

  it("stays where the link is as fast as the encoder", () => {
    const level = new AdaptiveLevel(STEPS, 1);
    expect(stepAfter(level, 1000, (i) => i % 2 === 0)).toBe(1);
    expect(stepAfter(level, 1000, (i) => i % 5 < 3)).toBe(1);
  });

  it("keeps a level that stands alone, and how similar pages are found", () => {
    const alone = new AdaptiveLevel([STEPS[2]], 0);
    expect(stepAfter(alone, 100, () => true)).toBe(0);
    expect(stepAfter(alone, 100, () => false)).toBe(0);
    expect([alone.sampleBits, alone.minVotes]).toEqual([6, 2]);
  });
});
