// Pages that come later: whatever the order in which they come, the guest's memory is the same in
// the end, and so is all else; older content never follows newer; limits hold.
import { describe, expect, it } from "vitest";
import { ByteWriter } from "../../src/core/bytes.ts";
import { StreamFolder } from "../../src/qemu/folder.ts";
import { MAX_PUT_OFF_PAGES, PutOffPages } from "../../src/qemu/putoff.ts";
import { Step } from "../../src/qemu/script.ts";
import { StreamProof } from "../../src/qemu/streamproof.ts";
import { StreamUnfolder } from "../../src/qemu/unfolder.ts";
import { loadStream } from "../oracle/qemuloader.ts";
import { proofOfSource, unfoldDeferred } from "../support/deferred.ts";
import { foldAll } from "../support/qemufold.ts";
import { makeStream, type StreamShape } from "../support/qemustream.ts";
import { randomSeed, type SeededRandom, seededRandom } from "../support/random.ts";
import { expectTotal } from "../support/totality.ts";

const random = seededRandom(randomSeed("qemu/putoff"));

function folded(from: SeededRandom, shape: StreamShape, pagesPerBatch: number) {
  const { bytes } = makeStream(from, shape);
  const folder = new StreamFolder("web", { marksRam: true });
  const longest = 1 + from.int(40_000);
  const pieceBytes = () => from.int(longest);
  const isCut = () => from.int(4) === 0;
  return { bytes, ...foldAll(bytes, pagesPerBatch, pieceBytes, isCut, folder) };
}

function script(...steps: (readonly [number, number] | string)[]): Uint8Array {
  const writer = new ByteWriter();
  for (const step of steps) {
    if (typeof step === "string") writer.raw(Buffer.from(step));
    else writer.varint(step[1] * 8 + step[0]);
  }
  return writer.take();
}

const PAGE = new Uint8Array(4096).fill(0x50);
const HASH = new Uint32Array([1, 2]);
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

describe("pages that are put off: a model", () => {
  it("loads the same memory and the same else, and proves it", () => {
    const sums = { arrived: 0, early: 0, dropped: 0 };
    for (let round = 0; round < 40; round++) {
      const hasPatches = random.int(4) === 0;
      const shape = { rounds: 1 + random.int(6), recordsPerRound: 200, hasPatches };
      const { bytes, batches } = folded(random, shape, 1 + random.int(64));
      const percent = round === 0 ? 0 : [5, 30, 60, 100][random.int(4)];
      const deferred = unfoldDeferred(batches, random, percent);
      const [original, loaded] = [loadStream(bytes), loadStream(deferred.bytes)];
      expect(Buffer.compare(loaded.others, original.others)).toBe(0);
      expect(loaded.frames).toEqual(original.frames);
      expect(deferred.proof).toBe(proofOfSource(batches));
      expect(deferred.unfolder.putOff.waitingCount).toBe(0);
      const { arrived, early, dropped, named } = deferred;
      expect(arrived + early + dropped).toBe(named);
      if (named === 0) expect(Buffer.compare(deferred.bytes, bytes)).toBe(0);
      sums.arrived += arrived;
      sums.early += early;
      sums.dropped += dropped;
    }
    // The model must have tried all of it.
    for (const sum of Object.values(sums)) expect(sum).toBeGreaterThan(20);
  });
});

