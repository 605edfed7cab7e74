// Redis servers of a test: started by it in a folder of its own, and gone when it ends.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { onTestFinished } from "vitest";
import { connectRedis } from "../../src/store/redisconnect.ts";
import { temporaryFolder } from "./folder.ts";

const run = promisify(execFile);

export interface RedisServer {
  readonly url: string;
  readonly port: number;
  /** Sends a signal; SIGKILL waits for the end. */
  signal(name: "SIGKILL" | "SIGSTOP" | "SIGCONT"): Promise<void>;
  /** Again, empty, after it was killed. */
  restart(): Promise<void>;
}

/** A server at a unix socket, or with a port at a loopback address. */
export async function startRedis(words: readonly string[] = [], port = 0): Promise<RedisServer> {
  const folder = temporaryFolder();
  const socket = join(folder, "redis.sock");
  const isTls = words.includes("--tls-port");
  const all = ["--save", "", "--appendonly", "no", "--dir", folder, "--bind", "127.0.0.1"];
  all.push("--port", isTls ? "0" : String(port), "--unixsocket", socket, ...words);
  let child: ChildProcess | undefined;
  const launch = async () => {
    const started = spawn("redis-server", all, { stdio: ["ignore", "ignore", "inherit"] });
    child = started;
    await listening(socket, started);
  };
  onTestFinished(() => {
    child?.kill("SIGKILL");
  });
  await launch();
  const scheme = isTls ? "rediss" : "redis";
  const url = port > 0 ? `${scheme}://127.0.0.1:${port}` : `redis+unix://${socket}`;
  return {
    url,
    port,
    async signal(name) {
      const ended = name === "SIGKILL" ? once(child as ChildProcess, "exit") : undefined;
      child?.kill(name);
      await ended;
    },
    restart: launch,
  };
}

/** Waits until it takes connections. */
async function listening(path: string, child: ChildProcess): Promise<void> {
  for (;;) {
    const socket = connect({ path });
    const isOpen = await new Promise((resolve) => {
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    });
    socket.destroy();
    if (isOpen) return;
    if (child.exitCode !== null) throw new Error(`redis-server: exit code ${child.exitCode}`);
    await sleep(20);
  }
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** One command, and what it answers. */
export async function ask(url: string, ...args: string[]): Promise<unknown> {
  const link = await connectRedis(url);
  try {
    return await link.send("", args);
  } finally {
    await link.close();
  }
}

/** Three servers that share the keys among them. */
export async function startCluster(): Promise<RedisServer[]> {
  const servers: RedisServer[] = [];
  for (let i = 0; i < 3; i++) {
    const [port, bus] = [await freePort(), await freePort()];
    const words = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"];
    servers.push(await startRedis([...words, "--cluster-port", String(bus)], port));
  }
  const places = servers.map(({ port }) => `127.0.0.1:${port}`);
  await run("redis-cli", ["--cluster", "create", ...places, "--cluster-yes"]);
  for (const { port } of servers) {
    for (;;) {
      const { stdout } = await run("redis-cli", ["-p", String(port), "cluster", "info"]);
      if (/cluster_state:ok/.test(stdout)) break;
      await sleep(50);
    }
  }
  return servers;
}
