// Captures of a guest that is made up: what changes in its QEMU and that everything is undone,
// whatever fails; and which guests are refused, in one line.
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { GuestCapture } from "../../src/replication/guestcapture.ts";
import { MemorySink } from "../support/capturesink.ts";
import { captureStream } from "../support/capturestreams.ts";
import { type FakeGuest, type FakeGuestOptions, openFakeGuest } from "../support/fakeguest.ts";
import { temporaryFolder } from "../support/folder.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const MARK = "pagefold-capture";
const RAM_BYTES = 300 * 4096;

/** A guest whose RAM lies in a file. */
function sharing(path: string, type = "memory-backend-file", share = true): FakeGuestOptions {
  return {
    backends: [{ id: "pc.ram", size: RAM_BYTES, share }],
    properties: { "pc.ram.type": type, "pc.ram.mem-path": path },
  };
}

function expectFree(guest: FakeGuest): void {
  expect(guest.hangs).toBe(false);
  expect(guest.status).toBe("running");
  expect([...guest.capabilities]).toEqual([]);
  expect([...guest.objects]).toEqual([]);
}

describe("a capture by snapshot", () => {
  const kind = "snapshot";

  it("takes all memory, and leaves the guest as it was", async () => {
    const { stream, memory } = captureStream(seededRandom(randomSeed("snapshot")));
    const { guest, qmp } = await openFakeGuest({ stream });
    const capture = await GuestCapture.open(qmp, { kind });
    const sink = new MemorySink();
    for (let i = 0; i < 2; i++) {
      const epoch = await capture.epoch(sink);
      expect(Buffer.compare(sink.bytes, memory)).toBe(0);
      expect(epoch.streamBytes).toBe(stream.length);
      expect(epoch.pauseMs).toBe(0);
      expectFree(guest);
    }
    const once = ["object-add", "+background-snapshot", "migrate", "-background-snapshot"];
    expect(guest.changes).toEqual([...once, "object-del", ...once, "object-del"]);
  });

  it.each([false, true])(
    "lets a guest go on that was stopped just before; left so by QEMU: %s",
    async (leavesStopped) => {
      const { stream } = captureStream(seededRandom(1));
      const { guest, qmp } = await openFakeGuest({
        stream,
        leavesStopped,
        version: leavesStopped ? "9.0.0" : "7.2.22",
      });
      const capture = await GuestCapture.open(qmp, { kind });
      await capture.epoch(new MemorySink(), {
        async justBefore() {
          expect(guest.changes.at(-1)).toBe("+background-snapshot");
          await qmp.execute("stop");
        },
      });
      expectFree(guest);
      expect(guest.changes.includes("cont")).toBe(leavesStopped);
    },
  );

  it("reads the stream to its end when the sink fails, or on abort", async () => {
    const { stream } = captureStream(seededRandom(2));
    const { guest, qmp } = await openFakeGuest({ stream });
    const folder = temporaryFolder();
    vi.stubEnv("TMPDIR", folder);
    onTestFinished(() => void vi.unstubAllEnvs());
    const capture = await GuestCapture.open(qmp, { kind });
    const full = new MemorySink(4);
    full.take = () => {
      throw new Error("the sink is full");
    };
    await expect(capture.epoch(full)).rejects.toThrow("the sink is full");
    expectFree(guest);
    const stuck = new MemorySink(4);
    stuck.room = () => new Promise(() => undefined);
    const aborter = new AbortController();
    const epoch = capture.epoch(stuck, { signal: aborter.signal });
    setTimeout(() => aborter.abort(new Error("enough")), 50);
    await expect(epoch).rejects.toThrow("enough");
    expectFree(guest);
    await capture.epoch(new MemorySink());
    expectFree(guest);
    expect(guest.changes).not.toContain("migrate_cancel");
    expect(readdirSync(folder)).toEqual([]);
  });

  it("says why QEMU cannot connect, or has ended too early", async () => {
    const one = await openFakeGuest({ connectFault: "Failed to connect to it" });
    const capture = await GuestCapture.open(one.qmp, { kind });
    await expect(capture.epoch(new MemorySink())).rejects.toThrow("Failed to connect to it");
    expectFree(one.guest);
    const { stream } = captureStream(seededRandom(3));
    const two = await openFakeGuest({ stream: stream.subarray(0, 200_000) });
    const early = await GuestCapture.open(two.qmp, { kind, name: "web" });
    await expect(early.epoch(new MemorySink())).rejects.toThrow(
      "web: migration stream: QEMU ended",
    );
    expectFree(two.guest);
  });

  it("does not let on what somebody else has stopped meanwhile", async () => {
    const { stream } = captureStream(seededRandom(4));
    const { guest, qmp } = await openFakeGuest({ stream });
    const capture = await GuestCapture.open(qmp, { kind });
    const sink = new MemorySink();
    const begin = sink.begin.bind(sink);
    sink.begin = (identity) => {
      begin(identity);
      void qmp.execute("stop");
    };
    await capture.epoch(sink);
    expect(guest.status).toBe("paused");
  });

  it("refuses to take another guest for this one", async () => {
    const { stream } = captureStream(seededRandom(5));
    const options = { stream };
    const { guest, qmp } = await openFakeGuest(options);
    const capture = await GuestCapture.open(qmp, { kind });
    await capture.epoch(new MemorySink());
    const name = Buffer.from(stream).indexOf("pc-q35-7.2");
    stream[name + 9] ^= 1;
    const again = capture.epoch(new MemorySink());
    await expect(again).rejects.toMatchObject({ code: "CHANGED" });
    expectFree(guest);
  });
});

