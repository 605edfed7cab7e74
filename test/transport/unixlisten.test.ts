// Sockets for others on this machine: who may connect, from which moment, and what may be replaced.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { connect } from "../../src/transport/connect.ts";
import { listen } from "../../src/transport/listen.ts";
import { listenUnix } from "../../src/transport/unixlisten.ts";
import { temporaryFolder } from "../support/folder.ts";

async function opened(path: string, access: object = {}): Promise<() => Promise<void>> {
  const server = createServer();
  const remove = await listenUnix(server, path, access);
  onTestFinished(() => void server.close());
  return async () => {
    server.close();
    await remove();
  };
}

/** A socket whose process died without removing it. */
async function leaveStale(path: string): Promise<void> {
  const script = `require("net").createServer().listen(${JSON.stringify(path)},
    () => process.kill(process.pid, "SIGKILL"))`;
  await once(spawn(process.execPath, ["-e", script]), "exit");
  expect(lstatSync(path).isSocket()).toBe(true);
}

describe("a listening unix socket", () => {
  it("is its owner's alone, can be reached, and leaves nothing behind", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "web.sock");
    const close = await opened(path);
    expect(lstatSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(["web.sock"]);
    (await connect({ kind: "unix", path })).destroy();
    await close();
    expect(readdirSync(folder)).toEqual([]);
  });

  it("takes a mode and a group, by number or by name", async () => {
    const folder = temporaryFolder();
    const gid = process.getgid?.() ?? 0;
    const name = execFileSync("id", ["-gn"], { encoding: "utf8" }).trim();
    for (const socketGroup of [String(gid), name]) {
      const path = join(folder, `s${socketGroup}`);
      await opened(path, { socketMode: 0o660, socketGroup });
      expect(lstatSync(path).mode & 0o777).toBe(0o660);
      expect(lstatSync(path).gid).toBe(gid);
    }
  });

  it("refuses a group that is not there, before anything is made", async () => {
    const folder = temporaryFolder();
    const attempt = opened(join(folder, "s"), { socketGroup: "no-such-group" });
    await expect(attempt).rejects.toThrow("there is no group no-such-group in /etc/group");
    expect(readdirSync(folder)).toEqual([]);
  });

  it("fits where a path beside it would be too long", async () => {
    const folder = temporaryFolder();
    const deep = join(folder, "d".repeat(103 - folder.length));
    mkdirSync(deep);
    const path = join(deep, "12");
    expect(path.length).toBe(107);
    await opened(path);
    (await connect({ kind: "unix", path })).destroy();
    await expect(opened(`${path}3`)).rejects.toThrow(/107/);
  });

  it("takes the place of a socket on which nobody listens", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "s");
    await leaveStale(path);
    await opened(path);
    (await connect({ kind: "unix", path })).destroy();
    expect(readdirSync(folder)).toEqual(["s"]);
  });

  it("leaves a socket alone on which somebody listens", async () => {
    const path = join(temporaryFolder(), "s");
    await opened(path);
    const { ino } = lstatSync(path);
    await expect(opened(path)).rejects.toMatchObject({
      code: "LOCKED",
      message: `unix:${path}: somebody listens there already`,
    });
    expect(lstatSync(path).ino).toBe(ino);
    (await connect({ kind: "unix", path })).destroy();
  });

  it("leaves a file alone", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "s");
    writeFileSync(path, "precious");
    await expect(opened(path)).rejects.toThrow(`unix:${path}: is there already and not a socket`);
    expect(readdirSync(folder)).toEqual(["s"]);
  });

  it("does not remove what has taken its place", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "s");
    const close = await opened(path);
    execFileSync("rm", [path]);
    writeFileSync(path, "somebody else's");
    await close();
    expect(existsSync(path)).toBe(true);
  });

  it("says that there is no such folder", async () => {
    const path = join(temporaryFolder(), "none", "s");
    await expect(opened(path)).rejects.toThrow(`unix:${path}: no such file or directory`);
  });

  it("is never open to others while it is made", async () => {
    const folder = temporaryFolder();
    chmodSync(folder, 0o777);
    const seen = new Set<number>();
    let isDone = false;
    const watching = (async () => {
      while (!isDone) {
        for (const name of readdirSync(folder)) {
          try {
            seen.add(lstatSync(join(folder, name)).mode & 0o077);
          } catch {} // gone between the two calls
        }
        await new Promise(setImmediate);
      }
    })();
    for (let round = 0; round < 20; round++) {
      const listener = await listen({ kind: "unix", path: join(folder, "s") });
      await listener.close();
    }
    isDone = true;
    await watching;
    expect([...seen]).toEqual([0]);
  });
});
