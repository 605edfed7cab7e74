// A guest at work is captured again and again, dies, and lives on in another QEMU with the memory
// of the last capture. A capture that dies in the middle costs the guest nothing.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Gang } from "../../scripts/vm/gang.ts";
import type { Guest } from "../../scripts/vm/guest.ts";
import { INSTALLED_QEMU, newQemu } from "../../scripts/vm/qemu10.ts";
import type { CapturedEpoch } from "../../src/replication/capture.ts";
import { releaseGuest } from "../../src/replication/capturelease.ts";
import type { CaptureKind } from "../../src/replication/devicestate.ts";
import { GuestCapture } from "../../src/replication/guestcapture.ts";
import { resumeFiles, resumeInto, writeRamFile } from "../../src/replication/resume.ts";
import { resumeStream } from "../../src/replication/resumestream.ts";
import { MemorySink } from "../support/capturesink.ts";

const EPOCHS = 3;
const LOAD_LIMIT_MS = 60_000;
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** The block whose content lies in the file of the guest. */
const RAM = "ram";
/** What a capture that is killed was doing. */
const STANDING = "while the guest stands still";
const MEMORY = "in the memory";
const PHASES = { precopy: [MEMORY, STANDING], snapshot: [MEMORY], shared: [STANDING] };
const SETTLE_MS = 500;
const QEMUS: { name: string; program: () => Promise<string>; kinds: CaptureKind[] }[] = [
  {
    name: "the installed QEMU",
    program: async () => INSTALLED_QEMU,
    kinds: ["precopy", "snapshot", "shared"],
  },
  { name: "a new QEMU", program: async () => (await newQemu()).program, kinds: ["precopy"] },
];
let gang: Gang;

/** Pages of the guest's own file that are not what was captured. */
async function differingPages(guest: Guest, sink: MemorySink): Promise<number[]> {
  const file = await readFile(guest.ramPath);
  const captured = sink.block(RAM);
  expect(file.length).toBe(captured.length);
  const found: number[] = [];
  for (let at = 0; at < file.length; at += 4096) {
    const page = captured.subarray(at, at + 4096);
    if (file.compare(page, 0, 4096, at, at + 4096) !== 0) found.push(at / 4096);
  }
  return found;
}

/** A QEMU that has loaded what was captured, and stays paused. */
async function resumed(guest: Guest, sink: MemorySink, { deviceState }: CapturedEpoch) {
  const target = guest.arrival({ incoming: "stays paused" });
  await target.connect();
  const identity = sink.identity;
  if (!identity) throw new Error("nothing was captured");
  const files = resumeFiles(identity, deviceState);
  const capabilities = [
    { capability: "events", state: true },
    { capability: "x-ignore-shared", state: files.length > 0 },
  ];
  await target.qmp.execute("migrate-set-capabilities", { capabilities });
  for (const file of files) {
    expect(file.path).toBe(guest.ramPath);
    await writeRamFile({ ...file, path: target.ramPath }, sink);
  }
  const socket = join(guest.options.folder, `${target.fileName}.in`);
  await target.qmp.execute("migrate-incoming", { uri: `unix:${socket}` });
  await resumeInto(socket, resumeStream(identity, deviceState, sink));
  const isLoaded = ({ name, data }: { name: string; data: { status?: unknown } }) =>
    name === "MIGRATION" && data.status === "completed";
  await target.qmp.event(isLoaded, { timeoutMs: LOAD_LIMIT_MS });
  const isOff = capabilities.map(({ capability }) => ({ capability, state: false }));
  await target.qmp.execute("migrate-set-capabilities", { capabilities: isOff });
  return target;
}

describe.each(QEMUS)("a guest at work in $name", ({ program, kinds }) => {
  beforeAll(async () => {
    const qemu = await program();
    gang = await Gang.boot({ workloads: ["redis"], memoryMiB: 160, qemu });
  });
  afterAll(() => gang?.close());

  describe.each(kinds)("by %s", (kind) => {
    it("is captured as it is, again and again, dies, and lives on with that memory", async () => {
      const [guest] = gang.guests;
      const sink = new MemorySink();
      const capture = await GuestCapture.open(guest.qmp, { kind });
      let epoch: CapturedEpoch | undefined;
      const pauses: number[] = [];
      for (let i = 0; i < EPOCHS; i++) {
        epoch = await capture.epoch(sink);
        expect(await guest.status()).toBe("running");
        const isRight = (count: number) => (kind === "precopy" ? count >= 1 : count === 1);
        expect(sink.arrivals.every(isRight)).toBe(true);
        pauses.push(epoch.pauseMs);
        await guest.expectAlive();
      }
      console.log(`${kind}: paused for ${pauses.map((ms) => ms.toFixed(1)).join(", ")} ms`);
      await capture.close();
      await guest.close();
      const target = await resumed(guest, sink, epoch as CapturedEpoch);
      gang.guests = [target];
      expect(await differingPages(target, sink)).toEqual([]);
      await target.resume();
      await target.expectAlive();
    });

    it("is captured as it stood when it was stopped, to the byte", async () => {
      const [guest] = gang.guests;
      const sink = new MemorySink();
      await using capture = await GuestCapture.open(guest.qmp, { kind });
      let stood = Buffer.alloc(0);
      const epoch = await capture.epoch(sink, {
        async justBefore() {
          // A snapshot of a guest that stands still is taken as well, and lets it go on.
          if (kind === "snapshot") await guest.pause();
          expect(await guest.status()).not.toBe("running");
          stood = await readFile(guest.ramPath);
        },
      });
      expect(stood.equals(sink.block(RAM))).toBe(true);
      expect(epoch.pauseMs).toBeGreaterThan(0);
      expect(await guest.status()).toBe("running");
      await guest.expectAlive();
    });

    it.each(PHASES[kind])(
      "goes on when its capture is killed %s, and is released",
      async (phase) => {
        const [guest] = gang.guests;
        guest.leaveMonitor();
        const words = ["--import", "./test/support/strip-types.mjs", "test/vm/capturer.ts"];
        const stdio = ["ignore", "pipe", "inherit"] as const;
        const child = spawn("node", [...words, guest.qmpPath, kind, phase], {
          cwd: ROOT,
          stdio: [...stdio],
        });
        const [text] = await once(child.stdout as NodeJS.ReadableStream, "data");
        expect(`${text}`).toBe("here\n");
        // QEMU may be at the end of its migration by then, which it writes without us.
        if (phase === STANDING) await sleep(SETTLE_MS);
        child.kill("SIGKILL");
        await once(child, "exit");
        await guest.connect();
        await expect(GuestCapture.open(guest.qmp, { kind })).rejects.toMatchObject({
          code: "LOCKED",
        });
        const report = await releaseGuest(guest.qmp);
        expect(report).toMatchObject({ wasCaptured: true, wasStopped: phase === STANDING });
        expect(await guest.status()).toBe("running");
        await guest.expectAlive();
        await using capture = await GuestCapture.open(guest.qmp, { kind });
        await capture.epoch(new MemorySink());
        await guest.expectAlive();
      },
    );
  });
});
