// A small shell of its own that has a socket of ours open too, and outlives us. What it does when
// its stdin ends or says something is the business of its script.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Socket } from "node:net";
import { PagefoldError, reasonOf } from "../core/errors.ts";

/** Starts it with `words` for the shell, the socket as descriptor 3. PROCESS if there is none. */
export async function startHolder(
  socket: Socket,
  words: readonly string[],
  stderr: "ignore" | "inherit",
): Promise<ChildProcess> {
  const stdio = ["pipe", "ignore", stderr, socket] as const;
  const child = spawn("/bin/sh", words, { stdio: [...stdio], detached: true });
  child.stdin?.on("error", () => undefined);
  try {
    await once(child, "spawn");
  } catch (error) {
    throw new PagefoldError("PROCESS", `/bin/sh: ${reasonOf(error)}`, { cause: error });
  }
  child.unref();
  return child;
}

/** Tells it that it is no longer needed. Resolves when it is gone. */
export async function endHolder(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.stdin?.end("done\n");
  await gone;
}
