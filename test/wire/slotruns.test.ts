// Runs by slot: clipping loses no frame, resolving hands out every item once and in order.
import { describe, expect, it } from "vitest";
import { RecordKind, type Run, runFrames } from "../../src/wire/records.ts";
import { clipRuns, resolveRuns } from "../../src/wire/slotruns.ts";

const runs: Run[] = [
  { kind: RecordKind.ZERO, length: 3 },
  { kind: RecordKind.DUPLICATE, length: 4, cluster: 2, item: 10 },
  { kind: RecordKind.BASE, length: 5, frame: 100 },
  { kind: RecordKind.UNIFORM, length: 1, word: 7n },
];

/** What one frame is, as text. */
function frameAt(list: readonly Run[], wanted: number): string {
  let frame = 0;
  for (const run of list) {
    const inside = wanted - frame;
    if (inside < run.length) {
      if (run.kind === RecordKind.DUPLICATE) return `slot ${run.cluster}:${run.item + inside}`;
      if (run.kind === RecordKind.BASE) return `base ${run.frame + inside}`;
      return run.kind === RecordKind.UNIFORM ? `word ${run.word}` : `kind ${run.kind}`;
    }
    frame += run.length;
  }
  throw new Error(`no frame ${wanted}`);
}

describe("slot runs", () => {
  it("clips to any range", () => {
    const first = 1000;
    for (let from = 0; from <= 13; from++) {
      for (let to = from; to <= 13; to++) {
        const clipped = clipRuns(runs, first, first + from, first + to);
        expect(runFrames(clipped)).toBe(to - from);
        for (let i = 0; i < to - from; i++) {
          expect(frameAt(clipped, i)).toBe(frameAt(runs, from + i));
        }
      }
    }
  });

  it("gives stored frames the items of the batch in order", () => {
    const resolved = resolveRuns({
      image: 0,
      firstFrame: 0,
      frameCount: 9,
      firstCluster: 40,
      clusters: [
        { byteLength: 99, itemCount: 2, isDeltas: false },
        { byteLength: 99, itemCount: 2, isDeltas: true },
        { byteLength: 99, itemCount: 3, isDeltas: false },
      ],
      runs: [
        { kind: RecordKind.STORED, length: 3 },
        { kind: RecordKind.DELTA, length: 1 },
        { kind: RecordKind.SKIP, length: 1 },
        { kind: RecordKind.DELTA, length: 1 },
        { kind: RecordKind.STORED, length: 2 },
        { kind: RecordKind.DUPLICATE, length: 1, cluster: 42, item: 2 },
      ],
    });
    const frames = Array.from({ length: 9 }, (_, i) => frameAt(resolved, i));
    expect(frames).toEqual([
      "slot 40:0",
      "slot 40:1",
      "slot 42:0",
      "slot 41:0",
      `kind ${RecordKind.SKIP}`,
      "slot 41:1",
      "slot 42:1",
      "slot 42:2",
      "slot 42:2",
    ]);
  });
});
