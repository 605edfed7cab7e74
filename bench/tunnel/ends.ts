// Both ends of a tunnel as processes, and what stands in for the QEMUs: a file that is written to a
// socket, and a socket whose bytes are counted and answered.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createReadStream, existsSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { UsageWatch } from "../../scripts/vm/usage.ts";

const CLI = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
/** SHUT with 0: all went well. */
const ANSWER = Buffer.from([0, 1, 0, 4, 0, 0, 0, 0]);
const START_LIMIT_MS = 20_000;

export interface StreamFile {
  path: string;
  byteLength: number;
}

export interface TunnelRun {
  elapsedMs: number;
  streamBytes: number;
  wireBytes: number;
  /** Of both ends, their start included. */
  cpuSeconds: number;
  peakBytes: readonly [source: number, target: number];
}

/** Sends all streams at once through a new tunnel at a port of this machine. */
export async function runTunnel(
  folder: string,
  streams: readonly StreamFile[],
  { port, words, sourceWords }: { port: number; words: string[]; sourceWords: string[] },
): Promise<TunnelRun> {
  const sockets = streams.map((_, i) => ({
    name: `vm${i}`,
    source: join(folder, `vm${i}.out`),
    target: join(folder, `vm${i}.in`),
  }));
  const servers = streams.map(({ byteLength }, i) => listen(sockets[i].target, byteLength));
  const guests = (end: "source" | "target"): string[] =>
    sockets.flatMap((socket) => ["--vm", `${socket.name}=unix:${socket[end]}`]);
  const address = `localhost:${port}`;
  const target = start(["target", "--listen", address, ...words, ...guests("target")]);
  await target.said("waiting at");
  const source = start([
    "source",
    "--connect",
    address,
    "--json",
    ...words,
    ...sourceWords,
    ...guests("source"),
  ]);
  await until(() => sockets.every((socket) => existsSync(socket.source)));
  const beganAt = performance.now();
  await Promise.all(streams.map(({ path }, i) => feed(path, sockets[i].source)));
  const elapsedMs = performance.now() - beganAt;
  const [report] = await Promise.all([source.ended, target.ended]);
  for (const server of servers) server.close();
  for (const socket of sockets) rmSync(socket.target, { force: true });
  const { streamBytes, wireBytes } = JSON.parse(report) as TunnelRun;
  const [a, b] = [source.watch.usage, target.watch.usage];
  return {
    elapsedMs,
    streamBytes,
    wireBytes,
    cpuSeconds: a.cpuSeconds + b.cpuSeconds,
    peakBytes: [a.peakBytes, b.peakBytes],
  };
}

function start(words: readonly string[]) {
  const child = spawn(process.execPath, [CLI, "tunnel", ...words], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const watch = new UsageWatch(child.pid as number);
  let [out, errors] = ["", ""];
  child.stdout.on("data", (text) => {
    out += text;
  });
  child.stderr.on("data", (text) => {
    errors += text;
  });
  const ended = once(child, "close").then(([code]) => {
    watch.stop();
    if (code !== 0) throw new Error(`tunnel ${words[0]}: ${code}: ${errors.trim()}`);
    return out;
  });
  ended.catch(() => undefined);
  const said = (text: string) => until(() => errors.includes(text));
  return { watch, ended, said };
}

/** Takes a stream of `byteLength` as a QEMU that waits for it, and answers. */
function listen(path: string, byteLength: number) {
  rmSync(path, { force: true });
  return createServer({ allowHalfOpen: true }, (socket) => {
    let left = byteLength;
    socket.on("data", (piece) => {
      left -= piece.length;
      if (left === 0) socket.end(ANSWER);
    });
  }).listen(path);
}

/** Sends a stream as a QEMU that migrates: to the answer. */
async function feed(file: string, path: string): Promise<void> {
  const socket = connect({ path, allowHalfOpen: true });
  createReadStream(file, { highWaterMark: 256 << 10 }).pipe(socket, { end: false });
  for await (const answer of socket) {
    if (!ANSWER.equals(answer)) throw new Error(`${path}: the answer is ${answer.length} bytes`);
    socket.end();
    break;
  }
}

async function until(isSo: () => boolean): Promise<void> {
  const end = Date.now() + START_LIMIT_MS;
  while (!isSo()) {
    if (Date.now() > end) throw new Error("the tunnel did not start");
    await sleep(5);
  }
}
