// Captures by pre-copy of a guest that is made up: when it stands still, what is undone, whatever
// fails, and which guests are refused or captured in another way.
import { describe, expect, it } from "vitest";
import { GuestCapture } from "../../src/replication/guestcapture.ts";
import { MemorySink } from "../support/capturesink.ts";
import { captureStream } from "../support/capturestreams.ts";
import { type FakeGuest, type FakeGuestOptions, openFakeGuest } from "../support/fakeguest.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const kind = "precopy";
function line(name: string, byteLength: number): string {
  const bytes = `0x${byteLength.toString(16)}`;
  return `${name}    4 KiB  0x0000000000000000 ${bytes} ${bytes}\n`;
}

function expectFree(guest: FakeGuest): void {
  expect(guest.status).toBe("running");
  expect([...guest.objects]).toEqual([]);
  expect(guest.parameters).toEqual({ "downtime-limit": 300, "max-bandwidth": 2 ** 27 });
}

describe("a capture by pre-copy", () => {
  it("takes all memory, and leaves the guest as it was", async () => {
    const { stream, memory } = captureStream(seededRandom(randomSeed("precopy")));
    const { guest, qmp } = await openFakeGuest({ stream });
    const capture = await GuestCapture.open(qmp, { kind });
    const sink = new MemorySink();
    for (let i = 0; i < 2; i++) {
      const epoch = await capture.epoch(sink);
      expect(Buffer.compare(sink.bytes, memory)).toBe(0);
      expect(epoch.streamBytes).toBe(stream.length);
      expect(epoch.pauseMs).toBeGreaterThanOrEqual(0);
      expectFree(guest);
    }
    const set = "migrate-set-parameters";
    const once = ["object-add", set, "migrate", "cont", set, "object-del"];
    expect(guest.changes).toEqual([...once, ...once]);
  });

  it("stops a guest that writes as fast as QEMU does", async () => {
    const { stream, memory } = captureStream(seededRandom(1));
    const { guest, qmp } = await openFakeGuest({ stream, isBusy: true });
    const capture = await GuestCapture.open(qmp, { kind });
    const sink = new MemorySink();
    await capture.epoch(sink);
    expect(Buffer.compare(sink.bytes, memory)).toBe(0);
    expect(guest.changes.filter((change) => change === "stop").length).toBe(1);
    expectFree(guest);
  });

  it.each([true, false])("says when the guest stands still; busy: %s", async (isBusy) => {
    const { stream } = captureStream(seededRandom(2));
    const { guest, qmp } = await openFakeGuest({ stream, isBusy });
    const capture = await GuestCapture.open(qmp, { kind });
    let stood = "";
    const sealed = async (): Promise<void> => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      stood = guest.status;
    };
    await capture.epoch(new MemorySink(), { justBefore: sealed });
    expect(stood).not.toBe("running");
    expectFree(guest);
    const refused = { justBefore: () => Promise.reject(new Error("no seal")) };
    await expect(capture.epoch(new MemorySink(), refused)).rejects.toThrow("no seal");
    expectFree(guest);
  });

  it("ends at once when the sink fails, or on abort, at any moment", async () => {
    const { stream } = captureStream(seededRandom(3));
    const { guest, qmp } = await openFakeGuest({ stream });
    const capture = await GuestCapture.open(qmp, { kind });
    const full = new MemorySink(4);
    full.take = () => {
      throw new Error("the sink is full");
    };
    await expect(capture.epoch(full)).rejects.toThrow("the sink is full");
    expectFree(guest);
    for (const roomCount of [0, 1, 20]) {
      const stuck = new MemorySink(4);
      const room = stuck.room.bind(stuck);
      const aborter = new AbortController();
      let rooms = 0;
      stuck.room = () => {
        if (rooms++ < roomCount) return room();
        setTimeout(() => aborter.abort(new Error("enough")), 5);
        return new Promise(() => undefined);
      };
      const { signal } = aborter;
      await expect(capture.epoch(stuck, { signal })).rejects.toThrow("enough");
      expectFree(guest);
    }
    await capture.epoch(new MemorySink());
    expectFree(guest);
  });

  it("says why QEMU cannot connect, or has ended too early", async () => {
    const one = await openFakeGuest({ connectFault: "Failed to connect to it" });
    const capture = await GuestCapture.open(one.qmp, { kind });
    await expect(capture.epoch(new MemorySink())).rejects.toThrow("Failed to connect to it");
    expectFree(one.guest);
    const { stream } = captureStream(seededRandom(4));
    const two = await openFakeGuest({ stream: stream.subarray(0, 200_000) });
    const early = await GuestCapture.open(two.qmp, { kind, name: "web" });
    await expect(early.epoch(new MemorySink())).rejects.toThrow("QEMU ended it before");
    expectFree(two.guest);
  });
});

describe("a guest whose writes QEMU may lose", () => {
  const unsound = { blocks: line("pc.bios", 1 << 18) + line("pc.ram", 1 << 28) };
  it("is refused, and captured by snapshot if nothing was asked for", async () => {
    const { qmp } = await openFakeGuest(unsound);
    const reason = "QEMU 7.2.22 without KVM loses writes to pc.ram";
    await expect(GuestCapture.open(qmp, { kind })).rejects.toThrow(reason);
    await expect(GuestCapture.open(qmp, { kind })).rejects.toMatchObject({ code: "USAGE" });
    const capture = await GuestCapture.open(qmp);
    expect(capture.kind).toBe("snapshot");
    expect(capture.precopyFault).toContain(reason);
  });

  it.each([
    ["a name of two words", line("main memory", 1 << 28), "loses writes to main memory"],
    ["no list", "unknown command: 'info ramblock'", "lists no blocks of RAM"],
  ])("is refused with %s", async (_, blocks, reason) => {
    const { qmp } = await openFakeGuest({ blocks });
    await expect(GuestCapture.open(qmp, { kind })).rejects.toThrow(reason);
  });

  it.each<[string, FakeGuestOptions]>([
    ["with KVM", { ...unsound, hasKvm: true }],
    ["from QEMU 9.0 on", { ...unsound, version: "9.0.0" }],
    ["with memory of another size", { blocks: line("pc.ram", (1 << 28) + 8192) }],
  ])("is none %s", async (_, options) => {
    const capture = await GuestCapture.open((await openFakeGuest(options)).qmp);
    expect(capture.kind).toBe("precopy");
    expect(capture.precopyFault).toBeUndefined();
  });
});
