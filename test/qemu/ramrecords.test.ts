// Records of RAM: how little of a script they take, what is forgotten, and what no QEMU writes.
import { describe, expect, it } from "vitest";
import { foldAll, newTarget, unfoldAll } from "../support/qemufold.ts";
import { StreamMaker } from "../support/qemustream.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const random = seededRandom(randomSeed("qemu/ramrecords"));
const PAGE = random.bytes(4096);
const BLOCKS = [
  { name: "pc.ram", pages: 1000 },
  { name: "pc.bios", pages: 16 },
];

const head = () => new StreamMaker().magic().openReturnPath().startRam(BLOCKS);

/** Bytes of script that the records of one part take. */
function scriptBytes(fill: (maker: StreamMaker) => void): number {
  const sizes = [() => undefined, fill].map((records) => {
    const maker = head().part(2);
    records(maker);
    const { bytes } = maker.endOfPart().footer().made();
    const { batches } = foldAll(bytes, 2000, () => 1 << 30);
    expect(Buffer.compare(unfoldAll(batches), bytes)).toBe(0);
    return batches.reduce((sum, { script }) => sum + script.length, 0);
  });
  return sizes[1] - sizes[0];
}

describe("ramrecords: the script", () => {
  it("takes a few bytes for runs of pages and of zeros", () => {
    const records = (maker: StreamMaker) => {
      for (let page = 0; page < 1000; page++) {
        maker.record(page < 500 ? "page" : "zero", 0, page, page < 500 ? PAGE : undefined);
      }
    };
    // The first record names its block: number, length and name; then one step for each run, and
    // what is passed falls into two steps.
    expect(scriptBytes(records)).toBeLessThanOrEqual(1 + 1 + 6 + 2 * 2 + 4);
  });

  it("takes three bytes for a page at a jump", () => {
    const jumps = Array.from({ length: 400 }, () => random.int(1000));
    const records = (maker: StreamMaker) => {
      for (const page of jumps) maker.record("page", 0, page, PAGE);
    };
    expect(scriptBytes(records)).toBeLessThanOrEqual(3 * jumps.length + 14);
  });

  it("ends a batch that stands for 256 KiB more than pages", () => {
    const maker = head().part(2);
    for (let i = 0; i < 200_000; i++) maker.record("zero", 0, i % 1000);
    const { bytes } = maker.endOfPart().footer().made();
    const { batches } = foldAll(bytes, 4, () => 10_000);
    expect(batches.length).toBe(Math.ceil((200_000 * 9) / (272 << 10)) + 1);
    for (const { streamBytes } of batches) expect(streamBytes).toBeLessThan((272 << 10) + 16);
    expect(Buffer.compare(unfoldAll(batches), bytes)).toBe(0);
  });

  it("ends a batch whose script has 64 KiB", () => {
    const maker = head().part(2);
    for (let i = 0; i < 60_000; i++) maker.record("zero", 0, random.int(1000));
    const { bytes } = maker.endOfPart().footer().made();
    const { batches } = foldAll(bytes, 4, () => 1 << 30);
    expect(batches.length).toBeGreaterThan(2);
    for (const { script } of batches) expect(script.length).toBeLessThan(65_536 + 600);
    expect(Buffer.compare(unfoldAll(batches), bytes)).toBe(0);
  });
});

describe("ramrecords: frames", () => {
  it("tells the frames of pages, over all blocks", () => {
    const maker = head().part(2);
    maker.record("page", 1, 2, PAGE).record("page", 0, 999, PAGE).record("page", 0, 0, PAGE);
    const { batches } = foldAll(maker.made().bytes, 8, () => 100);
    expect(batches.flatMap(({ frames }) => frames)).toEqual([1002, 999, 0]);
    expect(
      Buffer.compare(
        Buffer.concat(batches.map(({ pages }) => pages)),
        Buffer.concat([PAGE, PAGE, PAGE]),
      ),
    ).toBe(0);
  });

  it("forgets sent frames that become zero or are patched, unless they are sent again", () => {
    const maker = head().part(2);
    for (const page of [1, 2, 3, 4]) maker.record("page", 0, page, PAGE);
    maker.record("zero", 0, 1).record("zero", 0, 900).record("xbzrle", 0, 2, random.bytes(9));
    maker.record("zero", 0, 3).record("page", 0, 3, PAGE);
    const { batches, folder } = foldAll(maker.made().bytes, 8, () => 1 << 30);
    expect(batches.flatMap(({ forgotten }) => forgotten)).toEqual([1, 2]);
    const again = new StreamMaker();
    again.blocks = [...folder.blocks];
    again.record("zero", 0, 1).record("xbzrle", 0, 3, random.bytes(9));
    folder.fold(again.made().bytes, newTarget(1));
    expect(folder.takeForgotten()).toEqual([3]);
    expect(folder.takeForgotten()).toEqual([]);
  });

  it("leaves a page for the next batch when there is no room", () => {
    const { bytes } = head().part(2).record("page", 0, 1, PAGE).record("page", 0, 2, PAGE).made();
    const { batches } = foldAll(bytes, 1, () => 1 << 30);
    expect(batches.map(({ frames }) => frames)).toEqual([[], [1], [2]]);
    expect(Buffer.compare(unfoldAll(batches), bytes)).toBe(0);
  });
});

describe("ramrecords: no QEMU writes", () => {
  const named = (flags: number) =>
    head()
      .part(2)
      .be64(4096 * 3 + flags);
  it.each<[string, StreamMaker, string]>([
    ["a record without a block before it", named(0x28), "a record continues no block"],
    ["an unknown block", named(0x08).name("pc.rum"), "no block is named pc.rum"],
    ["unknown flags", named(0x400), "a record of RAM with flags 0x400"],
    ["two kinds at once", named(0x0a).name("pc.ram").u8(0), "a record of RAM with flags 0xa"],
    ["a list of blocks in a part", named(0x04), "a record of RAM with flags 0x4"],
    ["a filled zero", named(0x02).name("pc.ram").u8(7), "a zero record is filled with 7"],
    [
      "a filled zero behind another",
      head()
        .part(2)
        .record("zero", 0, 0)
        .be64(4096 + 0x22)
        .u8(9),
      "a zero record is filled with 9",
    ],
    [
      "an unknown encoding",
      named(0x40).name("pc.ram").u8(2).be16(4),
      "an XBZRLE record with encoding 2",
    ],
    [
      "a page behind the end of its block",
      head()
        .part(2)
        .be64(16 * 4096 + 8)
        .name("pc.bios")
        .raw(PAGE),
      "page 16 of block pc.bios, which has 16",
    ],
    [
      "a far page of the last block",
      head()
        .part(2)
        .record("zero", 1, 0)
        .be64(2 ** 45 + 0x28)
        .raw(PAGE),
      "page 8589934592 of block pc.bios, which has 16",
    ],
    [
      "a far zero of the last block",
      head()
        .part(2)
        .record("zero", 1, 0)
        .be64(2 ** 45 + 0x22)
        .u8(0),
      "page 8589934592 of block pc.bios, which has 16",
    ],
  ])("%s", (_, maker, message) => {
    for (const pieceBytes of [1, 1 << 30]) {
      const fold = () => foldAll(maker.made().bytes, 8, () => pieceBytes);
      expect(fold).toThrow(message);
      expect(fold).toThrow(expect.objectContaining({ code: "DAMAGED" }));
    }
  });
});