describe("a capture from shared memory", () => {
  it("copies the file while the guest stands still", async () => {
    const { stream, memory } = captureStream(seededRandom(6), ["pc.ram"]);
    const path = join(temporaryFolder(), "ram");
    const content = seededRandom(7).bytes(RAM_BYTES);
    content.fill(0, 8192, 40960);
    writeFileSync(path, content);
    const { guest, qmp } = await openFakeGuest({ ...sharing(path), stream });
    await using capture = await GuestCapture.open(qmp, { kind: "shared" });
    const sink = new MemorySink(7);
    await capture.epoch(sink);
    expect(sink.arrivals.every((count) => count === 1)).toBe(true);
    expect(Buffer.compare(sink.block("pc.ram"), content)).toBe(0);
    const rest = sink.bytes.subarray(RAM_BYTES);
    expect(Buffer.compare(rest, memory.subarray(RAM_BYTES))).toBe(0);
    expectFree(guest);
    expect(guest.changes).toEqual([
      "object-add",
      "+x-ignore-shared",
      "stop",
      "migrate",
      "cont",
      "-x-ignore-shared",
      "object-del",
    ]);
  });

  it.each([
    ["a guest without a backend", {}, "it has no memory backend"],
    [
      "one that shares nothing",
      sharing("/x", "memory-backend-ram", false),
      "pc.ram is a memory-backend-ram with share=off",
    ],
    ["one that has no file", sharing("/x", "memory-backend-memfd"), "which has no file"],
    ["a file that is gone", sharing("/nowhere/ram"), "/nowhere/ram: no such file or directory"],
    ["a directory", sharing(tmpdir()), "is no file"],
  ])("is impossible for %s, and says why", async (_, options, reason) => {
    const { qmp } = await openFakeGuest(options);
    const opened = GuestCapture.open(qmp, { kind: "shared" });
    await expect(opened).rejects.toMatchObject({ code: "USAGE" });
    await expect(GuestCapture.open(qmp, { kind: "shared" })).rejects.toThrow(reason);
  });
});

describe("a guest that cannot be captured", () => {
  const disk = { device: "virtio0", inserted: { ro: false, file: "/img/web.qcow2" } };
  it.each<[string, FakeGuestOptions, string]>([
    ["it is paused", { status: "paused" }, "it does not run, it is paused"],
    ["it migrates", { migration: { status: "active" } }, "it is being migrated (active)"],
    [
      "QEMU cannot migrate it",
      { migration: { "blocked-reasons": ["VFIO device"] } },
      "QEMU cannot migrate it: VFIO device",
    ],
    ["multifd is on", { capabilities: ["multifd"] }, "turn off the capability multifd"],
    ["a disk is writable", { disks: [disk] }, "disk virtio0 (/img/web.qcow2) is writable"],
  ])("is refused: %s", async (_, options, reason) => {
    const { guest, qmp } = await openFakeGuest(options);
    await expect(GuestCapture.open(qmp)).rejects.toThrow(reason);
    expect(guest.changes).toEqual([]);
  });

  it("may have writable disks if its owner takes care, and disks that are not", async () => {
    const disks = [{ device: "cd" }, { device: "ro", inserted: { ro: true, file: "/x" } }];
    await GuestCapture.open((await openFakeGuest({ disks })).qmp);
    const { qmp } = await openFakeGuest({ disks: [disk] });
    await GuestCapture.open(qmp, { allowWritableDisks: true });
    expect(existsSync("/img/web.qcow2")).toBe(false);
  });

  it("is somebody else's", async () => {
    const { guest, qmp } = await openFakeGuest();
    const capture = await GuestCapture.open(qmp);
    guest.objects.add(MARK);
    await expect(capture.epoch(new MemorySink())).rejects.toMatchObject({ code: "LOCKED" });
    await expect(GuestCapture.open(qmp)).rejects.toMatchObject({ code: "LOCKED" });
    expect([...guest.objects]).toEqual([MARK]);
  });
});
