// What the user gets for bad input: one line that names the thing, the documented exit code, and
// nothing lost.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  CLI,
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
const NOBODY = 65534;
const asRoot = process.getuid?.() === 0;

async function folderWithArchive(): Promise<string> {
  const folder = temporaryFolder();
  writeFiles(folder, { "one.raw": ONE });
  await succeed(["pack", "one.raw", "-o", "A.pfa"], folder);
  return folder;
}

describe("inputs", () => {
  test.each([
    ["missing", "nowhere.raw", /nowhere\.raw: no such file or directory$/],
    ["a directory", "folder", /folder: is a directory/],
    ["a device", "/dev/zero", /\/dev\/zero: is a device/],
    ["a broken link", "link.raw", /link\.raw: no such file or directory$/],
  ])("%s", async (_, path, line) => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "folder"));
    symlinkSync("gone", join(folder, "link.raw"));
    await fail(["pack", path, "-o", "A.pfa"], { cwd: folder }, { code: 1, line });
    await fail(["inspect", path], { cwd: folder }, { code: 1, line });
    expect(readdirSync(folder).sort()).toEqual(["folder", "link.raw"]);
  });

  test("unreadable", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "secret.raw"), ONE, { mode: 0 });
    if (asRoot) execFileSync("chmod", ["777", folder]);
    const surroundings = asRoot ? { cwd: folder, uid: NOBODY } : { cwd: folder };
    const line = /secret\.raw: permission denied$/;
    await fail(["pack", "secret.raw", "-o", "A.pfa"], surroundings, { code: 1, line });
    expect(readdirSync(folder)).toEqual(["secret.raw"]);
  });

  test("empty images are images", async () => {
    const folder = temporaryFolder();
    writeFiles(folder, { "empty.raw": "" });
    await succeed(["pack", "empty.raw", "-o", "A.pfa"], folder);
    await succeed(["unpack", "A.pfa", "-C", "out"], folder);
    expect(readFileSync(join(folder, "out/empty.raw"))).toHaveLength(0);
    expect(await succeed(["inspect", "empty.raw"], folder)).toContain("empty.raw");
  });

  test.each([
    ["growing", (path: string) => appendFileSync(path, "more"), /grew from \d+ to \d+ bytes/],
    ["shrinking", (path: string) => truncateSync(path, 4097), /big\.raw: .*\d+/],
  ])("%s while they are read", async (_, change, line) => {
    const folder = temporaryFolder();
    const big = Buffer.alloc(192 << 20);
    const piece = imageBytes(4, 1024);
    for (let at = 0; at < big.length; at += piece.length) {
      piece.writeUInt32LE(at, 5 * 4096);
      big.set(piece, at);
    }
    writeFiles(folder, { "big.raw": big });
    const words = ["pack", "big.raw", "-o", "A.pfa", "--progress=json"];
    const child = startCli(words, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
    child.stderr?.once("data", () => change(join(folder, "big.raw")));
    const { code, stderr } = await outcomeOf(child);
    const last = JSON.parse(stderr.trim().split("\n").at(-1) ?? "");
    expect(last).toMatchObject({ schema: "pagefold/error/1", code: "CHANGED" });
    expect(last.message).toMatch(line);
    expect(code).toBe(1);
    expect(readdirSync(folder)).toEqual(["big.raw"]);
  });

  test("an input is not overwritten by the output, under whatever name", async () => {
    const folder = await folderWithArchive();
    symlinkSync("one.raw", join(folder, "alias.raw"));
    const line = /is both an input and the output$/;
    const code = 2;
    for (const output of ["one.raw", "alias.raw"]) {
      await fail(["pack", "one.raw", "-f", "-o", output], { cwd: folder }, { code, line });
    }
    await fail(["append", "A.pfa", "A.pfa"], { cwd: folder }, { code, line });
    await fail(["repack", "A.pfa", "-f", "-o", "A.pfa"], { cwd: folder }, { code, line });
    expect(readFileSync(join(folder, "one.raw")).equals(ONE)).toBe(true);
  });

  test("two images of one name, and a name that the archive has already", async () => {
    const folder = await folderWithArchive();
    writeFiles(folder, { "two/one.raw": ONE });
    const twice = ["pack", "one.raw", "./one.raw", "-o", "B.pfa"];
    await fail(twice, { cwd: folder }, { code: 2, line: /one\.raw/ });
    const { code, stderr } = await pagefold(["append", "A.pfa", "two/one.raw"], { cwd: folder });
    expect(code).toBeGreaterThan(0);
    expect(stderr).toMatch(/one\.raw/);
    expect(await succeed(["verify", "A.pfa"], folder)).toContain("1 image");
  });
});

