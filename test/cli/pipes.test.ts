// Archives and images through pipes, and readers that go away.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  fail,
  imageBytes,
  outcomeOf,
  pagefold,
  startCli,
  succeed,
  writeFiles,
} from "../support/cli.ts";
import { temporaryFolder } from "../support/folder.ts";

const ONE = imageBytes(1, 70, 100);
const TWO = imageBytes(2, 64);

function folderWithImages(): string {
  const folder = temporaryFolder();
  writeFiles(folder, { "one.raw": ONE, "two.raw": TWO });
  return folder;
}

test("pack -o - into unpack - and verify -", async () => {
  const folder = folderWithImages();
  const packed = await pagefold(["pack", "one.raw", "two.raw", "-o", "-"], { cwd: folder });
  expect(packed).toMatchObject({ code: 0 });
  expect(packed.stderr).toMatch(/^stdout: 2 images/);
  const stdin = packed.stdout;
  const unpacked = await pagefold(["unpack", "-", "-C", "out", "-q"], { cwd: folder, stdin });
  expect(unpacked).toMatchObject({ code: 0, stderr: "" });
  expect(readFileSync(join(folder, "out/one.raw")).equals(ONE)).toBe(true);
  expect(readFileSync(join(folder, "out/two.raw")).equals(TWO)).toBe(true);
  const verified = await pagefold(["verify", "-"], { cwd: folder, stdin });
  expect(verified.stdout.toString()).toMatch(/^-: intact: 2 images/);
});

test("a piped archive is an archive when it lands in a file", async () => {
  const folder = folderWithImages();
  const { stdout } = await pagefold(["pack", "one.raw", "-o", "-", "-q"], { cwd: folder });
  writeFiles(folder, { "P.pfa": stdout });
  expect(await succeed(["list", "P.pfa"], folder)).toMatch(/generation 0$/m);
  const { stdout: bytes } = await pagefold(["cat", "P.pfa", "one.raw"], { cwd: folder });
  expect(bytes.equals(ONE)).toBe(true);
});

test("pack - takes an image from stdin, named by --name", async () => {
  const folder = folderWithImages();
  const words = ["pack", "-", "two.raw", "--name", "vm/three.raw", "-o", "A.pfa", "-q"];
  expect(await pagefold(words, { cwd: folder, stdin: ONE })).toMatchObject({ code: 0, stderr: "" });
  await succeed(["unpack", "A.pfa", "-C", "out"], folder);
  expect(readFileSync(join(folder, "out/vm/three.raw")).equals(ONE)).toBe(true);
  expect(readFileSync(join(folder, "out/two.raw")).equals(TWO)).toBe(true);
  const unnamed = await pagefold(["pack", "-", "-o", "B.pfa"], { cwd: folder, stdin: ONE });
  expect(unnamed.code).toBe(0);
  expect(await succeed(["list", "B.pfa"], folder)).toMatch(/ stdin$/m);
});

test("an archive may come through a fifo by its path", async () => {
  const folder = folderWithImages();
  await succeed(["pack", "one.raw", "-o", "A.pfa"], folder);
  const script = 'exec "$0" "$1" unpack <(cat A.pfa) -C out';
  const child = spawn("bash", ["-c", script, process.execPath, cliPath()], { cwd: folder });
  expect(await outcomeOf(child)).toMatchObject({ code: 0 });
  expect(readFileSync(join(folder, "out/one.raw")).equals(ONE)).toBe(true);
});

test("an archive may go to a device, which stays a device", async () => {
  const folder = folderWithImages();
  await succeed(["pack", "one.raw", "-o", "/dev/null", "-q"], folder);
  await succeed(["pack", "one.raw", "-f", "-o", "/dev/null", "-q"], folder);
  const words = ["pack", "one.raw", "-o", "/dev/full"];
  await fail(words, { cwd: folder }, { code: 1, line: /\/dev\/full: no space left on device$/ });
});

test("a full disk behind stdout is one line", async () => {
  const folder = folderWithImages();
  const stdio = ["ignore", openSync("/dev/full", "w"), "pipe"] as const;
  const child = startCli(["pack", "one.raw", "-o", "-", "-q"], { cwd: folder, stdio: [...stdio] });
  const { code, stderr } = await outcomeOf(child);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^pagefold: [^\n]*no space left on device\n$/);
});

test.each([
  ["pack", ["pack", "big.raw", "-o", "-", "-q"]],
  ["cat", ["cat", "A.pfa", "big.raw"]],
  ["list", ["list", "A.pfa"]],
  ["help", ["--help"]],
])("%s ends silently with 141 when nobody reads", async (_, words) => {
  const folder = temporaryFolder();
  writeFiles(folder, { "big.raw": imageBytes(3, 4000) });
  await succeed(["pack", "big.raw", "-o", "A.pfa"], folder);
  const before = readdirSync(folder);
  const child = startCli(words, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  child.stdout?.destroy();
  let stderr = "";
  child.stderr?.on("data", (bytes) => {
    stderr += bytes;
  });
  const [code] = await once(child, "close");
  expect({ code, stderr }).toEqual({ code: 141, stderr: "" });
  expect(readdirSync(folder)).toEqual(before);
});

test("a reader that takes a little is enough", async () => {
  const folder = temporaryFolder();
  writeFiles(folder, { "big.raw": imageBytes(3, 4000) });
  const words = ["pack", "big.raw", "-o", "-", "-q"];
  const child: ChildProcess = startCli(words, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  child.stdout?.once("data", () => child.stdout?.destroy());
  const [code] = await once(child, "close");
  expect(code).toBe(141);
});

function cliPath(): string {
  return new URL("../../dist/cli/main.js", import.meta.url).pathname;
}
