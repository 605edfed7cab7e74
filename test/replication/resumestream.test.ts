// What was captured becomes a stream again that carries the memory it is given, and another guest's
// device state is refused.
import { describe, expect, it } from "vitest";
import { CaptureIntake } from "../../src/replication/captureintake.ts";
import { type CaptureKind, encodeDeviceState } from "../../src/replication/devicestate.ts";
import { resumeStream } from "../../src/replication/resumestream.ts";
import { MemorySink } from "../support/capturesink.ts";
import { captureStream } from "../support/capturestreams.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

async function take(stream: Uint8Array) {
  const sink = new MemorySink();
  const intake = new CaptureIntake("web", { qemuVersion: "7.2.22" }, sink);
  await intake.write(stream);
  return { sink, ...intake.end() };
}

async function joined(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return new Uint8Array(Buffer.concat(all));
}

async function captured(kind: CaptureKind, word?: string) {
  const shared = kind === "shared" ? ["pc.ram"] : [];
  const made = captureStream(seededRandom(randomSeed("captured")), shared, word);
  const taken = await take(made.stream);
  const sharedBlocks = shared.map(() => ({ block: 0, path: "/dev/shm/web" }));
  const deviceState = encodeDeviceState({ kind, ...taken, sharedBlocks });
  return { made, deviceState, ...taken };
}

describe("a stream that is made again", () => {
  it("carries head, devices and the memory it is given", async () => {
    const { deviceState, identity, sink, head, tail } = await captured("snapshot");
    sink.bytes.set(new Uint8Array(4096).fill(3), 17 * 4096);
    sink.bytes.fill(0, 40 * 4096, 50 * 4096);
    const again = await take(await joined(resumeStream(identity, deviceState, sink)));
    expect(again.identity).toEqual(identity);
    expect(Buffer.compare(again.sink.bytes, sink.bytes)).toBe(0);
    expect(again.sink.arrivals.every((count) => count === 1)).toBe(true);
    expect(Buffer.compare(again.head, head)).toBe(0);
    expect(Buffer.compare(again.tail, tail)).toBe(0);
  });

  it("leaves out what lies in shared files", async () => {
    const { deviceState, identity, sink } = await captured("shared");
    const again = await take(await joined(resumeStream(identity, deviceState, sink)));
    expect(again.sink.arrivals.subarray(0, 300).every((count) => count === 0)).toBe(true);
    expect(again.sink.arrivals.subarray(300).every((count) => count === 1)).toBe(true);
  });

  it("says of a guest that was stopped for the capture that it runs", async () => {
    const { deviceState, identity, sink, tail } = await captured("snapshot", "paused");
    const again = await take(await joined(resumeStream(identity, deviceState, sink)));
    const [before, after] = [tail, again.tail].map((bytes) =>
      Buffer.from(bytes).toString("latin1"),
    );
    expect(before).toContain("\0\0\0\x07paused\0");
    expect(after).toBe(before.replace("\x07paused\0\0", "\x08running\0"));
  });

  it.each([
    ["another machine", { machine: "pc-q35-8.0" }],
    ["other memory", { ramBlocks: [{ name: "pc.ram", byteLength: 4096 }] }],
  ])("refuses %s", async (_, other) => {
    const { deviceState, identity, sink } = await captured("snapshot");
    const made = joined(resumeStream({ ...identity, ...other }, deviceState, sink));
    await expect(made).rejects.toMatchObject({ code: "MISMATCH" });
  });

  it("is total: damaged device states are refused, whatever is broken", async () => {
    const random = seededRandom(randomSeed("damaged device states"));
    const { deviceState, identity, sink } = await captured("shared");
    for (let i = 0; i < 300; i++) {
      const bytes = deviceState.slice(0, random.int(2) === 0 ? undefined : random.int(400));
      for (let n = random.int(4); n >= 0 && bytes.length > 0; n--) {
        bytes[random.int(Math.min(bytes.length, 300))] ^= 1 << random.int(8);
      }
      const made = joined(resumeStream(identity, bytes, sink));
      const error = await made.then(
        () => undefined,
        (reason) => reason,
      );
      if (error) expect(["DAMAGED", "MISMATCH", "FORMAT"]).toContain(error.code);
    }
  });
});
