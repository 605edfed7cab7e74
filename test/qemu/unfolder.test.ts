// Unfolding what a peer sent: exactly the bytes that were folded, or DAMAGED, and never a byte
// outside of the output.
import { describe, expect, it } from "vitest";
import { ByteWriter } from "../../src/core/bytes.ts";
import { Step } from "../../src/qemu/script.ts";
import { StreamUnfolder } from "../../src/qemu/unfolder.ts";
import { foldAll } from "../support/qemufold.ts";
import { makeStream } from "../support/qemustream.ts";
import { randomSeed, seededRandom } from "../support/random.ts";
import { expectTotal } from "../support/totality.ts";

const random = seededRandom(randomSeed("qemu/unfolder"));
const PAGES = random.bytes(3 * 4096);

/** A script of steps; texts are passed as they are. */
function script(...steps: (readonly [number, number] | string)[]): Uint8Array {
  const writer = new ByteWriter();
  for (const step of steps) {
    if (typeof step === "string") writer.raw(Buffer.from(step));
    else writer.varint(step[1] * 8 + step[0]);
  }
  return writer.take();
}

describe("unfolder", () => {
  it("writes records as QEMU does", () => {
    const into = new Uint8Array(20_000);
    const steps = script(
      [Step.VERBATIM, 2],
      "hi",
      [Step.BLOCK, 0],
      "\u0006pc.ram",
      [Step.PAGE, 2 * 0x123456],
      [Step.ZEROS, 2],
      [Step.MOVE, 1],
      [Step.XBZRLE, 3],
      [Step.VERBATIM, 3],
      "abc",
      [Step.BLOCK, 0],
      [Step.ZERO, 4],
    );
    const length = new StreamUnfolder("web").unfold(steps, PAGES, 1, into);
    const hex = (from: number, to: number) => Buffer.from(into.subarray(from, to)).toString("hex");
    expect(hex(0, 17)).toBe(`6869${"0000000123456008"}${"06"}${"70632e72616d"}`);
    expect(into.subarray(17, 17 + 4096)).toEqual(PAGES.subarray(0, 4096));
    expect(hex(17 + 4096, length)).toBe(
      `${"000000012345702200"}${"000000012345802200"}` +
        `${"0000000123458060010003616263"}` +
        `${"0000000000002002"}${"06"}${"70632e72616d"}${"00"}`,
    );
  });

  it("reaches the last page that an offset can name", () => {
    const into = new Uint8Array(100);
    const steps = script([Step.MOVE, 2 * (2 ** 40 - 1)], [Step.ZEROS, 1]);
    expect(new StreamUnfolder("web").unfold(steps, PAGES, 0, into)).toBe(9);
    expect(Buffer.from(into.subarray(0, 8)).toString("hex")).toBe("000ffffffffff022");
  });

  it.each<[string, Uint8Array, number, string]>([
    ["more pages than there are", script([Step.PAGES, 3]), 2, "3 pages are wanted, 2 are left"],
    ["more pages than bytes", script([Step.PAGES, 4]), 4, "4 pages are wanted, 3 are left"],
    ["pages that nothing uses", script([Step.PAGES, 1]), 2, "1 pages are used, 2 were sent"],
    [
      "more than there is room for",
      script([Step.ZEROS, 10_000_000]),
      0,
      "it makes 90000000 bytes more, there is room for 20000",
    ],
    ["text that is cut", script([Step.VERBATIM, 4], "abc"), 0, "4 bytes are announced, 3 are"],
    ["a name that is cut", script([Step.BLOCK, 0], "\u0006pc"), 0, "6 bytes are announced, 2 are"],
    ["a name that is missing", script([Step.BLOCK, 0]), 0, "1 bytes are announced, 0 are there"],
    ["too many blocks", script([Step.BLOCK, 4096]), 0, "block 4096, 4096 are possible"],
    ["pages before the first", script([Step.PAGE, 1]), 1, "1 records at page -1"],
    [
      "pages that no offset reaches",
      script([Step.MOVE, 2 * (2 ** 40 - 1)], [Step.ZEROS, 2]),
      0,
      "2 records at page 1099511627775",
    ],
    ["a long patch", script([Step.XBZRLE, 65_536]), 0, "an XBZRLE record of 65536 bytes"],
    ["a step that is cut", Uint8Array.of(0x80), 0, "a step is cut"],
    ["a step without end", new Uint8Array(9).fill(0xff), 0, "a step is longer than 7 bytes"],
  ])("refuses %s", (_, steps, pageCount, message) => {
    const unfold = () =>
      new StreamUnfolder("web").unfold(steps, PAGES, pageCount, new Uint8Array(20_000));
    expect(unfold).toThrow(message);
    expect(unfold).toThrow(/^web: script: byte \d+: /);
    expect(unfold).toThrow(expect.objectContaining({ code: "DAMAGED" }));
  });

  it("is total, and stays within its output", () => {
    const { bytes } = makeStream(random, { recordsPerRound: 20, isPostcopy: true });
    const { batches } = foldAll(bytes, 64, () => 1 << 30);
    const batch = batches.reduce((a, b) => (b.frames.length > a.frames.length ? b : a));
    const room = new Uint8Array(batch.streamBytes + 128);
    const into = room.subarray(64, 64 + batch.streamBytes);
    expectTotal(batch.script, (steps) => {
      room.fill(0xa5);
      const { pages, frames } = batch;
      try {
        new StreamUnfolder("web").unfold(steps, pages, frames.length, into);
      } finally {
        const outside = [...room.subarray(0, 64), ...room.subarray(64 + into.length)];
        expect(outside.every((byte) => byte === 0xa5)).toBe(true);
      }
    });
  });
});
