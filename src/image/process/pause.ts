// Stops a process and makes sure that it goes on, whatever happens to us. A process that was
// stopped before we came stays stopped.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { PagefoldError, reasonOf } from "../../core/errors.ts";
import { isSelfOrAncestor, isStopped, processGone, readStat } from "./process.ts";

export interface PausedProcess {
  /** False when the process had been stopped by somebody else. */
  readonly stoppedByUs: boolean;
  /** Lets the process run on, unless it was stopped before. Never rejects. */
  resume(): Promise<void>;
}

/** A thread in an uninterruptible wait (a slow disk) stops when the wait is over. */
const STOP_DEADLINE_MS = 10_000;
const POLL_MS = 1;

/** Resolves when all threads of the process are stopped. */
export async function pauseProcess(pid: number, signal?: AbortSignal): Promise<PausedProcess> {
  if (pid === process.pid) {
    throw new PagefoldError("USAGE", `process ${pid} is this process and cannot pause itself`);
  }
  if (await isSelfOrAncestor(pid)) {
    const why = "pausing it could stop this process as well; capture it without a pause";
    throw new PagefoldError("USAGE", `process ${pid} is an ancestor of this process: ${why}`);
  }
  if ("Tt".includes((await readStat(pid)).state)) {
    return { stoppedByUs: false, resume: async () => undefined };
  }
  const watchdog = await startWatchdog(pid);
  const resume = async () => {
    send(pid, "SIGCONT");
    await dismiss(watchdog);
  };
  try {
    const refusal = send(pid, "SIGSTOP");
    if (refusal !== undefined) throw refusal;
    await waitUntilStopped(pid, signal);
  } catch (error) {
    await resume();
    throw error;
  }
  return { stoppedByUs: true, resume };
}

async function waitUntilStopped(pid: number, signal?: AbortSignal): Promise<void> {
  const deadline = Date.now() + STOP_DEADLINE_MS;
  for (;;) {
    signal?.throwIfAborted();
    if (await isStopped(pid)) return;
    if (Date.now() > deadline) {
      const seconds = STOP_DEADLINE_MS / 1000;
      throw new PagefoldError("PROCESS", `process ${pid} did not stop within ${seconds} s`);
    }
    await sleep(POLL_MS);
  }
}

/**
 * A shell that waits on a pipe of ours. A line dismisses it; the end of the pipe, which even a
 * SIGKILL of ours brings about, makes it continue the process. It has a session of its own, so that
 * Ctrl-C in our terminal does not end it before us.
 */
async function startWatchdog(pid: number): Promise<ChildProcess> {
  const script = 'read -r _ || kill -CONT "$1"';
  const watchdog = spawn("/bin/sh", ["-c", script, "pagefold-watchdog", String(pid)], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
    env: {},
    cwd: "/",
  });
  // If somebody ends the watchdog, its pipe breaks; `resume` continues the process all the same.
  watchdog.stdin?.on("error", () => undefined);
  try {
    await once(watchdog, "spawn");
  } catch (error) {
    const message = `process ${pid} is not paused: cannot start /bin/sh: ${reasonOf(error)}`;
    throw new PagefoldError("PROCESS", message, { cause: error });
  }
  return watchdog;
}

async function dismiss(watchdog: ChildProcess): Promise<void> {
  if (watchdog.exitCode !== null || watchdog.signalCode !== null) return;
  const ended = once(watchdog, "exit");
  watchdog.stdin?.end("\n");
  await ended;
}

function send(pid: number, signal: "SIGSTOP" | "SIGCONT"): PagefoldError | undefined {
  try {
    process.kill(pid, signal);
    return undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return processGone(pid);
    const message = `process ${pid} cannot be sent ${signal}: ${reasonOf(error)}`;
    return new PagefoldError("PROCESS", message, { cause: error });
  }
}
