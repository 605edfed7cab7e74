// npm run demo: starts four real servers, captures their memory, packs all captures into one
// archive, unpacks it elsewhere and compares byte for byte. It leaves the folder that it names.
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, open, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { captureProcess, openEngine } from "pagefold";

/** Two of the four run the same program over the same data. */
const SERVERS = [
  { name: "users-1", role: "users" },
  { name: "users-2", role: "users" },
  { name: "search", role: "search" },
  { name: "files", role: "files" },
];
const REQUESTS = 20;
const PAGE_BYTES = 4096;
const COMPARE_BYTES = 4 << 20;

const interrupted = new AbortController();
const { signal } = interrupted;
process.once("SIGINT", () => interrupted.abort(new Error("interrupted")));
process.once("SIGTERM", () => interrupted.abort(new Error("terminated")));

/**
 * The port of a server, as soon as it has loaded its data.
 * @param {string} name
 * @param {import("node:child_process").ChildProcess} child
 * @returns {Promise<number>}
 */
async function portOf(name, child) {
  const [port] = await Promise.race([
    once(child, "message", { signal }),
    once(child, "exit", { signal }).then(() => {
      throw new Error(`the server ${name} ended before it was ready`);
    }),
  ]);
  return port;
}

/** @param {number} port */
async function serve(port) {
  for (let i = 0; i < REQUESTS; i++) {
    const response = await fetch(`http://127.0.0.1:${port}/${i}`, { signal });
    await response.json();
  }
}

/**
 * Starts the servers, lets them work, captures each of them, and ends them whatever happens. Only
 * an ancestor may read the memory of a process on many machines: they are our children.
 * @param {string} folder
 */
async function captureServers(folder) {
  const script = new URL("demo/server.mjs", import.meta.url);
  const servers = SERVERS.map(({ name, role }) => ({ name, child: fork(script, [role]) }));
  try {
    const ports = await Promise.all(servers.map(({ name, child }) => portOf(name, child)));
    const captures = [];
    for (const [i, { name, child }] of servers.entries()) {
      await serve(ports[i]);
      const path = join(folder, `${name}.core`);
      const { byteLength } = await captureProcess(Number(child.pid), path, { signal });
      const { blocks } = await stat(path);
      say(`  ${name.padEnd(8)} pid ${child.pid}: ${mib(byteLength)}, ${mib(blocks * 512)} on disk`);
      captures.push({ name: `${name}.core`, path });
    }
    return captures;
  } finally {
    for (const { child } of servers) child.kill("SIGKILL");
  }
}

/**
 * Fails at the first byte in which two files differ. Returns how many bytes they have.
 * @param {string} leftPath
 * @param {string} rightPath
 */
async function compareFiles(leftPath, rightPath) {
  const left = await open(leftPath);
  const right = await open(rightPath);
  const [a, b] = [Buffer.alloc(COMPARE_BYTES), Buffer.alloc(COMPARE_BYTES)];
  try {
    for (let offset = 0; ; ) {
      signal.throwIfAborted();
      const { bytesRead } = await left.read(a, 0, COMPARE_BYTES, offset);
      const other = await right.read(b, 0, Math.max(bytesRead, 1), offset);
      const isEqual = a.subarray(0, bytesRead).equals(b.subarray(0, other.bytesRead));
      if (!isEqual) throw new Error(`${rightPath} differs in the 4 MiB from byte ${offset} on`);
      if (bytesRead === 0) return offset;
      offset += bytesRead;
    }
  } finally {
    await left.close();
    await right.close();
  }
}

/** @param {string} line */
function say(line) {
  process.stdout.write(`${line}\n`);
}

/** @param {number} bytes */
function mib(bytes) {
  return `${(bytes / 1048576).toFixed(1)} MiB`;
}

/** @param {import("pagefold").PackReport} report */
function printFindings(report) {
  const kinds = /** @type {const} */ ([
    ["zero", "zero"],
    ["uniform", "uniform"],
    ["duplicateInside", "twice in one"],
    ["duplicateAcross", "in another"],
    ["similar", "similar"],
    ["compressed", "compressed"],
    ["raw", "raw"],
  ]);
  const row = (/** @type {string} */ name, /** @type {string[]} */ cells) =>
    say(`  ${name.padEnd(13)}${cells.map((cell) => cell.padStart(13)).join("")}`);
  const images = report.images;
  row("MiB of pages", [...images.map(({ name }) => name), "all"]);
  for (const [key, label] of kinds) {
    const pages = images.map(({ counts }) => counts[key]);
    pages.push(pages.reduce((sum, count) => sum + count, 0));
    row(
      label,
      pages.map((count) => ((count * PAGE_BYTES) / 1048576).toFixed(1)),
    );
  }
  const stored = images.map(({ storedBytes }) => storedBytes);
  stored.push(report.outputBytes);
  row(
    "stored",
    stored.map((bytes) => (bytes / 1048576).toFixed(1)),
  );
}

/**
 * @param {string} what
 * @param {number} bytes
 * @param {number} elapsedMs
 */
function printSpeed(what, bytes, elapsedMs) {
  const seconds = elapsedMs / 1000;
  say(`  ${what.padEnd(9)} ${seconds.toFixed(2)} s, ${mib(bytes / seconds)}/s`);
}

/** @param {string} folder */
async function demonstrate(folder) {
  const archive = join(folder, "servers.pfa");
  const captured = join(folder, "captured");
  const unpacked = join(folder, "unpacked");
  await mkdir(captured);
  say(`Starting ${SERVERS.length} servers and capturing their memory:`);
  const captures = await captureServers(captured);
  const engine = await openEngine();
  try {
    const packing = await engine.pack(captures, { path: archive }, { signal });
    say(`\nPacked into ${archive}:`);
    printFindings(packing);
    say("");
    const unpacking = await engine.unpack({ path: archive }, unpacked, { signal });
    let comparedBytes = 0;
    for (const { name, path } of captures) {
      comparedBytes += await compareFiles(path, join(unpacked, name));
    }
    printSpeed("packed", packing.inputBytes, packing.elapsedMs);
    printSpeed("unpacked", packing.inputBytes, unpacking.elapsedMs);
    const ratio = (packing.inputBytes / packing.outputBytes).toFixed(1);
    say(`  ${mib(packing.inputBytes)} became ${mib(packing.outputBytes)}: ${ratio} to 1`);
    say(`  ${comparedBytes} bytes came back, every one of them equal`);
  } finally {
    await engine.close();
    await rm(captured, { recursive: true, force: true });
    await rm(unpacked, { recursive: true, force: true });
  }
}

const folder = await mkdtemp(join(tmpdir(), "pagefold-demo-"));
try {
  await demonstrate(folder);
  say(`\nThe archive is left in ${folder}; look at it with`);
  say(`  node dist/cli/main.js list ${join(folder, "servers.pfa")}`);
} catch (error) {
  await rm(folder, { recursive: true, force: true });
  const reason = signal.aborted ? signal.reason : error;
  say(`The demo failed: ${reason instanceof Error ? reason.message : reason}`);
  process.exitCode = 1;
}
