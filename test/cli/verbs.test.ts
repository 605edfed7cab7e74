// Every verb on small images, through the real process.
import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fail, imageBytes, pagefold, succeed, writeFiles } from "../support/cli.ts";
import { temporaryFolder } from "../support/folder.ts";
import { startHolder } from "../support/processes.ts";

const ONE = imageBytes(1, 70, 100);
const TWO = imageBytes(2, 64);
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** A folder with two images that have the same file name. */
function folderWithImages(): string {
  const folder = temporaryFolder();
  writeFiles(folder, { "in/one/mem.raw": ONE, "in/two/mem.raw": TWO });
  return folder;
}

async function folderWithArchive(...more: string[]): Promise<string> {
  const folder = folderWithImages();
  await succeed(["pack", "in/one/mem.raw", "in/two/mem.raw", "-o", "A.pfa", ...more], folder);
  return folder;
}

describe("pack and unpack", () => {
  test("give the images back, private to their owner", async () => {
    const folder = await folderWithArchive();
    await succeed(["unpack", "A.pfa", "-C", "out"], folder);
    expect(readFileSync(join(folder, "out/one/mem.raw")).equals(ONE)).toBe(true);
    expect(readFileSync(join(folder, "out/two/mem.raw")).equals(TWO)).toBe(true);
    expect(statSync(join(folder, "out/one/mem.raw")).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, "A.pfa")).mode & 0o777).toBe(0o600);
  });

  test("keep the modification time to the millisecond", async () => {
    const folder = await folderWithArchive();
    await succeed(["extract", "A.pfa", "-C", "out"], folder);
    const [before, after] = ["in", "out"].map((top) => statSync(join(folder, top, "one/mem.raw")));
    expect(Math.abs(before.mtimeMs - after.mtimeMs)).toBeLessThan(1);
  });

  test("say what was found on stderr, unless -q", async () => {
    const folder = folderWithImages();
    const words = ["pack", "in/one/mem.raw", "in/two/mem.raw", "-o"];
    const loud = await pagefold([...words, "A.pfa", "-v"], { cwd: folder });
    expect(loud.stderr).toMatch(/^A\.pfa: 2 images, 536\.1 KiB in /);
    expect(loud.stderr).toMatch(/^ {2}zero +68\.0 KiB +12\.6 %$/m);
    expect(loud.stderr).toMatch(/ one\/mem\.raw$/m);
    expect(loud.stdout).toHaveLength(0);
    const quiet = await pagefold(["create", ...words.slice(1), "B.pfa", "-q"], { cwd: folder });
    expect(quiet).toMatchObject({ code: 0, stderr: "" });
  });

  test("unpack only the images that are named", async () => {
    const folder = await folderWithArchive();
    await succeed(["unpack", "A.pfa", "two/mem.raw", "-C", "out", "-q"], folder);
    expect(readFileSync(join(folder, "out/two/mem.raw")).equals(TWO)).toBe(true);
    expect(statSync(join(folder, "out/one"), { throwIfNoEntry: false })).toBeUndefined();
  });

  test("-f replaces an archive and files", async () => {
    const folder = await folderWithArchive();
    await succeed(["pack", "in/two/mem.raw", "-o", "A.pfa", "-f"], folder);
    await succeed(["unpack", "A.pfa"], folder);
    writeFiles(folder, { "mem.raw": "else" });
    await succeed(["unpack", "A.pfa", "-f"], folder);
    expect(readFileSync(join(folder, "mem.raw")).equals(TWO)).toBe(true);
  });

  test("the same bytes for any number of threads, and for store the images as well", async () => {
    const folder = folderWithImages();
    const words = ["pack", "in/one/mem.raw", "in/two/mem.raw", "-o"];
    await succeed([...words, "1.pfa", "-T", "1", "-M", "256MiB"], folder);
    await succeed([...words, "2.pfa", "-T", "2", "-M", "0x10000000"], folder);
    const archives = ["1.pfa", "2.pfa"].map((name) => readFileSync(join(folder, name)));
    expect(archives[0].equals(archives[1])).toBe(true);
    await succeed([...words, "3.pfa", "--level", "store"], folder);
    await succeed(["unpack", "3.pfa", "-C", "out"], folder);
    expect(readFileSync(join(folder, "out/one/mem.raw")).equals(ONE)).toBe(true);
  });
});

describe("images by list", () => {
  test("--files-from takes lines, or NUL with -0, from a file or stdin", async () => {
    const folder = folderWithImages();
    writeFiles(folder, { list: "in/one/mem.raw\nin/two/mem.raw\n", "in/new\nline": "x" });
    await succeed(["pack", "--files-from", "list", "-o", "A.pfa"], folder);
    expect(await succeed(["cat", "A.pfa", "two/mem.raw", "--length", "0"], folder)).toBe("");
    const stdin = Buffer.from("in/one/mem.raw\0in/two/mem.raw\0");
    const words = ["pack", "--files-from", "-", "-0", "-o", "B.pfa", "-q"];
    expect(await pagefold(words, { cwd: folder, stdin })).toMatchObject({ code: 0, stderr: "" });
    expect(await succeed(["ls", "B.pfa"], folder)).toContain("two/mem.raw");
  });
});

