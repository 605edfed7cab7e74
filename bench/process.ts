// Runs whole processes as a user's shell would, and takes their time and their memory.
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { mebibytes } from "./markdown.ts";

export interface Command {
  program: string;
  words: readonly string[];
  cwd?: string;
  env?: Record<string, string>;
}

/** Milliseconds between two looks at the memory of a process. */
const LOOK_MS = 5;

/** Runs `command` to its end; rejects unless it ends well. `onStart` is given its pid. */
export async function runToEnd(
  { program, words, cwd, env }: Command,
  onStart?: (pid: number) => void,
): Promise<void> {
  const child = spawn(program, words, {
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...process.env, ...env },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let errors = "";
  child.stderr.on("data", (bytes: Buffer) => {
    errors += bytes;
  });
  if (child.pid !== undefined) onStart?.(child.pid);
  const code = await new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status, signal) => resolve(status ?? signal));
  });
  if (code !== 0) throw new Error(`${program} ${words.join(" ")}: ${code}: ${errors.trim()}`);
}

/** Milliseconds of a whole process, its start included. */
export async function timeProcess(command: Command): Promise<number> {
  const start = performance.now();
  await runToEnd(command);
  return performance.now() - start;
}

/**
 * Peak memory of a command in bytes: the sum of the high-water marks of all its processes. Looking
 * costs time, so this is a run of its own; a mark never falls, so the last look before a process
 * ends is right but for the last LOOK_MS of its life.
 */
export async function peakMemory(command: Command): Promise<number> {
  const marks = new Map<number, number>();
  let timer: NodeJS.Timeout | undefined;
  try {
    await runToEnd(command, (root) => {
      const look = () => {
        for (const pid of familyOf(root)) {
          const bytes = highWaterMark(pid);
          if (bytes !== undefined) marks.set(pid, bytes);
        }
      };
      timer = setInterval(look, LOOK_MS);
      look();
    });
  } finally {
    clearInterval(timer);
  }
  return [...marks.values()].reduce((sum, bytes) => sum + bytes, 0);
}

export function peakLine(bytes: number): string {
  return `Peak memory of \`pagefold pack\`: ${mebibytes(bytes)} MiB`;
}

/** A process and all its descendants. */
function familyOf(pid: number): number[] {
  const family = [pid];
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const children = readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8");
      for (const child of children.split(" ").filter(Boolean)) family.push(...familyOf(+child));
    }
  } catch {
    // The process ended while we looked.
  }
  return family;
}

/** VmHWM in bytes; undefined when the process is gone. */
function highWaterMark(pid: number): number | undefined {
  try {
    const found = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return found ? Number(found[1]) * 1024 : undefined;
  } catch {
    return undefined;
  }
}
