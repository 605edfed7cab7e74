// The right to capture a guest, and the way back from it: whatever becomes of the capture, the
// guest goes on as before. What we have done to it is marked in its own QEMU, by an object without
// effect, so that somebody else can undo it when we are gone.
import { setTimeout as sleep } from "node:timers/promises";
import { PagefoldError } from "../core/errors.ts";
import type { Qmp } from "../qemu/qmp.ts";

/** What is set in QEMU for as long as a capture takes. */
export interface CaptureSettings {
  /** To be on. */
  readonly capability?: "background-snapshot" | "x-ignore-shared" | undefined;
  /** Of the migration, by QEMU's names. */
  readonly parameters?: Readonly<Record<string, number>> | undefined;
}

/** Stands for: a guest that ran is being captured. Its text is what has to be set back. */
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
  /** What was there before. */
  private readonly before: CaptureSettings;
  /** Events of the guest up to this one are older than the capture. */
  private readonly lastEvent: number;

  /** Takes a guest that runs; LOCKED if somebody has it. */
  static async take(qmp: Qmp, settings: CaptureSettings): Promise<CaptureLease> {
    const { capability, parameters = {} } = settings;
    const lastEvent = qmp.events.at(-1)?.number ?? -1;
    const before = { capability, parameters: await valuesOf(qmp, Object.keys(parameters)) };
    try {
      const mark = { "qom-type": "secret", id: MARK, data: JSON.stringify(before) };
      await qmp.execute("object-add", mark, wait);
    } catch (error) {
      throw (await isMarked(qmp)) ? taken() : error;
    }
    const lease = new CaptureLease(qmp, before, lastEvent);
    try {
      if (capability) await setCapability(qmp, capability, true);
      await setParameters(qmp, parameters);
      return lease;
    } catch (error) {
      await lease.free();
      throw error;
    }
  }

  private constructor(qmp: Qmp, before: CaptureSettings, lastEvent: number) {
    this.qmp = qmp;
    this.before = before;
    this.lastEvent = lastEvent;
  }

  /** Lets the guest go on, unless it has gone on and was stopped by somebody else. */
  async resume(): Promise<void> {
    if (!this.hasResumed) await letRun(this.qmp);
  }

  /** Ends a migration that is under way, and leaves the guest as it was. */
  async free(): Promise<void> {
    await endMigration(this.qmp, this.before);
    await this.resume();
    await setBack(this.qmp, this.before);
  }

  /** Resolves when the guest stands still, for whatever reason. */
  async stopped(signal: AbortSignal): Promise<void> {
    await this.qmp.event("STOP", { after: this.lastEvent, signal });
  }

  /** When it was stopped and until it went on, by the clock of its QEMU. */
  async pause(): Promise<{ stoppedMs: number; pauseMs: number }> {
    const after = this.lastEvent;
    const stop = await this.qmp.event("STOP", { after, ...wait });
    const resume = await this.qmp.event("RESUME", { after: stop.number, ...wait });
    return { stoppedMs: stop.timeMs, pauseMs: resume.timeMs - stop.timeMs };
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
  const before = await markOf(qmp);
  const wasMigrating = await endMigration(qmp, before);
  const wasStopped = await letRun(qmp);
  await setBack(qmp, before);
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

/** What a capture has to set back. */
async function markOf(qmp: Qmp): Promise<CaptureSettings> {
  const what = { path: `/objects/${MARK}`, property: "data" };
  const text = await qmp.execute<string>("qom-get", what, wait);
  try {
    return JSON.parse(text) as CaptureSettings;
  } catch (error) {
    throw new PagefoldError("FORMAT", `the mark ${MARK} says "${text}"`, { cause: error });
  }
}

async function setBack(qmp: Qmp, { capability, parameters = {} }: CaptureSettings): Promise<void> {
  if (capability) await setCapability(qmp, capability, false);
  await setParameters(qmp, parameters);
  await qmp.execute("object-del", { id: MARK }, wait);
}

async function valuesOf(qmp: Qmp, names: readonly string[]): Promise<Record<string, number>> {
  if (names.length === 0) return {};
  const all = await qmp.execute<Record<string, number>>(
    "query-migrate-parameters",
    undefined,
    wait,
  );
  return Object.fromEntries(names.map((name) => [name, all[name]]));
}

async function setParameters(
  qmp: Qmp,
  parameters: Readonly<Record<string, number>>,
): Promise<void> {
  if (Object.keys(parameters).length === 0) return;
  await qmp.execute("migrate-set-parameters", parameters, wait);
}

async function setCapability(qmp: Qmp, capability: string, state: boolean): Promise<void> {
  const capabilities = [{ capability, state }];
  await qmp.execute("migrate-set-capabilities", { capabilities }, wait);
}

/**
 * Resolves when no migration is under way, with whether one was. A snapshot is never cancelled, as
 * that would hang the guest; somebody reads it to its end: see capturedrain.ts.
 */
async function endMigration(qmp: Qmp, { capability }: CaptureSettings): Promise<boolean> {
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

/** Whether it had to be told to. What QEMU stopped by itself it may let go on by itself. */
async function letRun(qmp: Qmp): Promise<boolean> {
  for (const end = Date.now() + ANSWER_MS; ; await sleep(1)) {
    const { status } = await qmp.execute<{ status: string }>("query-status", undefined, wait);
    if (!STOPPED.includes(status)) return false;
    if (status !== "finish-migrate" || Date.now() > end) break;
  }
  await qmp.execute("cont", undefined, wait);
  return true;
}
