// What has changed: merging with what was lost, and blocks of any size.
import { describe, expect, it } from "vitest";
import { EpochChanges } from "../../src/replication/changes.ts";

const page = (value: number) => new Uint8Array(4096).fill(value);

describe("changes of an epoch", () => {
  it("keep each page as it was at first", () => {
    const changes = new EpochChanges(3, false);
    changes.note(1, 1, 0, page(1));
    changes.note(1, 2, 0, page(2));
    expect([...changes.masks]).toEqual([0, 0, 3, 0, 0, 0]);
    expect(changes.oldPage(1)).toEqual(page(1));
    expect(changes.oldPage(0)).toBeUndefined();
  });

  it("keep nothing when the backup has nothing", () => {
    const changes = new EpochChanges(3, true);
    changes.note(1, 1, 0, page(1));
    expect(changes.oldPage(1)).toBeUndefined();
    expect(changes.count()).toEqual({ pageCount: 1, blockCount: 1 });
  });

  it("lead from where the ones before began", () => {
    const [before, after] = [new EpochChanges(3, false), new EpochChanges(3, false)];
    before.note(0, 1, 0, page(1));
    before.note(1, 1, 0, page(1));
    after.note(1, 0, 1, page(2));
    after.note(2, 0, 4, page(3));
    after.precede(before);
    expect([...after.masks]).toEqual([1, 0, 1, 1, 0, 4]);
    expect([0, 1, 2].map((frame) => after.oldPage(frame)?.[0])).toEqual([1, 1, 3]);
  });

  it("keep more pages than fit into one piece of memory", () => {
    const changes = new EpochChanges(700, false);
    for (let frame = 0; frame < 700; frame++) changes.note(frame, 1, 0, page(frame % 251));
    for (let frame = 0; frame < 700; frame++) {
      expect(changes.oldPage(frame)?.[4095]).toBe(frame % 251);
    }
  });

  it.each([
    [64, [0x8000_0001, 0x10]],
    [128, [0xc000_0003, 0x30]],
    [256, [0xf000_000f, 0xf0]],
    [4096, [0xffff_ffff, 0xffff_ffff]],
  ] as const)("can be of %i bytes", (granularity, words) => {
    const changes = new EpochChanges(3, true);
    changes.note(1, 0x8000_0001, 0x10, page(0));
    changes.widen(granularity);
    expect([...changes.masks]).toEqual([0, 0, ...words, 0, 0]);
  });
});
