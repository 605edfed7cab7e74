// Stopping a process, and that it runs on after every way in which the pause can end.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { pauseProcess } from "../../../src/image/process/pause.ts";
import { start, startHolder, stateOf, until } from "../../support/processes.ts";

/** Watchdogs that wait for us, by the process they watch over. */
function watchdogsOf(pid: number): string[] {
  return readdirSync("/proc").filter((entry) => {
    try {
      const args = readFileSync(`/proc/${entry}/cmdline`, "latin1").split("\0");
      return args.includes("pagefold-watchdog") && args.includes(String(pid));
    } catch {
      return false;
    }
  });
}

describe("pause", () => {
  test("stops every thread, resumes, and leaves no watchdog", async () => {
    const pid = await startHolder(1);
    const paused = await pauseProcess(pid);
    expect(paused.stoppedByUs).toBe(true);
    const threads = readdirSync(`/proc/${pid}/task`);
    expect(threads.length).toBeGreaterThan(1);
    expect(new Set(threads.map((id) => stateOf(Number(id))))).toEqual(new Set(["T"]));
    expect(watchdogsOf(pid)).toHaveLength(1);
    await paused.resume();
    await until(() => stateOf(pid) !== "T");
    expect(watchdogsOf(pid)).toEqual([]);
  });

  test("a process that was stopped before stays stopped", async () => {
    const pid = await startHolder(1);
    process.kill(pid, "SIGSTOP");
    await until(() => stateOf(pid) === "T");
    const paused = await pauseProcess(pid);
    expect(paused.stoppedByUs).toBe(false);
    expect(watchdogsOf(pid)).toEqual([]);
    await paused.resume();
    expect(stateOf(pid)).toBe("T");
  });

  test("resumes also when the watchdog was killed, and when the process is gone", async () => {
    const pid = await startHolder(1);
    const first = await pauseProcess(pid);
    for (const watchdog of watchdogsOf(pid)) process.kill(Number(watchdog), "SIGKILL");
    await until(() => watchdogsOf(pid).length === 0);
    await first.resume();
    await until(() => stateOf(pid) !== "T");
    const second = await pauseProcess(pid);
    process.kill(pid, "SIGKILL");
    await second.resume();
    expect(watchdogsOf(pid)).toEqual([]);
  });

  test("the watchdog survives what a terminal sends to our process group", async () => {
    const pid = await startHolder(1);
    const paused = await pauseProcess(pid);
    const session = (id: number | string) =>
      execFileSync("cut", ["-d", " ", "-f", "6", `/proc/${id}/stat`], { encoding: "utf8" });
    for (const watchdog of watchdogsOf(pid)) {
      expect(session(watchdog)).not.toBe(session(process.pid));
    }
    await paused.resume();
  });

  test("an abort while it stops lets the process run", async () => {
    const pid = await startHolder(1);
    const reason = new Error("no longer wanted");
    await expect(pauseProcess(pid, AbortSignal.abort(reason))).rejects.toBe(reason);
    await until(() => stateOf(pid) !== "T");
  });

  test("refuses this process, its ancestors, and what is gone", async () => {
    const usage = { code: "USAGE" };
    await expect(pauseProcess(process.pid)).rejects.toMatchObject({
      ...usage,
      message: `process ${process.pid} is this process and cannot pause itself`,
    });
    await expect(pauseProcess(process.ppid)).rejects.toThrow("is an ancestor of this process");
    expect(stateOf(process.ppid)).not.toBe("T");
    const { pid } = start("true", []);
    await until(() => stateOf(pid ?? 0) === "gone");
    await expect(pauseProcess(pid ?? 0)).rejects.toMatchObject({ code: "PROCESS" });
  });
});
