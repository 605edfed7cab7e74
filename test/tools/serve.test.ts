// What `pagefold serve` gives, read by the programs that people have: curl, libnbd's nbdcopy,
// nbdinfo and nbdfuse, and qemu-img. Every byte must be that of the image.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { startCli, succeed } from "../support/cli.ts";
import { temporaryFolder } from "../support/folder.ts";
import { mixed } from "../support/images.ts";
import { seededRandom } from "../support/random.ts";
import { coreImage } from "../support/served.ts";

const PAGE_BYTES = 4096;
const random = seededRandom(1);
const IMAGES = {
  // Not a multiple of 512, and with a run of zeros that need not be sent.
  "vm0.raw": Buffer.concat([
    mixed(random, 2000),
    Buffer.alloc(2000 * PAGE_BYTES),
    mixed(random, 500),
    random.bytes(777),
  ]),
  "vm1.core": coreImage(2),
};

/** Packs the images and serves them; resolves with the places. */
async function serving() {
  const cwd = temporaryFolder();
  for (const [name, bytes] of Object.entries(IMAGES)) writeFileSync(join(cwd, name), bytes);
  await succeed(["pack", ...Object.keys(IMAGES), "-o", "A.pfa"], cwd);
  const socket = join(cwd, "nbd.sock");
  const places = ["--listen", "127.0.0.1:0", "--nbd", `unix:${socket}`];
  const child = startCli(["serve", "A.pfa", ...places, "--json"], {
    cwd,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout?.on("data", (bytes: Buffer) => {
    text += bytes;
  });
  await expect.poll(() => text.endsWith("}\n"), { timeout: 20_000 }).toBe(true);
  const { httpUrl } = JSON.parse(text);
  const uriOf = (name: string): string => `nbd+unix:///${name}?socket=${socket}`;
  return { cwd, httpUrl, uriOf };
}

function run(command: string, words: readonly string[], cwd: string): string {
  const { status, stdout, stderr, error } = spawnSync(command, words, { cwd, encoding: "utf8" });
  if (error) throw error;
  expect({ command, status, stderr: status === 0 ? "" : stderr }).toMatchObject({ status: 0 });
  return stdout;
}

test("curl: whole, a range, the rest of a file, and a wrong rest", async () => {
  const { cwd, httpUrl } = await serving();
  const url = `${httpUrl}images/vm0.raw`;
  const bytes = IMAGES["vm0.raw"];
  run("curl", ["-sSf", "-o", "whole", url], cwd);
  expect(readFileSync(join(cwd, "whole")).equals(bytes)).toBe(true);
  run("curl", ["-sSf", "-r", "4095-9000", "-o", "range", url], cwd);
  expect(readFileSync(join(cwd, "range"))).toEqual(bytes.subarray(4095, 9001));
  writeFileSync(join(cwd, "rest"), bytes.subarray(0, 1_000_001));
  run("curl", ["-sSf", "-C", "-", "-o", "rest", url], cwd);
  expect(readFileSync(join(cwd, "rest")).equals(bytes)).toBe(true);
  expect(spawnSync("curl", ["-sf", `${httpUrl}images/none`]).status).toBe(22);
});

test.each(Object.entries(IMAGES))("nbdcopy and qemu-img: %s", async (name, bytes) => {
  const { cwd, uriOf } = await serving();
  run("nbdcopy", [uriOf(name), "copied"], cwd);
  expect(readFileSync(join(cwd, "copied")).equals(bytes)).toBe(true);
  expect(run("nbdinfo", ["--size", uriOf(name)], cwd)).toBe(`${bytes.length}\n`);
  run("qemu-img", ["convert", "-O", "raw", uriOf(name), "converted"], cwd);
  // It knows sectors only: an image that ends within one is followed by zeros.
  const sectors = Math.ceil(bytes.length / 512) * 512;
  const expected = Buffer.concat([bytes, Buffer.alloc(sectors - bytes.length)]);
  expect(readFileSync(join(cwd, "converted")).equals(expected)).toBe(true);
});

test("nbdinfo: a map that leaves the zeros out", async () => {
  const { cwd, uriOf } = await serving();
  const map = JSON.parse(run("nbdinfo", ["--map", "--json", uriOf("vm0.raw")], cwd));
  const zeros = map.filter(({ type }: { type: number }) => type === 3);
  const zeroBytes = zeros.reduce((sum: number, { length }: { length: number }) => sum + length, 0);
  expect(zeroBytes).toBeGreaterThanOrEqual(2000 * PAGE_BYTES);
});

test("nbdfuse: a file for cmp", async () => {
  const { cwd, uriOf } = await serving();
  mkdirSync(join(cwd, "mount"));
  const file = join(cwd, "mount", "nbd");
  const fuse: ChildProcess = spawn("nbdfuse", ["mount", uriOf("vm0.raw")], { cwd });
  const ended = once(fuse, "exit");
  onTestFinished(async () => {
    // Lazily: whoever has just looked at it may still be leaving.
    spawnSync("fusermount3", ["-u", "-z", join(cwd, "mount")]);
    fuse.kill();
    await ended;
  });
  await expect.poll(() => existsSync(file), { timeout: 20_000 }).toBe(true);
  expect(statSync(file).size).toBe(IMAGES["vm0.raw"].length);
  run("cmp", ["mount/nbd", "vm0.raw"], cwd);
});
