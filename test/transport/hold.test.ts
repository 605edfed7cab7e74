// The shell that keeps a socket open for a process that may be killed: here that is a process of
// its own, which tells what it does and dies when it is told to.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { temporaryFolder } from "../support/folder.ts";

const HOLD = fileURLToPath(new URL("../../src/transport/hold.ts", import.meta.url));
const TYPES = fileURLToPath(new URL("../support/strip-types.mjs", import.meta.url));
const LIMIT_MS = 10_000;

/** Connects to the path it is given, holds that, and does what the lines on its stdin say. */
const HOLDER = `
  const { HeldSocket } = await import(${JSON.stringify(HOLD)});
  const { connect } = await import("node:net");
  const { createInterface } = await import("node:readline");
  const socket = connect(process.argv[1]);
  await new Promise((resolve) => socket.once("connect", resolve));
  const held = await HeldSocket.open(socket, "look there");
  console.log(held.pid);
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === "close") socket.destroy();
    else await held[line]();
    console.log(line);
  }`;

let server: Server | undefined;
let holder: ChildProcess | undefined;
let shellPid = 0;

afterEach(() => {
  server?.close();
  holder?.kill("SIGKILL");
  if (isThere(shellPid)) process.kill(shellPid, "SIGKILL");
});

interface Held {
  /** Our end of the socket that is held. */
  socket: Socket;
  say(word: string): Promise<void>;
  readonly stderr: string;
}

async function hold(): Promise<Held> {
  const path = join(temporaryFolder(), "socket");
  server = createServer().listen(path);
  await once(server, "listening");
  const connected = once(server, "connection");
  const words = ["--import", TYPES, "--input-type=module", "--eval", HOLDER, path];
  const child = spawn(process.execPath, words, { stdio: "pipe" });
  holder = child;
  const lines = createInterface({ input: child.stdout });
  let stderr = "";
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  const [socket] = (await connected) as [Socket];
  const [pid] = await once(lines, "line");
  shellPid = Number(pid);
  return {
    socket: socket.resume(),
    async say(word) {
      const done = once(lines, "line");
      child.stdin.write(`${word}\n`);
      expect(await done).toEqual([word]);
    },
    get stderr() {
      return stderr;
    },
  };
}

async function killHolder(): Promise<void> {
  holder?.kill("SIGKILL");
  await once(holder as ChildProcess, "exit");
}

/** Whether a process runs; one that has ended and was not waited for does not. */
function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return pid > 0;
  } catch {
    return false;
  }
}

async function expectClosed(socket: Socket): Promise<void> {
  if (!socket.readableEnded) await once(socket, "end", { signal: AbortSignal.timeout(LIMIT_MS) });
}

describe("HeldSocket", () => {
  it("lets the socket close with the process that had nothing to keep", async () => {
    const { socket, stderr } = await hold();
    await killHolder();
    await expectClosed(socket);
    expect(stderr).toBe("");
  });

  it("keeps the socket of a process that was killed, says so, and lets go when ended", async () => {
    const held = await hold();
    await held.say("keep");
    const silent = once(holder as ChildProcess, "close");
    await killHolder();
    // Nobody who reads what the process says waits for the shell.
    await silent;
    expect(held.stderr).toBe(`look there (held by process ${shellPid})\n`);
    expect(held.socket.readableEnded).toBe(false);
    process.kill(shellPid);
    await expectClosed(held.socket);
  });

  it("keeps the socket when whoever read what we say is gone too", async () => {
    const held = await hold();
    await held.say("keep");
    holder?.stderr?.destroy();
    await killHolder();
    await sleep(300);
    expect(isThere(shellPid)).toBe(true);
    expect(held.socket.readableEnded).toBe(false);
  });

  it("goes on when it is left alone while the process lives", async () => {
    const held = await hold();
    await held.say("keep");
    await held.say("abandon");
    await held.say("close");
    await sleep(300);
    expect(held.stderr).toContain("look there");
    expect(held.socket.readableEnded).toBe(false);
  });

  it("lets go when it is told to, kept or not", async () => {
    for (const words of [["release"], ["keep", "release"]]) {
      const held = await hold();
      for (const word of words) await held.say(word);
      expect(isThere(shellPid)).toBe(false);
      await held.say("close");
      await expectClosed(held.socket);
      expect(held.stderr).toBe("");
      await killHolder();
    }
  });
});
