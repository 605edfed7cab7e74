// Live processes for tests, and what /proc says about them. Every process started here is killed
// when its test ends.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { onTestFinished } from "vitest";

/** A child that is killed after the test. */
export function start(command: string, args: string[], env = process.env): ChildProcess {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"], env });
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    }
  });
  return child;
}

const HOLDER = `
  const bytes = Buffer.alloc(Number(process.argv[1]));
  for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 7 + (i >> 12)) % 251;
  globalThis.kept = bytes;
  console.log("ready");
  setInterval(() => globalThis.kept[0], 1000);
`;

/** What `startHolder` keeps in its memory. */
export function heldPattern(byteLength: number): Buffer {
  const bytes = Buffer.alloc(byteLength);
  for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 7 + (i >> 12)) % 251;
  return bytes;
}

/** A Node process that keeps `heldPattern(byteLength)` and does nothing. */
export async function startHolder(byteLength: number): Promise<number> {
  const child = start(process.execPath, ["-e", HOLDER, String(byteLength)]);
  if (child.stdout === null || child.pid === undefined) throw new Error("no child");
  await once(child.stdout, "data");
  return child.pid;
}

/** The letter in /proc/PID/stat; "gone" when there is no such process. */
export function stateOf(pid: number): string {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return text.slice(text.lastIndexOf(")") + 2)[0];
  } catch {
    return "gone";
  }
}

/** Waits up to 10 s for something to become true. */
export async function until(what: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!what()) {
    if (Date.now() > deadline) throw new Error(`still not so after 10 s: ${what}`);
    await sleep(5);
  }
}

/** Bytes of the memory of a process, straight from the kernel. */
export function memoryOf(pid: number, address: bigint, byteLength: number): Buffer {
  const bytes = Buffer.alloc(byteLength);
  const fd = openSync(`/proc/${pid}/mem`, "r");
  try {
    for (let at = 0; at < byteLength; ) {
      const position = address + BigInt(at);
      at += readSync(fd, bytes, { offset: at, position });
    }
  } finally {
    closeSync(fd);
  }
  return bytes;
}

/** Runs `action` without the rights of root; as it is when we are not root anyway. */
export async function unprivileged<T>(action: () => Promise<T>): Promise<T> {
  if (process.geteuid?.() !== 0) return action();
  process.seteuid?.(65534);
  try {
    return await action();
  } finally {
    process.seteuid?.(0);
  }
}