describe("outputs", () => {
  test("that exist", async () => {
    const folder = await folderWithArchive();
    const before = readFileSync(join(folder, "A.pfa"));
    const line = /: (file exists|exists already) \(use -f to replace it\)$/;
    for (const words of [
      ["pack", "one.raw", "-o", "A.pfa"],
      ["repack", "A.pfa", "-o", "one.raw"],
      ["unpack", "A.pfa"],
      ["capture", String(process.pid), "-o", "A.pfa"],
    ]) {
      await fail(words, { cwd: folder }, { code: 1, line });
    }
    expect(readFileSync(join(folder, "A.pfa")).equals(before)).toBe(true);
    expect(readdirSync(folder).sort()).toEqual(["A.pfa", "one.raw"]);
  });

  test("that are directories, or in none", async () => {
    const folder = await folderWithArchive();
    mkdirSync(join(folder, "folder"));
    const surroundings = { cwd: folder };
    const into = (output: string) => ["pack", "one.raw", "-f", "-o", output];
    await fail(into("folder"), surroundings, { code: 1, line: /folder: is a directory$/ });
    const line = /no such file or directory$/;
    await fail(into("nowhere/A.pfa"), surroundings, { code: 1, line });
    await fail(into("one.raw/A.pfa"), surroundings, { code: 1, line: /not a directory$/ });
  });
});