describe("append and repack", () => {
  test("append adds images, and what was there stays", async () => {
    const folder = folderWithImages();
    await succeed(["pack", "in/one/mem.raw", "-o", "A.pfa"], folder);
    writeFiles(folder, { "three.raw": TWO });
    await succeed(["append", "A.pfa", "three.raw"], folder);
    await succeed(["unpack", "A.pfa", "-C", "out"], folder);
    expect(readFileSync(join(folder, "out/mem.raw")).equals(ONE)).toBe(true);
    expect(readFileSync(join(folder, "out/three.raw")).equals(TWO)).toBe(true);
  });

  test("repack leaves out what is dropped", async () => {
    const folder = await folderWithArchive();
    await succeed(["repack", "A.pfa", "-o", "B.pfa", "--drop", "one/mem.raw"], folder);
    expect(await succeed(["list", "B.pfa"], folder)).not.toContain("one/mem.raw");
    await succeed(["unpack", "B.pfa", "-C", "out"], folder);
    expect(readFileSync(join(folder, "out/two/mem.raw")).equals(TWO)).toBe(true);
  });
});

describe("list, verify, inspect, cat", () => {
  test("list shows a row per image, and a total", async () => {
    const folder = await folderWithArchive("--note", "host=a1");
    const lines = (await succeed(["list", "A.pfa"], folder)).split("\n");
    expect(lines[0]).toMatch(/^ +size +stored +ratio +frees +modified +name$/);
    expect(lines[1]).toMatch(/^280\.1 KiB .* one\/mem\.raw$/);
    expect(lines[3]).toMatch(/^2 images, 536\.1 KiB in .*, generation \d+$/);
    expect(await succeed(["ls", "-v", "A.pfa"], folder)).toMatch(/one\/mem\.raw {2}host=a1$/m);
  });

  test("list --digest is what sha256sum -c takes", async () => {
    const folder = await folderWithArchive("--digest", "sha256");
    const expected = `${sha256(ONE)}  one/mem.raw\n${sha256(TWO)}  two/mem.raw\n`;
    expect(await succeed(["list", "--digest", "A.pfa"], folder)).toBe(expected);
  });

  test("verify says intact", async () => {
    const folder = await folderWithArchive();
    expect(await succeed(["verify", "A.pfa"], folder)).toMatch(/^A\.pfa: intact: 2 images, /);
    expect(await succeed(["check", "-q", "A.pfa"], folder)).toBe("");
  });

  test("inspect counts the pages of images, and tells an archive by its content", async () => {
    const folder = await folderWithArchive();
    const images = await succeed(["inspect", "in/one/mem.raw", "in/two/mem.raw"], folder);
    expect(images).toMatch(/ one\/mem\.raw$/m);
    expect(images).toMatch(/ 2 images$/m);
    writeFiles(folder, { "renamed.raw": readFileSync(join(folder, "A.pfa")) });
    expect(await succeed(["inspect", "renamed.raw"], folder)).toMatch(/^renamed\.raw: 2 images, /);
  });

  test("cat gives whole images and ranges", async () => {
    const folder = await folderWithArchive();
    const whole = await pagefold(["cat", "A.pfa", "one/mem.raw"], { cwd: folder });
    expect(whole.stdout.equals(ONE)).toBe(true);
    const range = ["--offset", "0x2ffe", "--length", "8KiB"];
    const part = await pagefold(["cat", "A.pfa", "one/mem.raw", ...range], { cwd: folder });
    expect(part.stdout.equals(ONE.subarray(0x2ffe, 0x2ffe + 8192))).toBe(true);
    const end = ["cat", "A.pfa", "one/mem.raw", "--offset", String(ONE.length)];
    expect(await succeed(end, folder)).toBe("");
  });

  test("cat reads ranges over several pieces", async () => {
    const folder = temporaryFolder();
    const bytes = imageBytes(5, 700);
    writeFiles(folder, { "big.raw": bytes });
    await succeed(["pack", "big.raw", "-o", "A.pfa"], folder);
    const { stdout } = await pagefold(["cat", "A.pfa", "big.raw", "--offset", "5"], {
      cwd: folder,
    });
    expect(stdout.equals(bytes.subarray(5))).toBe(true);
  });
});

