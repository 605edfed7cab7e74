// A guest whose capture has died is freed, and a guest that nobody has captured is left alone.
import { describe, expect, it } from "vitest";
import {
  CaptureLease,
  type CaptureSettings,
  releaseGuest,
} from "../../src/replication/capturelease.ts";
import { type FakeGuest, openFakeGuest } from "../support/fakeguest.ts";

const MARK = "pagefold-capture";

/** As a capture that has died leaves it. */
function mark(guest: FakeGuest, before: CaptureSettings): void {
  guest.objects.add(MARK);
  guest.mark = JSON.stringify(before);
}

describe("a guest", () => {
  it("is left alone when it was not captured", async () => {
    const { guest, qmp } = await openFakeGuest({
      status: "paused",
      migration: { status: "active" },
    });
    expect(await releaseGuest(qmp)).toMatchObject({ wasCaptured: false });
    expect(guest.changes).toEqual([]);
  });

  it("is released that was stopped for a copy", async () => {
    const { guest, qmp } = await openFakeGuest({
      status: "paused",
      migration: { status: "active" },
      capabilities: ["x-ignore-shared"],
    });
    mark(guest, { capability: "x-ignore-shared" });
    const report = { wasCaptured: true, wasMigrating: true, wasStopped: true };
    expect(await releaseGuest(qmp)).toEqual(report);
    expect(guest.changes).toEqual(["migrate_cancel", "cont", "-x-ignore-shared", "object-del"]);
  });

  it("is released when its snapshot has been read to the end, and not before", async () => {
    const { guest, qmp } = await openFakeGuest({
      migration: { status: "active" },
      capabilities: ["background-snapshot"],
    });
    mark(guest, { capability: "background-snapshot" });
    setTimeout(() => {
      guest.migration = { status: "completed" };
    }, 60);
    const report = { wasCaptured: true, wasMigrating: true, wasStopped: false };
    expect(await releaseGuest(qmp)).toEqual(report);
    expect(guest.changes).toEqual(["-background-snapshot", "object-del"]);
  });

  it("is released that a pre-copy has left stopped, with the parameters of before", async () => {
    const { guest, qmp } = await openFakeGuest({
      status: "postmigrate",
      migration: { status: "completed" },
    });
    guest.parameters["downtime-limit"] = 5;
    mark(guest, { parameters: { "downtime-limit": 300 } });
    const report = { wasCaptured: true, wasMigrating: false, wasStopped: true };
    expect(await releaseGuest(qmp)).toEqual(report);
    expect(guest.changes).toEqual(["cont", "migrate-set-parameters", "object-del"]);
    expect(guest.parameters["downtime-limit"]).toBe(300);
  });

  it("whose mark cannot be read is left alone, and that is said", async () => {
    const { guest, qmp } = await openFakeGuest({ status: "paused" });
    guest.objects.add(MARK);
    guest.mark = "what";
    await expect(releaseGuest(qmp)).rejects.toThrow(`the mark ${MARK} says "what"`);
    expect(guest.changes).toEqual([]);
  });

  it("that has crashed is not told to go on", async () => {
    const { guest, qmp } = await openFakeGuest({ status: "internal-error" });
    mark(guest, {});
    expect(await releaseGuest(qmp)).toMatchObject({ wasStopped: false });
    expect(guest.changes).toEqual(["object-del"]);
  });

  it("belongs to one capture at a time", async () => {
    const { guest, qmp } = await openFakeGuest();
    const lease = await CaptureLease.take(qmp, { capability: "background-snapshot" });
    const second = CaptureLease.take(qmp, { capability: "x-ignore-shared" });
    await expect(second).rejects.toMatchObject({ code: "LOCKED" });
    await lease.free();
    expect([...guest.objects, ...guest.capabilities]).toEqual([]);
    await (await CaptureLease.take(qmp, { capability: "x-ignore-shared" })).free();
  });
});
