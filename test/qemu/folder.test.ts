// Folding and unfolding streams: the same bytes again, whatever the pieces and batches; events
// where they belong; refusals that say what to turn off.
import { describe, expect, it } from "vitest";
import { StreamFolder } from "../../src/qemu/folder.ts";
import { ScriptReader, Step } from "../../src/qemu/script.ts";
import { StreamUnfolder } from "../../src/qemu/unfolder.ts";
import { foldAll, newTarget, unfoldAll } from "../support/qemufold.ts";
import { type MadeStream, makeStream, StreamMaker } from "../support/qemustream.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const random = seededRandom(randomSeed("qemu/folder"));

/** Pieces that suit the parts of a stream badly. */
const pieceSizes: [string, () => number][] = [
  ["single bytes", () => 1],
  ["seven bytes", () => 7],
  ["odd pieces", () => 1 + random.int(5000)],
  ["one piece", () => 1 << 30],
];

/** Steps of count 0. */
function marksOf(script: Uint8Array, known: Set<number>): number[] {
  const marks: number[] = [];
  const steps = new ScriptReader(script, "web");
  while (steps.next()) {
    const { step, count } = steps;
    const isRun = step === Step.PAGES || step === Step.ZEROS;
    if (isRun && count === 0) marks.push(step);
    if (step === Step.VERBATIM) steps.skip(count);
    if (step === Step.BLOCK && !known.has(count)) steps.skip(steps.u8());
    if (step === Step.BLOCK) known.add(count);
  }
  return marks;
}

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

describe("folder: batches", () => {
  it("go into shared memory of any alignment", () => {
    const stream = makeStream(random);
    const folder = new StreamFolder("web");
    const unfolder = new StreamUnfolder("web");
    const shared = (length: number) => new Uint8Array(new SharedArrayBuffer(length + 3), 3);
    const input = shared(stream.bytes.length);
    input.set(stream.bytes);
    const out: Uint8Array[] = [];
    for (let at = 0; at < input.length; ) {
      const target = { ...newTarget(0), pages: shared(8 * 4096), frames: new Uint32Array(8) };
      at += folder.fold(input.subarray(at), target);
      folder.takeEvent();
      const into = shared(target.streamBytes);
      unfolder.unfold(target.script.take(), target.pages, target.pageCount, into);
      out.push(into);
    }
    expect(Buffer.compare(Buffer.concat(out), stream.bytes)).toBe(0);
  });

  it("are complete in themselves: a page that is cut belongs to the next", () => {
    const maker = new StreamMaker().magic().openReturnPath();
    maker.startRam([{ name: "pc.ram", pages: 4 }]).part(2);
    maker.record("page", 0, 1, random.bytes(4096));
    const { bytes } = maker.made();
    const { batches } = foldAll(
      bytes,
      4,
      () => bytes.length - 100,
      () => true,
    );
    expect(batches.slice(-2).map(({ frames }) => frames)).toEqual([[1], []]);
    expect(batches.at(-3)?.streamBytes).toBeGreaterThan(0);
    expect(Buffer.compare(unfoldAll(batches), bytes)).toBe(0);
  });
});

describe("folder: the end", () => {
  const unclosed = () => makeStream(random, { hasDescription: false });

  it("waits until an event was taken", () => {
    const { bytes, events } = makeStream(random);
    const folder = new StreamFolder("web");
    const target = newTarget(8);
    const taken = folder.fold(bytes, target);
    expect(taken).toBe(events[0].at);
    expect(folder.fold(bytes.subarray(taken), target)).toBe(0);
    expect(folder.takeEvent()).toBe("returnPath");
    expect(folder.takeEvent()).toBeUndefined();
    expect(folder.fold(bytes.subarray(taken), target)).toBeGreaterThan(0);
  });

  it("may come without a description", () => {
    const { bytes } = unclosed();
    const { folder } = foldAll(bytes, 64, () => 999);
    expect(folder.phase).toBe("device");
    expect(folder.mayEndHere).toBe(true);
    folder.endHere();
    expect(folder.phase).toBe("ended");
  });

  it("does not come in the middle", () => {
    const { folder } = foldAll(unclosed().bytes.slice(0, -2), 64, () => 999);
    expect(folder.mayEndHere).toBe(false);
    expect(() => folder.endHere()).toThrow("it ended in the middle");
  });

  it("is taken back when more follows, as behind a forged description", () => {
    const { bytes, events } = makeStream(random);
    const more = new StreamMaker().devices(random, 2).u8(0).description().made().bytes;
    const whole = new Uint8Array(Buffer.concat([bytes, more]));
    const pieces = [bytes.length, more.length];
    const cut = foldAll(whole, 64, () => pieces.shift() ?? 1);
    expect(cut.events).toEqual([...events, { event: "end", at: whole.length }]);
    const uncut = foldAll(whole, 64, () => whole.length);
    expect(uncut.events).toEqual([...events.slice(0, -1), { event: "end", at: whole.length }]);
  });
});

describe("folder: marks for version 2", () => {
  const fold = (stream: MadeStream, marksRam: boolean) => {
    const folder = new StreamFolder("web", { marksRam });
    const isCut = () => false;
    return foldAll(stream.bytes, 16, () => 1 << 30, isCut, folder);
  };

  it("stand before the end of each part, and in version 1 nowhere", () => {
    const stream = makeStream(random, { rounds: 4 });
    const marks = (marksRam: boolean) => {
      const { batches } = fold(stream, marksRam);
      expect(Buffer.compare(unfoldAll(batches), stream.bytes)).toBe(0);
      const known = new Set<number>();
      return batches.flatMap(({ script }) => marksOf(script, known));
    };
    expect(marks(true)).toEqual([Step.PAGES, Step.PAGES, Step.PAGES, Step.PAGES, Step.ZEROS]);
    expect(marks(false)).toEqual([]);
  });

  it("say which batches settle, and whether post-copy may come", () => {
    const open = () => new StreamMaker().magic().openReturnPath();
    const blocks = [{ name: "pc.ram", pages: 40 }];
    const maker = open().startRam(blocks).part(2);
    for (let page = 0; page < 32; page++) maker.record("page", 0, page, random.bytes(4096));
    maker.record("xbzrle", 0, 3, random.bytes(9)).endOfPart().footer();
    maker.part(3).endOfPart().footer().event("ramEnd").u8(0);
    const { batches, folder } = fold(maker.made(), true);
    expect(batches.map(({ settles }) => settles)).toEqual([false, false, true, false]);
    expect(folder.isPostcopyAdvised).toBe(false);
    const advised = open().command(3, random.bytes(16)).made();
    expect(fold(advised, true).folder.isPostcopyAdvised).toBe(true);
  });

  it("need a last part", () => {
    const maker = new StreamMaker().magic().openReturnPath();
    maker.startRam([{ name: "pc.ram", pages: 4 }]).devices(random, 1);
    expect(() => fold(maker.made(), true)).toThrow("turn off the capability background-snapshot");
  });
});