describe("digests of the owner", () => {
  test("--check takes lists by name and by path", async () => {
    const folder = folderWithImages();
    const list = `${sha256(ONE)}  in/one/mem.raw\nSHA256 (two/mem.raw) = ${sha256(TWO)}\n`;
    writeFiles(folder, { SHA256SUMS: list });
    const words = ["pack", "in/one/mem.raw", "in/two/mem.raw", "--check", "SHA256SUMS"];
    await succeed([...words, "-o", "A.pfa"], folder);
  });

  test("another content is a mismatch, and no archive appears", async () => {
    const folder = folderWithImages();
    writeFiles(folder, { SHA256SUMS: `${sha256(TWO)} *mem.raw\n` });
    const words = ["pack", "in/one/mem.raw", "--check", "SHA256SUMS", "-o", "A.pfa"];
    await fail(words, { cwd: folder }, { code: 3, line: /mem\.raw.*[0-9a-f]{64}/ });
    expect(statSync(join(folder, "A.pfa"), { throwIfNoEntry: false })).toBeUndefined();
  });

  test("an image that the list leaves out is refused", async () => {
    const folder = folderWithImages();
    writeFiles(folder, { SHA256SUMS: `${sha256(TWO)}  other.raw\n` });
    const words = ["pack", "in/one/mem.raw", "--check", "SHA256SUMS", "-o", "A.pfa"];
    await fail(words, { cwd: folder }, { code: 1, line: /SHA256SUMS: has no sum of mem\.raw$/ });
  });
});

describe("a base that is not in the archive", () => {
  const NEW = Buffer.from(ONE);
  NEW.set(imageBytes(9, 2), 8192);

  test("is needed to unpack, cat and verify, and only what is new is stored", async () => {
    const folder = temporaryFolder();
    writeFiles(folder, { "old.raw": ONE, "new.raw": NEW });
    await succeed(["pack", "new.raw", "--base", "old.raw", "-o", "E.pfa"], folder);
    await succeed(["pack", "new.raw", "-o", "whole.pfa"], folder);
    const [based, whole] = ["E.pfa", "whole.pfa"].map((name) => statSync(join(folder, name)).size);
    expect(based).toBeLessThan(whole / 2);
    await succeed(["unpack", "E.pfa", "--base", "old.raw", "-C", "out"], folder);
    expect(readFileSync(join(folder, "out/new.raw")).equals(NEW)).toBe(true);
    const cat = await pagefold(["cat", "E.pfa", "new.raw", "--base", "old.raw"], { cwd: folder });
    expect(cat.stdout.equals(NEW)).toBe(true);
    expect(await succeed(["verify", "E.pfa", "--base", "old.raw"], folder)).toContain("intact");
    await fail(["unpack", "E.pfa", "-C", "x"], { cwd: folder }, { code: 1, line: /old\.raw/ });
  });

  test("may be an image of another archive", async () => {
    const folder = temporaryFolder();
    writeFiles(folder, { "old.raw": ONE, "new.raw": NEW });
    await succeed(["pack", "old.raw", "-o", "A.pfa"], folder);
    await succeed(["pack", "new.raw", "--base", "A.pfa::old.raw", "-o", "E.pfa"], folder);
    await succeed(["unpack", "E.pfa", "--base", "A.pfa::old.raw", "-C", "out"], folder);
    expect(readFileSync(join(folder, "out/new.raw")).equals(NEW)).toBe(true);
    const cat = ["cat", "E.pfa", "new.raw", "--base", "A.pfa::old.raw"];
    expect((await pagefold(cat, { cwd: folder })).stdout.equals(NEW)).toBe(true);
  });

  test("a wrong one is refused by name before any output", async () => {
    const folder = temporaryFolder();
    writeFiles(folder, { "old.raw": ONE, "new.raw": NEW, "wrong.raw": TWO });
    await succeed(["pack", "new.raw", "--base", "old.raw", "-o", "E.pfa"], folder);
    const base = ["--base", "wrong.raw"];
    const line = /wrong\.raw/;
    await fail(["unpack", "E.pfa", ...base, "-C", "x"], { cwd: folder }, { code: 1, line });
    await fail(["cat", "E.pfa", "new.raw", ...base], { cwd: folder }, { code: 1, line });
    expect(statSync(join(folder, "x/new.raw"), { throwIfNoEntry: false })).toBeUndefined();
  });
});

test("capture writes a core of a live process, which packs like any image", async () => {
  const folder = temporaryFolder();
  const pid = await startHolder(1 << 20);
  await succeed(["capture", String(pid), "-o", "live.core", "--pause"], folder);
  await succeed(["capture", String(pid), "-o", "live.raw", "--format", "raw", "-q"], folder);
  expect(readFileSync(join(folder, "live.core")).subarray(0, 4).toString("latin1")).toBe("\x7fELF");
  await succeed(["pack", "live.core", "live.raw", "-o", "A.pfa"], folder);
  await succeed(["unpack", "A.pfa", "-C", "out"], folder);
  for (const name of ["live.core", "live.raw"]) {
    const [before, after] = [name, `out/${name}`].map((path) => readFileSync(join(folder, path)));
    expect(after.equals(before)).toBe(true);
  }
});
