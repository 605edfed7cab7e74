// LEAF, PLACES, CONTENTS and DIRECTORY heads: round trips, gaps that are refused, mutations.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type ClusterPlace,
  type DirectoryHead,
  decodeContents,
  decodeDirectory,
  decodeLeaf,
  decodePlaces,
  encodeContents,
  encodeDirectory,
  encodeLeaf,
  encodePlaces,
  type IndexPointer,
} from "../../src/wire/indexhead.ts";
import { RecordKind } from "../../src/wire/records.ts";
import { expectTotal } from "../support/totality.ts";

const entry = fc.record({
  byteLength: fc.integer({ min: 25, max: 2 ** 21 }),
  itemCount: fc.integer({ min: 1, max: 256 }),
  isDeltas: fc.boolean(),
  gap: fc.oneof(fc.constant(0), fc.nat(2 ** 30)),
});
const places = fc.array(entry, { minLength: 1 }).map((entries) => {
  let end = 8192;
  return entries.map(({ gap, ...rest }): ClusterPlace => {
    const byteOffset = end + gap;
    end = byteOffset + rest.byteLength;
    return { byteOffset, ...rest };
  });
});
const pointers = fc
  .array(
    fc.record({
      count: fc.integer({ min: 1, max: 2 ** 20 }),
      byteOffset: fc.nat(2 ** 40),
      byteLength: fc.integer({ min: 64, max: 2 ** 22 }),
    }),
    { maxLength: 5 },
  )
  .map((list) => {
    let first = 0;
    return list.map((pointer): IndexPointer => {
      first += pointer.count;
      return { ...pointer, first: first - pointer.count };
    });
  });
const bytes = fc.uint8Array({ maxLength: 30 });
const directory: fc.Arbitrary<DirectoryHead> = fc.record({
  batchCount: fc.nat(),
  clusterCount: fc.nat(2 ** 31),
  images: fc.array(fc.record({ imageHead: bytes, endHead: bytes, leaves: pointers }), {
    maxLength: 4,
  }),
  places: pointers,
  contents: pointers,
});

const leaf = {
  image: 2,
  firstFrame: 100,
  frameCount: 12,
  runs: [
    { kind: RecordKind.ZERO, length: 5 },
    { kind: RecordKind.DUPLICATE, length: 3, cluster: 900, item: 4 },
    { kind: RecordKind.DUPLICATE, length: 3, cluster: 20, item: 0 },
    { kind: RecordKind.BASE, length: 1, frame: 3 },
  ],
};

describe("index heads", () => {
  it("read as they were written", () => {
    expect(decodeLeaf(encodeLeaf(leaf), "LEAF")).toEqual(leaf);
    fc.assert(
      fc.property(fc.nat(2 ** 31), places, (firstCluster, list) => {
        const head = { firstCluster, places: list };
        expect(decodePlaces(encodePlaces(head), "PLACES")).toEqual(head);
      }),
    );
    fc.assert(
      fc.property(directory, (head) => {
        expect(decodeDirectory(encodeDirectory(head), "DIRECTORY", false)).toEqual(head);
      }),
    );
    const contents = { firstCluster: 5, clusterCount: 2, fingerprints: new Uint8Array(48).fill(3) };
    expect(decodeContents(encodeContents(contents), "CONTENTS")).toEqual(contents);
  });

  const pointer = { first: 0, count: 5, byteOffset: 8192, byteLength: 100 };
  const small: DirectoryHead = {
    batchCount: 3,
    clusterCount: 5,
    images: [{ imageHead: new Uint8Array(3), endHead: new Uint8Array(4), leaves: [pointer] }],
    places: [pointer, { ...pointer, first: 5 }],
    contents: [],
  };

  it("refuse pointers with a gap, an overlap or nothing in them", () => {
    for (const wrong of [{ first: 6 }, { first: 4 }, { first: 5, count: 0 }]) {
      const head = { ...small, places: [pointer, Object.assign({}, pointer, { first: 5 }, wrong)] };
      expect(() => decodeDirectory(encodeDirectory(head), "DIRECTORY", false)).toThrow(
        "5 expected",
      );
    }
  });

  const session = (firstSequence: number, firstCluster: number, fill: number) => {
    return { firstSequence, firstCluster, nonce: new Uint8Array(24).fill(fill) };
  };
  const sealed = { ...small, sessions: [session(0, 0, 1), session(1, 5, 2), session(2, 5, 3)] };

  it("tell the sessions of a sealed archive, which rise", () => {
    expect(decodeDirectory(encodeDirectory(sealed), "DIRECTORY", true)).toEqual(sealed);
    expect(() => decodeDirectory(encodeDirectory(sealed), "DIRECTORY", false)).toThrow("left over");
    for (const sessions of [
      [],
      [session(1, 0, 1)],
      [session(0, 1, 1)],
      [session(0, 0, 1), session(0, 0, 2)],
      [session(0, 0, 1), session(1, 3, 2), session(2, 2, 2)],
      [session(0, 0, 1), session(3, 0, 2)],
    ]) {
      const bytes = encodeDirectory({ ...small, sessions });
      expect(() => decodeDirectory(bytes, "DIRECTORY", true)).toThrow(/no session|a session from/);
    }
  });

  it("are total", () => {
    expectTotal(encodeDirectory(sealed), (mutated) => decodeDirectory(mutated, "DIRECTORY", true));
    expectTotal(encodeDirectory(small), (mutated) => decodeDirectory(mutated, "DIRECTORY", false));
    expectTotal(encodeLeaf(leaf), (mutated) => decodeLeaf(mutated, "LEAF"));
    const place = { byteOffset: 9000, byteLength: 99, itemCount: 4, isDeltas: false };
    const head = { firstCluster: 1, places: [place, { ...place, byteOffset: 9099 }] };
    expectTotal(encodePlaces(head), (mutated) => decodePlaces(mutated, "PLACES"));
    const contents = { firstCluster: 5, clusterCount: 2, fingerprints: new Uint8Array(48) };
    expectTotal(encodeContents(contents), (mutated) => decodeContents(mutated, "CONTENTS"));
  });
});
