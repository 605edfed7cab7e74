// Runs of frames and heads of PAGES batches: round trips, the limits of the format, mutations.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteReader, ByteWriter } from "../../src/core/bytes.ts";
import {
  type ClusterEntry,
  type PagesHead,
  pushRun,
  RecordKind,
  type Run,
  readPagesHead,
  readRuns,
  runFrames,
  writePagesHead,
  writeRuns,
} from "../../src/wire/records.ts";
import { expectTotal } from "../support/totality.ts";

const length = fc.integer({ min: 1, max: 60 });
const leafRun: fc.Arbitrary<Run> = fc.oneof(
  fc.record({ kind: fc.constant(RecordKind.ZERO), length }),
  fc.record({
    kind: fc.constant(RecordKind.UNIFORM),
    length,
    word: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  }),
  fc.record({
    kind: fc.constant(RecordKind.DUPLICATE),
    length,
    cluster: fc.nat(2 ** 32 - 2),
    item: fc.nat(196),
  }),
  fc.record({ kind: fc.constant(RecordKind.BASE), length, frame: fc.nat(2 ** 30) }),
);

/** A head whose STORED and DELTA runs use exactly the items of its clusters. */
const pagesHead: fc.Arbitrary<PagesHead> = fc
  .record({
    image: fc.nat(1000),
    firstFrame: fc.nat(2 ** 31),
    firstCluster: fc.integer({ min: 1, max: 2 ** 31 }),
    parts: fc.array(
      fc.record({ itemCount: fc.integer({ min: 1, max: 256 }), isDeltas: fc.boolean() }),
      { minLength: 1, maxLength: 6 },
    ),
    duplicates: fc.nat(3),
  })
  .map(({ image, firstFrame, firstCluster, parts, duplicates }) => {
    const clusters: ClusterEntry[] = parts.map((part) => ({ byteLength: 25, ...part }));
    const runs: Run[] = [];
    for (const { itemCount, isDeltas } of clusters) {
      pushRun(runs, { kind: isDeltas ? RecordKind.DELTA : RecordKind.STORED, length: itemCount });
      for (let i = 0; i < duplicates; i++) {
        const cluster = firstCluster - 1;
        runs.push({ kind: RecordKind.DUPLICATE, length: 1, cluster, item: i });
      }
    }
    return { image, firstFrame, frameCount: runFrames(runs), firstCluster, clusters, runs };
  });

function encoded(head: PagesHead): Uint8Array {
  const writer = new ByteWriter();
  writePagesHead(writer, head);
  return writer.take();
}

const bodyOf = ({ clusters }: PagesHead) => clusters.length * 25;
const decoded = (bytes: Uint8Array, bodyBytes: number) =>
  readPagesHead(new ByteReader(bytes, "PAGES"), bodyBytes);

describe("records", () => {
  it.each([true, false])("read as they were written (moving origin: %s)", (moving) => {
    const origin = () => ({ cluster: 77, moving });
    fc.assert(
      fc.property(fc.array(leafRun, { minLength: 1 }), fc.nat(2 ** 30), (runs, first) => {
        const writer = new ByteWriter();
        writeRuns(writer, runs, first, origin());
        const reader = new ByteReader(writer.take(), "runs");
        expect(readRuns(reader, first, runFrames(runs), origin())).toEqual(runs);
        reader.end();
      }),
    );
  });

  it("pushes runs together that say the same", () => {
    fc.assert(
      fc.property(fc.array(leafRun), (runs) => {
        const pushed: Run[] = [];
        for (const run of runs) pushRun(pushed, { ...run });
        expect(runFrames(pushed)).toBe(runFrames(runs));
        expect(pushed.length).toBeLessThanOrEqual(runs.length);
      }),
    );
  });

  it("reads the heads of batches as they were written", () => {
    fc.assert(
      fc.property(pagesHead, (head) => {
        expect(decoded(encoded(head), bodyOf(head))).toEqual(head);
      }),
    );
  });

  const good: PagesHead = {
    image: 1,
    firstFrame: 10,
    frameCount: 6,
    firstCluster: 5,
    clusters: [
      { byteLength: 100, itemCount: 2, isDeltas: false },
      { byteLength: 50, itemCount: 1, isDeltas: true },
    ],
    runs: [
      { kind: RecordKind.STORED, length: 2 },
      { kind: RecordKind.DELTA, length: 1 },
      { kind: RecordKind.DUPLICATE, length: 2, cluster: 6, item: 254 },
      { kind: RecordKind.ZERO, length: 1 },
    ],
  };

  it.each<[string, Partial<PagesHead>, number, string]>([
    ["a body of another length", {}, 151, "clusters of 150 bytes in 151"],
    ["items that no record uses", { runs: good.runs.slice(1), frameCount: 4 }, 150, "do not agree"],
    ["a cluster to come", { runs: [dup(7, 0, 1)], frameCount: 1 }, 150, "cluster 7 is not yet"],
    ["a run past its cluster", { runs: [dup(5, 255, 2)], frameCount: 2 }, 150, "over the limit"],
    ["a batch without frames", { runs: [], frameCount: 0 }, 150, "without frames"],
    ["a run past the batch", { frameCount: 5 }, 150, "a run of 1 frames where 0"],
    [
      "a cluster without items",
      { clusters: [{ byteLength: 150, itemCount: 0, isDeltas: false }] },
      150,
      "without items",
    ],
  ])("refuses %s", (_what, change, bodyBytes, message) => {
    const bytes = encoded({ ...good, ...change });
    if (message.startsWith("a run of")) expect(() => decoded(bytes, bodyBytes)).toThrow(PAST);
    else expect(() => decoded(bytes, bodyBytes)).toThrow(message);
  });

  it("is total", () => {
    expectTotal(encoded(good), (bytes) => decoded(bytes, 150));
  });
});

/** Bytes of runs are left over when fewer frames are announced. */
const PAST = /left over|a run of/;

function dup(cluster: number, item: number, count: number): Run {
  return { kind: RecordKind.DUPLICATE, length: count, cluster, item };
}