describe("pages that are put off", () => {
  const begin = [[Step.BLOCK, 0], "\u0001a"] as const;
  /** An unfolder that waits for page 3 of block a by the name 7. */
  function waiting(): StreamUnfolder {
    const unfolder = new StreamUnfolder("web");
    const absent = { pages: [0], names: [7] };
    const steps = script(...begin, [Step.PAGE, 6], [Step.ZEROS, 1]);
    const into = new Uint8Array(300);
    expect(unfolder.unfold(steps, PAGE, 1, into, { absent })).toBe(11);
    expect(hex(into.subarray(0, 11))).toBe("00000000000040020161" + "00");
    expect(unfolder.streamBytes).toBe(4104 + 2 + 9);
    return unfolder;
  }
  const unfold = (unfolder: StreamUnfolder, steps: Uint8Array): string => {
    const into = new Uint8Array(10_000);
    const length = unfolder.unfold(steps, PAGE, 0, into);
    return hex(Buffer.concat([...unfolder.putOff.takePieces(), into.subarray(0, length)]));
  };
  const record = `0000000000003008${"0161"}${hex(PAGE)}`;

  it.each([
    ["a record, which continues their block", [Step.ZEROS, 1], "000000000000502200"],
    ["the end of a part", [Step.PAGES, 0], ""],
    ["the end of the last part", [Step.ZEROS, 0], ""],
  ] as const)("are written before %s", (_, step, behind) => {
    const unfolder = waiting();
    expect(unfolder.putOff.arrived(7, PAGE, HASH, 0)).toBe(true);
    const steps = script([Step.VERBATIM, 2], "hi", step, [Step.VERBATIM, 1], "!");
    expect(unfold(unfolder, steps)).toBe(`6869${record}${behind}21`);
    expect(unfold(unfolder, script(step))).not.toContain(record);
  });

  it("do not break in on what is no memory", () => {
    const unfolder = waiting();
    unfolder.putOff.arrived(7, PAGE, HASH, 0);
    expect(unfold(unfolder, script([Step.VERBATIM, 2], "hi"))).toBe("6869");
    expect(unfold(unfolder, script([Step.PAGES, 0]))).toBe(record);
  });

  it("let the record behind them name its block", () => {
    const unfolder = waiting();
    unfold(unfolder, script([Step.BLOCK, 1], "\u0001b", [Step.ZEROS, 1]));
    unfolder.putOff.arrived(7, PAGE, HASH, 0);
    const next = `0000000000001002${"0162"}00`;
    expect(unfold(unfolder, script([Step.ZEROS, 1]))).toBe(record + next);
    expect(unfold(unfolder, script([Step.ZEROS, 1]))).toBe("000000000000202200");
  });

  it.each([
    ["zeros", [Step.ZERO, 3]],
    ["a run of zeros", [Step.ZEROS, 9]],
  ] as const)("are cancelled by %s", (_, step) => {
    const unfolder = waiting();
    unfold(unfolder, script([Step.BLOCK, 0], [Step.MOVE, step[0] === Step.ZERO ? 10 : 0], step));
    expect(unfolder.putOff.takeDropped()).toEqual([7]);
    expect(unfolder.putOff.takeDropped()).toEqual([]);
    expect(unfolder.putOff.arrived(7, PAGE, HASH, 0)).toBe(false);
    expect(unfold(unfolder, script([Step.ZEROS, 0]))).toBe("");
  });

  it("are cancelled by a page, absent or not", () => {
    const unfolder = waiting();
    const again = script([Step.BLOCK, 0], [Step.PAGE, 6]);
    unfolder.unfold(again, PAGE, 1, new Uint8Array(5000), { absent: { pages: [0], names: [8] } });
    expect(unfolder.putOff.takeDropped()).toEqual([7]);
    unfolder.unfold(again, PAGE, 1, new Uint8Array(5000));
    expect(unfolder.putOff.takeDropped()).toEqual([8]);
    expect(unfolder.putOff.waitingCount).toBe(0);
  });

  it("come for all frames that wait for them", () => {
    const unfolder = waiting();
    const absent = { pages: [0], names: [7] };
    const steps = script([Step.BLOCK, 1], "\u0001b", [Step.PAGES, 1]);
    unfolder.unfold(steps, PAGE, 1, new Uint8Array(5000), { absent });
    unfolder.putOff.arrived(7, PAGE, HASH, 0);
    const other = `0000000000000008${"0162"}${hex(PAGE)}`;
    expect(unfold(unfolder, script([Step.PAGES, 0]))).toBe(record + other);
  });

  it("lie in pieces of bounded size", () => {
    const unfolder = new StreamUnfolder("web");
    const pages = new Uint8Array(100 * 4096);
    const numbers = Array.from({ length: 100 }, (_, i) => i);
    const absent = { pages: numbers, names: numbers };
    const steps = script(...begin, [Step.PAGES, 100]);
    unfolder.unfold(steps, pages, 100, new Uint8Array(300), { absent });
    for (const name of numbers) unfolder.putOff.arrived(name, PAGE, HASH, 0);
    unfolder.unfold(script([Step.ZEROS, 0]), pages, 0, new Uint8Array(300));
    const pieces = unfolder.putOff.takePieces();
    expect(pieces.map(({ length }) => length)).toEqual([31, 31, 31, 7].map((n) => n * 4106));
    expect(unfolder.putOff.takePieces()).toEqual([]);
  });

  it.each<[string, Uint8Array, string]>([
    ["the end of the memory", script([Step.ZEROS, 0]), "ends here, and 1 of its pages are absent"],
    [
      "a patch of one of them",
      script([Step.BLOCK, 0], [Step.MOVE, 6], [Step.XBZRLE, 1], [Step.VERBATIM, 1], "x"),
      "an XBZRLE record changes page 3, which is absent",
    ],
    [
      "a record within a patch",
      script([Step.XBZRLE, 2], [Step.VERBATIM, 1], "x", [Step.ZEROS, 1]),
      "a record within the payload of another",
    ],
  ])("refuse %s", (_, steps, message) => {
    const unfolder = waiting();
    expect(() => unfold(unfolder, steps)).toThrow(message);
  });

  it("refuse to be of no block", () => {
    const absent = { pages: [0], names: [0] };
    const unfolder = new StreamUnfolder("web");
    const unfold = () =>
      unfolder.unfold(script([Step.PAGES, 1]), PAGE, 1, new Uint8Array(5000), { absent });
    expect(unfold).toThrow("a record of no block");
  });

  it("are no more than the limit", () => {
    const putOff = new PutOffPages("web", (byteLength) => new Uint8Array(byteLength));
    for (let name = 0; name < MAX_PUT_OFF_PAGES; name++) putOff.expect(name);
    expect(() => putOff.expect(-1)).toThrow("web: more than 32768 pages are put off");
    putOff.takeExpected(0);
    putOff.expect(0);
    const block = { number: 0, name: new Uint8Array(1), waiting: new Map() };
    expect(() => putOff.wait(block, 0, 1)).toThrow(expect.objectContaining({ code: "DAMAGED" }));
  });

  it("are total, whatever the script says", () => {
    const { batches } = folded(random, { rounds: 2, recordsPerRound: 60 }, 512);
    const batch = batches.reduce((a, b) => (b.frames.length > a.frames.length ? b : a));
    const room = new Uint8Array(StreamUnfolder.roomFor(batch.streamBytes) + 128);
    const into = room.subarray(64, room.length - 64);
    const { length } = batch.frames;
    const absent = { pages: [] as number[], names: [] as number[] };
    for (let page = 0; page < length; page += 1 + random.int(3)) {
      absent.pages.push(page);
      absent.names.push(page);
    }
    const hashes = { words: new Uint32Array(1024), from: 0, stride: 2 };
    expectTotal(batch.script, (steps) => {
      room.fill(0xa5);
      const passed = { update: () => undefined, digest: () => 0n };
      const unfolder = new StreamUnfolder("web", { proof: new StreamProof("web", passed) });
      for (const name of absent.names) if (random.int(4) === 0) unfolder.putOff.expect(name);
      unfolder.putOff.arrived(0, PAGE, HASH, 0);
      try {
        for (let turn = 0; turn < 2; turn++) {
          unfolder.unfold(steps, batch.pages, length, into, { absent, hashes });
          for (const name of absent.names) unfolder.putOff.arrived(name, PAGE, HASH, 0);
          unfolder.putOff.takePieces();
        }
      } finally {
        const outside = [...room.subarray(0, 64), ...room.subarray(64 + into.length)];
        expect(outside.every((byte) => byte === 0xa5)).toBe(true);
        expect(unfolder.putOff.waitingCount).toBeLessThanOrEqual(absent.names.length);
      }
    });
  });
});
