// Images that zstd has compressed, as a user gives them to every verb that takes images.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fail, imageBytes, pagefold, succeed, writeFiles } from "../support/cli.ts";
import { temporaryFolder } from "../support/folder.ts";
import { zstdFrames } from "../support/zstd-frames.ts";

const ONE = imageBytes(1, 70, 100);
const TWO = imageBytes(2, 64);

function folderWithImages(): string {
  const folder = temporaryFolder();
  writeFiles(folder, {
    "one.raw.zst": zstdFrames(ONE),
    "two.img": zstdFrames(TWO, { isSized: false }),
    "three.raw.zst": TWO,
  });
  return folder;
}

test("pack, append and unpack: content, and names without .zst where there was zstd", async () => {
  const folder = folderWithImages();
  const packed = await pagefold(["pack", "one.raw.zst", "two.img", "-v", "-o", "A.pfa"], {
    cwd: folder,
  });
  expect(packed.code).toBe(0);
  expect(packed.stderr).toMatch(/ one\.raw {2}\(zstd\)\n.* two\.img {2}\(zstd\)\n/);
  await succeed(["append", "A.pfa", "three.raw.zst", "-q"], folder);
  const list = await succeed(["list", "-v", "A.pfa"], folder);
  expect(list).toMatch(/ raw +one\.raw {2}decompressed=zstd\n/);
  expect(list).toMatch(/ raw +three\.raw\.zst\n/);
  await succeed(["verify", "A.pfa"], folder);
  await succeed(["unpack", "A.pfa", "-C", "out"], folder);
  expect(readFileSync(join(folder, "out/one.raw")).equals(ONE)).toBe(true);
  expect(readFileSync(join(folder, "out/two.img")).equals(TWO)).toBe(true);
  expect(readFileSync(join(folder, "out/three.raw.zst")).equals(TWO)).toBe(true);
  const json = await succeed(["pack", "one.raw.zst", "--json", "-o", "B.pfa"], folder);
  expect(JSON.parse(json).images[0]).toMatchObject({ name: "one.raw", decompressed: "zstd" });
});

test("stdin: decompressed unless --no-decompress is given", async () => {
  const folder = folderWithImages();
  const stdin = zstdFrames(ONE, { isSized: false, frameBytes: 50_000 });
  for (const words of [[], ["--no-decompress"]]) {
    const pack = ["pack", "-", "--name", "x", "-o", "A.pfa", "-f", "-q", ...words];
    expect(await pagefold(pack, { cwd: folder, stdin })).toMatchObject({ code: 0, stderr: "" });
    const { stdout } = await pagefold(["cat", "A.pfa", "x"], { cwd: folder });
    expect(stdout.equals(words.length === 0 ? ONE : stdin)).toBe(true);
  }
  await succeed(["pack", "one.raw.zst", "--no-decompress", "-o", "B.pfa"], folder);
  expect(await succeed(["list", "B.pfa"], folder)).toMatch(/ one\.raw\.zst\n/);
});

test("inspect: what is in them, and that they were compressed", async () => {
  const folder = folderWithImages();
  writeFiles(folder, { "plain/one.raw": ONE });
  const table = await succeed(["inspect", "one.raw.zst", "three.raw.zst"], folder);
  expect(table).toMatch(/ one\.raw {2}\(zstd\)\n/);
  expect(table).toMatch(/ three\.raw\.zst\n/);
  const [found, plain] = await Promise.all(
    ["one.raw.zst", "plain/one.raw"].map(async (path) => {
      const { images } = JSON.parse(await succeed(["inspect", path, "--json"], folder));
      return images[0];
    }),
  );
  expect(found).toEqual({ ...plain, decompressed: "zstd" });
  const asIs = await succeed(["inspect", "one.raw.zst", "--no-decompress"], folder);
  expect(asIs).toMatch(/ one\.raw\.zst\n/);
});

test("--base and --check speak of the content", async () => {
  const folder = folderWithImages();
  writeFiles(folder, { "new.raw": Buffer.concat([ONE, TWO]), "one.raw": ONE });
  const sum = createHash("sha256").update(ONE).digest("hex");
  writeFiles(folder, { SUMS: `${sum}  one.raw\n` });
  await succeed(["pack", "one.raw.zst", "--check", "SUMS", "-o", "C.pfa"], folder);
  await succeed(["pack", "--base", "one.raw.zst", "new.raw", "-o", "E.pfa"], folder);
  await succeed(["unpack", "E.pfa", "--base", "one.raw", "-C", "out"], folder);
  expect(readFileSync(join(folder, "out/new.raw")).equals(Buffer.concat([ONE, TWO]))).toBe(true);
  await succeed(["verify", "E.pfa", "--base", "one.raw.zst"], folder);
  const words = ["cat", "E.pfa", "new.raw", "--base", "one.raw.zst", "--length", "100"];
  const { stdout } = await pagefold(words, { cwd: folder });
  expect(stdout.equals(ONE.subarray(0, 100))).toBe(true);
});

test("what cannot be decompressed is one line", async () => {
  const folder = folderWithImages();
  const cut = zstdFrames(ONE).subarray(0, 9999);
  writeFiles(folder, {
    "cut.zst": cut,
    "wide.zst": Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd, 0, 18 << 3]),
    "tied.zst": Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd, 0x22, 0x39, 0x30, 1]),
  });
  const pack = (name: string) => ["pack", name, "-o", "A.pfa"];
  const frame = "Zstandard frame 1 at byte 0";
  const cases: [string, number, string][] = [
    ["cut.zst", 3, `${frame}: truncated: the input ends after 9999 bytes`],
    ["wide.zst", 1, `${frame}: its window is 268435456 bytes, the limit 134217728`],
    ["tied.zst", 1, `${frame}: it needs the dictionary 12345; dictionaries are not supported`],
  ];
  for (const [name, code, reason] of cases) {
    const line = new RegExp(`^pagefold: ${name}: ${reason}$`);
    await fail(pack(name), { cwd: folder }, { code, line });
  }
  const line = new RegExp(`^pagefold: stdin: ${frame}: truncated`);
  await fail(["pack", "-", "-o", "A.pfa"], { cwd: folder, stdin: cut }, { code: 3, line });
  writeFiles(folder, { "one.raw": ONE });
  const both = ["pack", "one.raw", "one.raw.zst", "-o", "A.pfa"];
  const same = /one\.raw and one\.raw\.zst are both the image one\.raw$/;
  await fail(both, { cwd: folder }, { code: 2, line: same });
});
