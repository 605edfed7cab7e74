// The right to capture a guest, and the way back from it: whatever becomes of the capture, the
// guest goes on as before. What we have done to it is marked in its own QEMU, by an object without
// effect, so that somebody else can undo it when we are gone.
import { setTimeout as sleep } from "node:timers/promises";
import { PagefoldError } from "../core/errors.ts";
import type { Qmp } from "../qemu/qmp.ts";

export type CaptureCapability = "background-snapshot" | "x-ignore-shared";

const CAPABILITIES: readonly CaptureCapability[] = ["background-snapshot", "x-ignore-shared"];
/** Stands for: a guest that ran is being captured. */
const MARK = "pagefold-capture";
/** A monitor that says nothing for so long will not. */
const ANSWER_MS = 10_000;
const POLL_MS = 5;
/** How long the rest of a snapshot may take. */
const SNAPSHOT_MS = 60_000;
const wait = { timeoutMs: ANSWER_MS };
/** Migrations that are over. */
const IDLE = [undefined, "none", "completed", "failed", "cancelled"];

/** How a guest stands that was stopped; one that crashed or was shut down is another matter. */
const STOPPED = ["paused", "postmigrate", "finish-migrate"];

interface MigrateAnswer {
  status?: string;
  "error-desc"?: string;
}

export class CaptureLease {
  private readonly qmp: Qmp;
  private readonly capability: CaptureCapability;
  /** Events of the guest up to this one are older than the capture. */
  private readonly lastEvent: number;

  /** Takes a guest that runs; LOCKED if somebody has it. */
  static async take(qmp: Qmp, capability: CaptureCapability): Promise<CaptureLease> {
    const lastEvent = qmp.events.at(-1)?.number ?? -1;
    try {
      const mark = { "qom-type": "secret", id: MARK, data: capability };
      await qmp.execute("object-add", mark, wait);
    } catch (error) {
      throw (await isMarked(qmp)) ? taken() : error;
    }
    const lease = new CaptureLease(qmp, capability, lastEvent);
    try {
      await setCapability(qmp, capability, true);
      return lease;
    } catch (error) {
      await lease.free();
      throw error;
    }
  }

  private constructor(qmp: Qmp, capability: CaptureCapability, lastEvent: number) {
    this.qmp = qmp;
    this.capability = capability;
    this.lastEvent = lastEvent;
  }

  /** Lets the guest go on, unless it has gone on and was stopped by somebody else. */
  async resume(): Promise<void> {
    if (!this.hasResumed) await letRun(this.qmp);
  }

  /** Ends a migration that is under way, and leaves the guest as it was. */
  async free(): Promise<void> {
    await endMigration(this.qmp, this.capability);
    await this.resume();
    await setCapability(this.qmp, this.capability, false);
    await this.qmp.execute("object-del", { id: MARK }, wait);
  }

  /** From the stop of the guest until it went on, by the clock of its QEMU. */
  async pauseMs(): Promise<number> {
    const after = this.lastEvent;
    const stop = await this.qmp.event("STOP", { after, ...wait });
    const resume = await this.qmp.event("RESUME", { after: stop.number, ...wait });
    return resume.timeMs - stop.timeMs;
  }

  private get hasResumed(): boolean {
    const { events } = this.qmp;
    return events.some(({ name, number }) => name === "RESUME" && number > this.lastEvent);
  }
}

/** What was found and undone at a guest whose capture had died. */
export interface ReleaseReport {
  /** Whether there was a capture. */
  readonly wasCaptured: boolean;
  /** Whether a migration had to be ended. */
  readonly wasMigrating: boolean;
  /** Whether it stood still and goes on now. */
  readonly wasStopped: boolean;
}

/**
 * Frees a guest from a capture that has died, and lets it go on. Others are left alone. Rejects if
 * a snapshot is being written and does not end, as when its capture lives but stands still.
 */
export async function releaseGuest(qmp: Qmp): Promise<ReleaseReport> {
  if (!(await isMarked(qmp))) {
    return { wasCaptured: false, wasMigrating: false, wasStopped: false };
  }
  type Capability = { capability: string; state: boolean };
  const all = await qmp.execute<Capability[]>("query-migrate-capabilities", undefined, wait);
  const isOn = (one: string) => all.some(({ capability, state }) => state && capability === one);
  const capability = CAPABILITIES.find(isOn);
  const wasMigrating = capability !== undefined && (await endMigration(qmp, capability));
  const wasStopped = await letRun(qmp);
  if (capability) await setCapability(qmp, capability, false);
  await qmp.execute("object-del", { id: MARK }, wait);
  return { wasCaptured: true, wasMigrating, wasStopped };
}

export interface MigratedWait {
  pollMs: number;
  signal?: AbortSignal | undefined;
}

/** Resolves when QEMU has completed a migration; rejects with its reason when that has failed. */
export async function untilMigrated(qmp: Qmp, { pollMs, signal }: MigratedWait): Promise<void> {
  for (;;) {
    const answer = await qmp.execute<MigrateAnswer>("query-migrate", undefined, wait);
    if (answer.status === "completed") return;
    if (answer.status === "failed" || answer.status === "cancelled") {
      const reason = answer["error-desc"] ?? "it does not say why";
      throw new PagefoldError("CONNECTION", `QEMU: the migration has ${answer.status}: ${reason}`);
    }
    await sleep(pollMs, undefined, signal ? { signal } : {});
  }
}

/** Rejects with LOCKED if a guest is being captured, or was by somebody who has died. */
export async function checkFree(qmp: Qmp): Promise<void> {
  if (await isMarked(qmp)) throw taken();
}

function taken(): PagefoldError {
  const advice = "if its pagefold has died, release the guest";
  return new PagefoldError("LOCKED", `the guest is being captured already: ${advice}`);
}

async function isMarked(qmp: Qmp): Promise<boolean> {
  const objects = await qmp.execute<{ name: string }[]>("qom-list", { path: "/objects" }, wait);
  return objects.some(({ name }) => name === MARK);
}

async function setCapability(qmp: Qmp, capability: string, state: boolean): Promise<void> {
  const capabilities = [{ capability, state }];
  await qmp.execute("migrate-set-capabilities", { capabilities }, wait);
}

/**
 * Resolves when no migration is under way, with whether one was. A snapshot is never cancelled, as
 * that would hang the guest; somebody reads it to its end: see capturedrain.ts.
 */
async function endMigration(qmp: Qmp, capability: CaptureCapability): Promise<boolean> {
  const isSnapshot = capability === "background-snapshot";
  const end = Date.now() + (isSnapshot ? SNAPSHOT_MS : ANSWER_MS);
  for (let wasActive = false; ; wasActive = true) {
    const { status } = await qmp.execute<MigrateAnswer>("query-migrate", undefined, wait);
    if (IDLE.includes(status)) return wasActive;
    if (!wasActive && !isSnapshot) await qmp.execute("migrate_cancel", undefined, wait);
    if (Date.now() > end) {
      const reason = isSnapshot ? "nobody reads its snapshot to the end" : `it stays ${status}`;
      throw new PagefoldError("CONNECTION", `QEMU: its migration does not end: ${reason}`);
    }
    await sleep(POLL_MS);
  }
}

/** Whether it had to be told to. */
async function letRun(qmp: Qmp): Promise<boolean> {
  const { status } = await qmp.execute<{ status: string }>("query-status", undefined, wait);
  if (!STOPPED.includes(status)) return false;
  await qmp.execute("cont", undefined, wait);
  return true;
}