/** True where a test may mount file systems of its own. */
const mayMount = (() => {
  try {
    execFileSync("unshare", ["-rm", "mount", "-t", "tmpfs", "none", "/mnt"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

/** Runs the words with a file system of its own mounted at `disk`. */
async function onDisk(folder: string, mount: string, words: readonly string[]) {
  mkdirSync(join(folder, "disk"), { recursive: true });
  const script = `mount ${mount} disk && exec "$0" "$@"`;
  const child = spawn("unshare", ["-rm", "sh", "-c", script, process.execPath, CLI, ...words], {
    cwd: folder,
  });
  return outcomeOf(child);
}

describe.skipIf(!mayMount)("file systems", () => {
  const small = "-t tmpfs -o size=64k none";
  const readOnly = "-t tmpfs -o ro none";

  test.each([
    ["pack", ["pack", "one.raw", "-o", "disk/A.pfa", "-q"]],
    ["unpack", ["unpack", "A.pfa", "-C", "disk", "-q"]],
    ["repack", ["repack", "A.pfa", "-o", "disk/A.pfa", "-q"]],
  ])("a full disk: %s", async (_, words) => {
    const folder = await folderWithArchive();
    const { code, stderr } = await onDisk(folder, small, words);
    expect(stderr).toMatch(/^pagefold: disk[^\n]*: no space left on device\n$/);
    expect(code).toBe(1);
  });

  test.each([
    ["pack", ["pack", "one.raw", "-o", "disk/A.pfa", "-q"]],
    ["unpack", ["unpack", "A.pfa", "-C", "disk", "-q"]],
  ])("a read-only folder: %s", async (_, words) => {
    const folder = await folderWithArchive();
    const { code, stderr } = await onDisk(folder, readOnly, words);
    expect(stderr).toMatch(/^pagefold: disk[^\n]*: read-only file system\n$/);
    expect(code).toBe(1);
  });
});

describe("archives", () => {
  const readers = [
    ["list", "X.pfa"],
    ["verify", "X.pfa"],
    ["unpack", "X.pfa", "-C", "out"],
    ["cat", "X.pfa", "one.raw"],
    ["append", "X.pfa", "one.raw"],
    ["repack", "X.pfa", "-o", "Y.pfa"],
  ];

  test.each(readers.map((words) => [words[0], words] as const))("missing: %s", async (_, words) => {
    const folder = temporaryFolder();
    writeFiles(folder, { "one.raw": ONE });
    const line = /X\.pfa: no such file or directory$/;
    await fail(words, { cwd: folder }, { code: 1, line });
    expect(readdirSync(folder)).not.toContain("X.pfa");
  });

  test.each(readers.map((words) => [words[0], words] as const))("foreign: %s", async (_, words) => {
    const folder = temporaryFolder();
    writeFiles(folder, { "one.raw": ONE, "X.pfa": imageBytes(8, 4) });
    const { code, stderr } = await pagefold(words, { cwd: folder });
    expect(stderr).toMatch(/^pagefold: [^\n]*X\.pfa[^\n]*\n$/);
    expect([1, 3]).toContain(code);
    expect(readFileSync(join(folder, "X.pfa")).equals(imageBytes(8, 4))).toBe(true);
  });

  test("empty, and truncated anywhere", async () => {
    const folder = await folderWithArchive();
    const whole = readFileSync(join(folder, "A.pfa"));
    for (const length of [0, 7, 4096, 8192, 8200, whole.length >> 1, whole.length - 1]) {
      writeFiles(folder, { "X.pfa": whole.subarray(0, length) });
      const { code, stderr } = await pagefold(["verify", "X.pfa"], { cwd: folder });
      expect({ length, failed: code === 1 || code === 3 }).toEqual({ length, failed: true });
      expect(stderr).toMatch(/^pagefold: X\.pfa: [^\n]+\n$/);
      const stdin = whole.subarray(0, length);
      const piped = await pagefold(["unpack", "-", "-C", "out"], { cwd: folder, stdin });
      expect({ length, failed: piped.code === 1 || piped.code === 3 }).toEqual({
        length,
        failed: true,
      });
      expect(piped.stderr).toMatch(/^pagefold: [^\n]+\n$/);
    }
  });

  test("bit-flipped: verify exits with 3 and names what is lost", async () => {
    const folder = await folderWithArchive();
    const bytes = readFileSync(join(folder, "A.pfa"));
    bytes[12_000] ^= 0x10;
    writeFiles(folder, { "X.pfa": bytes });
    const { code, stdout, stderr } = await pagefold(["verify", "X.pfa"], { cwd: folder });
    expect(code).toBe(3);
    expect(stderr).toMatch(/^pagefold: X\.pfa: 1 of 1 image damaged, \d+ pages? lost/);
    expect(stdout.toString()).toMatch(/^one\.raw: frames? \d+.* lost: /m);
    const json = await pagefold(["verify", "X.pfa", "--json"], { cwd: folder });
    expect(json.code).toBe(3);
    expect(JSON.parse(json.stdout.toString())).toMatchObject({ intact: false });
  });

  test("bit-flipped: unpack --keep-going saves the rest and exits with 3", async () => {
    const folder = await folderWithArchive();
    const bytes = readFileSync(join(folder, "A.pfa"));
    bytes[12_000] ^= 0x10;
    writeFiles(folder, { "X.pfa": bytes });
    const words = ["unpack", "X.pfa", "-C", "out"];
    await fail(words, { cwd: folder }, { code: 3, line: /X\.pfa|one\.raw/ });
    expect(readdirSync(folder)).not.toContain("out/one.raw");
    const { code, stderr } = await pagefold([...words, "--keep-going"], { cwd: folder });
    expect(code).toBe(3);
    expect(stderr).toMatch(/^pagefold: X\.pfa: \d+ pages? lost$/m);
    expect(readdirSync(join(folder, "out")).sort()).toEqual(["one.raw", "one.raw.lost"]);
    expect(readFileSync(join(folder, "out/one.raw"))).toHaveLength(ONE.length);
  });
});

describe("names and ranges", () => {
  test("that are not there", async () => {
    const folder = await folderWithArchive();
    const none = { code: 1, line: /none\.raw/ };
    await fail(["cat", "A.pfa", "none.raw"], { cwd: folder }, none);
    await fail(["unpack", "A.pfa", "none.raw", "-C", "out"], { cwd: folder }, none);
    await fail(["repack", "A.pfa", "-o", "B.pfa", "--drop", "none.raw"], { cwd: folder }, none);
    expect(readdirSync(folder)).not.toContain("B.pfa");
  });

  test("cat out of range", async () => {
    const folder = await folderWithArchive();
    const cat = ["cat", "A.pfa", "one.raw"];
    const line = /one\.raw: bytes 0 to 286820 are outside of its 286820 bytes$/;
    await fail([...cat, "--length", "286821"], { cwd: folder }, { code: 1, line });
    const offset = /one\.raw: offset 1073741824 is outside of its 286820 bytes$/;
    await fail([...cat, "--offset", "1G"], { cwd: folder }, { code: 1, line: offset });
  });
});

describe("processes", () => {
  test("that are gone", async () => {
    const folder = temporaryFolder();
    const child = spawn("true");
    await once(child, "exit");
    const words = ["capture", String(child.pid), "-o", "c"];
    await fail(words, { cwd: folder }, { code: 1, line: new RegExp(String(child.pid)) });
    expect(readdirSync(folder)).toEqual([]);
  });

  test("that are somebody else's", async () => {
    const folder = temporaryFolder();
    if (asRoot) execFileSync("chmod", ["777", folder]);
    const surroundings = asRoot ? { cwd: folder, uid: NOBODY } : { cwd: folder };
    await fail(["capture", "1", "-o", "c"], surroundings, { code: 1, line: /process 1\b/ });
    expect(readdirSync(folder)).toEqual([]);
  });
});
