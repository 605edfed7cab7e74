// Folding and unfolding streams: the same bytes again, whatever the pieces and batches; events
// where they belong; refusals that say what to turn off.
import { describe, expect, it } from "vitest";
import { foldAll, unfoldAll } from "../support/qemufold.ts";
import { type MadeStream, makeStream } from "../support/qemustream.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const random = seededRandom(randomSeed("qemu/folder"));

/** Pieces that suit the parts of a stream badly. */
const pieceSizes: [string, () => number][] = [
  ["single bytes", () => 1],
  ["seven bytes", () => 7],
  ["odd pieces", () => 1 + random.int(5000)],
  ["one piece", () => 1 << 30],
];

function pagesOf(stream: MadeStream) {
  return stream.records.filter(({ kind }) => kind === "page");
}

describe("folder: gives the same bytes again", () => {
  it.each(pieceSizes)("%s", (_, pieceBytes) => {
    for (const isPostcopy of [false, true]) {
      const stream = makeStream(random, { isPostcopy });
      const folded = foldAll(stream.bytes, 1 + random.int(40), pieceBytes);
      expect(Buffer.compare(unfoldAll(folded.batches), stream.bytes)).toBe(0);
      expect(folded.events).toEqual(stream.events);
      expect(folded.folder.phase).toBe("ended");
    }
  });

  it("for random streams, pieces, and batches that are sent early", () => {
    for (let round = 0; round < 150; round++) {
      const isPostcopy = random.int(2) === 0;
      const stream = makeStream(random, {
        isPostcopy,
        rounds: random.int(5),
        hasAddresses: random.int(3) === 0,
        hasPageSizes: random.int(3) === 0,
      });
      const longest = 1 + random.int(30_000);
      const { batches, events, folder } = foldAll(
        stream.bytes,
        1 + random.int(64),
        () => random.int(longest),
        () => random.int(3) === 0,
      );
      expect(Buffer.compare(unfoldAll(batches), stream.bytes)).toBe(0);
      expect(events).toEqual(stream.events);
      expect(folder.blocks).toMatchObject(stream.blocks);
      expect(batches.flatMap(({ frames }) => frames)).toEqual(pagesOf(stream).map((r) => r.frame));
    }
  });
});
