// Streams of captures are taken apart, however they are cut and however slow the sink is: all of
// the memory arrives, each frame once, and the rest makes the same stream again.
import { describe, expect, it } from "vitest";
import type { PageRoom } from "../../src/replication/capture.ts";
import { CaptureIntake } from "../../src/replication/captureintake.ts";
import { MemorySink } from "../support/capturesink.ts";
import { BLOCKS, captureStream } from "../support/capturestreams.ts";
import { StreamMaker } from "../support/qemustream.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

class SlowSink extends MemorySink {
  override async room(): Promise<PageRoom> {
    await new Promise((resolve) => setImmediate(resolve));
    return super.room();
  }
}

async function takeAll(intake: CaptureIntake, stream: Uint8Array, pieceBytes: () => number) {
  for (let at = 0; at < stream.length; ) {
    // A copy that is spoilt afterwards: nothing may be kept of it.
    const piece = stream.slice(at, at + pieceBytes());
    at += piece.length;
    await intake.write(piece);
    piece.fill(0xee);
  }
  return intake.end();
}

describe("the intake of a capture", () => {
  it.each([1, 2, 64])("hands out every frame once, in rooms of %i pages", async (roomPages) => {
    const random = seededRandom(randomSeed("captured streams"));
    for (const shared of [[], ["pc.ram"]]) {
      const { stream, memory } = captureStream(random, shared);
      for (const limit of [7, 5000, 300_000]) {
        const sink = limit === 5000 ? new SlowSink(roomPages) : new MemorySink(roomPages);
        const intake = new CaptureIntake("web", { qemuVersion: "7.2.22" }, sink);
        const { identity } = await takeAll(intake, stream, () => 1 + random.int(limit));
        expect(identity).toEqual({
          machine: "pc-q35-7.2",
          qemuVersion: "7.2.22",
          pageBytes: 4096,
          ramBlocks: BLOCKS.map(({ name, pages }) => ({ name, byteLength: pages * 4096 })),
        });
        const first = shared.length > 0 ? 300 : 0;
        expect(sink.arrivals.subarray(first).every((count) => count === 1)).toBe(true);
        expect(sink.arrivals.subarray(0, first).every((count) => count === 0)).toBe(true);
        const from = first * 4096;
        expect(Buffer.compare(sink.bytes.subarray(from), memory.subarray(from))).toBe(0);
        expect(intake.streamBytes).toBe(stream.length);
      }
    }
  });

  it("keeps head and devices to the byte", async () => {
    const { stream } = captureStream(seededRandom(5));
    const intake = new CaptureIntake("web", { qemuVersion: "7.2.22" }, new MemorySink());
    const { head, tail } = await takeAll(intake, stream, () => 1000);
    expect(Buffer.compare(head, stream.subarray(0, head.length))).toBe(0);
    expect(Buffer.compare(tail, stream.subarray(stream.length - tail.length))).toBe(0);
    expect(head.subarray(-5)).toEqual(new Uint8Array([0x7e, 0, 0, 0, 2]));
    expect(tail[0]).toBe(4);
  });

  it.each([
    ["return-path", new StreamMaker().magic().configuration("pc").openReturnPath(), "return-path"],
    [
      "XBZRLE",
      new StreamMaker()
        .magic()
        .configuration("pc")
        .startRam([{ name: "pc.ram", pages: 4 }])
        .part(2)
        .record("xbzrle", 0, 1, new Uint8Array(9)),
      "xbzrle",
    ],
  ])("refuses %s by name", async (_, maker, capability) => {
    const intake = new CaptureIntake("web", { qemuVersion: "7.2.22" }, new MemorySink());
    const { bytes } = maker.made();
    const taken = takeAll(intake, bytes, () => 4096);
    await expect(taken).rejects.toThrow(
      `web: ${capability} is on: turn off the capability ${capability}`,
    );
  });

  it("says that a stream has ended too early", async () => {
    const { stream } = captureStream(seededRandom(6));
    for (const length of [0, 3, 40, 9000, stream.length - 60, stream.length - 1]) {
      const intake = new CaptureIntake("web", { qemuVersion: "7.2.22" }, new MemorySink());
      const taken = takeAll(intake, stream.subarray(0, length), () => 4096);
      await expect(taken).rejects.toMatchObject({ code: "DAMAGED" });
    }
  });

  it("fails with what the sink throws", async () => {
    const { stream } = captureStream(seededRandom(7));
    const sink = new MemorySink(4);
    sink.take = () => {
      throw new Error("no room left");
    };
    const intake = new CaptureIntake("web", { qemuVersion: "7.2.22" }, sink);
    await expect(takeAll(intake, stream, () => 4096)).rejects.toThrow("no room left");
  });
});
