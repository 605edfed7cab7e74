// SIGINT, SIGTERM and SIGKILL at any time: no half file under the final name, the old archive as it
// was, and the inputs untouched.
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { imageBytes, outcomeOf, startCli, succeed, writeFiles } from "../support/cli.ts";
import { temporaryFolder } from "../support/folder.ts";
import { startHolder, stateOf, until } from "../support/processes.ts";
import { randomSeed, seededRandom } from "../support/random.ts";

const BIG = bigImage(96 << 20);

/** Noise that nothing finds twice, so that packing takes a while. */
function bigImage(byteLength: number): Buffer {
  const bytes = Buffer.alloc(byteLength);
  const piece = imageBytes(11, 256);
  for (let at = 0; at < byteLength; at += piece.length) {
    for (let page = 0; page < 256; page++) piece.writeUInt32LE(at + page, page * 4096 + 64);
    bytes.set(piece, at);
  }
  return bytes;
}

function start(words: string[], folder: string): ChildProcess {
  return startCli([...words, "--progress=json"], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
  });
}

describe.each([
  ["SIGINT", 130, "interrupted"],
  ["SIGTERM", 143, "terminated"],
] as const)("%s", (signal, exitCode, message) => {
  test("ends pack with its exit code, one line, and nothing left", async () => {
    const folder = temporaryFolder();
    writeFiles(folder, { "big.raw": BIG });
    const child = start(["pack", "big.raw", "-o", "A.pfa"], folder);
    child.stderr?.once("data", () => child.kill(signal));
    const { code, stderr } = await outcomeOf(child);
    const last = JSON.parse(stderr.trim().split("\n").at(-1) ?? "");
    expect(last).toEqual({ schema: "pagefold/error/1", code: "INTERRUPTED", message });
    expect(code).toBe(exitCode);
    expect(readdirSync(folder)).toEqual(["big.raw"]);
  });

  test("ends append and leaves the archive as it was", async () => {
    const folder = temporaryFolder();
    writeFiles(folder, { "small.raw": imageBytes(1, 64), "big.raw": BIG });
    await succeed(["pack", "small.raw", "-o", "A.pfa"], folder);
    const before = await succeed(["list", "A.pfa"], folder);
    const child = start(["append", "A.pfa", "big.raw"], folder);
    child.stderr?.once("data", () => child.kill(signal));
    expect((await outcomeOf(child)).code).toBe(exitCode);
    expect(await succeed(["list", "A.pfa"], folder)).toBe(before);
    await succeed(["append", "A.pfa", "big.raw"], folder);
    expect(await succeed(["verify", "A.pfa"], folder)).toContain("2 images");
  });

  test("ends unpack without a half image", async () => {
    const folder = temporaryFolder();
    writeFiles(folder, { "big.raw": BIG });
    await succeed(["pack", "big.raw", "-o", "A.pfa"], folder);
    const child = start(["unpack", "A.pfa", "-C", "out"], folder);
    child.stderr?.once("data", () => child.kill(signal));
    const { code } = await outcomeOf(child);
    // It may have been done before the signal came.
    if (code !== 0) {
      expect(code).toBe(exitCode);
      expect(existsSync(join(folder, "out")) ? readdirSync(join(folder, "out")) : []).toEqual([]);
    }
  });

  test("ends a pack whose reader or whose stdin has stalled", async () => {
    const folder = temporaryFolder();
    writeFiles(folder, { "big.raw": BIG });
    const writer = start(["pack", "big.raw", "-o", "-"], folder);
    writer.stderr?.resume();
    await once(writer.stdout ?? writer, "readable");
    const reader = startCli(["pack", "-", "-o", "A.pfa"], { cwd: folder, stdio: "pipe" });
    reader.stdin?.on("error", () => undefined);
    reader.stdin?.write(BIG.subarray(0, 1 << 20));
    await sleep(500);
    writer.kill(signal);
    reader.kill(signal);
    const [[first], [second]] = await Promise.all([once(writer, "exit"), once(reader, "exit")]);
    expect([first, second]).toEqual([exitCode, exitCode]);
    expect(readdirSync(folder)).toEqual(["big.raw"]);
  });
});

test("capture --pause continues the process when it is interrupted", async () => {
  const folder = temporaryFolder();
  const pid = await startHolder(256 << 20);
  const words = ["capture", String(pid), "--pause", "-o", "c", "--format", "raw"];
  const child = start(words, folder);
  child.stderr?.once("data", () => child.kill("SIGINT"));
  const { code } = await outcomeOf(child);
  expect([0, 130]).toContain(code);
  await until(() => stateOf(pid) === "S");
  expect(readdirSync(folder)).toEqual(code === 0 ? ["c"] : []);
});

describe("SIGKILL at any time", () => {
  const random = seededRandom(randomSeed("kill"));

  test("pack leaves no file under the final name, and the next one works", async () => {
    const folder = temporaryFolder();
    writeFiles(folder, { "big.raw": BIG });
    for (let round = 0; round < 6; round++) {
      const child = start(["pack", "big.raw", "-o", "A.pfa"], folder);
      child.stderr?.resume();
      await Promise.race([sleep(random.int(900)), once(child, "exit")]);
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      if (existsSync(join(folder, "A.pfa"))) {
        expect(await succeed(["verify", "A.pfa"], folder)).toContain("intact");
      }
    }
    await succeed(["pack", "big.raw", "-f", "-o", "A.pfa"], folder);
    expect(readFileSync(join(folder, "big.raw")).equals(BIG)).toBe(true);
  });

  test("append leaves the old archive or the new one, and its lock does not last", async () => {
    const folder = temporaryFolder();
    writeFiles(folder, { "small.raw": imageBytes(1, 64), "big.raw": BIG });
    await succeed(["pack", "small.raw", "-o", "first.pfa"], folder);
    for (let round = 0; round < 6; round++) {
      copyFileSync(join(folder, "first.pfa"), join(folder, "A.pfa"));
      const child = start(["append", "A.pfa", "big.raw"], folder);
      child.stderr?.resume();
      await Promise.race([sleep(random.int(900)), once(child, "exit")]);
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      expect(await succeed(["verify", "A.pfa"], folder)).toMatch(/intact: [12] image/);
      const listed = await succeed(["list", "A.pfa"], folder);
      if (!listed.includes("big.raw")) await succeed(["append", "A.pfa", "big.raw"], folder);
      expect(await succeed(["verify", "A.pfa"], folder)).toContain("intact: 2 images");
    }
  });
});
