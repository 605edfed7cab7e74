// inspect --details and --html: where the bytes go, as text, as JSON and as a page.
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fail, imageBytes, pagefold, succeed, writeFiles } from "../support/cli.ts";
import { temporaryFolder } from "../support/folder.ts";

const ONE = imageBytes(1, 70, 100);
const TWO = imageBytes(2, 64);

function folderWithImages(): string {
  const folder = temporaryFolder();
  writeFiles(folder, { "one.raw": ONE, "two.raw": TWO });
  return folder;
}

describe("inspect --details", () => {
  test("says step by step what pack would write", async () => {
    const folder = folderWithImages();
    await succeed(["pack", "one.raw", "two.raw", "-o", "A.pfa"], folder);
    const text = await succeed(["inspect", "one.raw", "two.raw", "--details"], folder);
    expect(text).toMatch(/^2 images, 540\.0 KiB would be /);
    expect(text).toMatch(/^ {2}duplicate, other image +-0\.1 +\d/m);
    const words = ["inspect", "one.raw", "two.raw", "--details", "--json"];
    const found = JSON.parse(await succeed(words, folder));
    expect(Object.keys(found).sort()).toEqual([
      ...["elapsedMs", "images", "inputBytes", "outputBytes", "repeated", "schema", "sharing"],
      ...["steps", "unlistedPages", "warnings"],
    ]);
    expect(found.schema).toBe("pagefold/inspect-details/1");
    expect(found.outputBytes).toBe(readFileSync(join(folder, "A.pfa")).length);
    expect(found.steps.at(-1).leftBytes).toBe(found.outputBytes);
    expect(found.images.map(({ name }: { name: string }) => name)).toEqual(["one.raw", "two.raw"]);
    // Two pages of text in eight are those of every image.
    expect(found.sharing).toEqual([
      [found.images[0].distinctPages, 16],
      [16, found.images[1].distinctPages],
    ]);
  });

  test("packs at the level that it is told", async () => {
    const folder = folderWithImages();
    const words = ["inspect", "one.raw", "--details", "--json", "--level", "store"];
    const found = JSON.parse(await succeed(words, folder));
    await succeed(["pack", "one.raw", "-o", "A.pfa", "--level", "store"], folder);
    expect(found.outputBytes).toBe(statSync(join(folder, "A.pfa")).size);
  });
});

describe("inspect --html", () => {
  test("writes a page for its owner, and replaces none unless told to", async () => {
    const folder = folderWithImages();
    const path = join(folder, "r.html");
    const text = await succeed(["inspect", "one.raw", "--html", "r.html"], folder);
    expect(text).toMatch(/^r\.html: \d+\.\d KiB$/m);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const page = readFileSync(path, "utf8");
    expect(page).toMatch(/^<!doctype html>/);
    expect(page).not.toContain("PAYLOAD");
    const words = ["inspect", "two.raw", "--html", "r.html"];
    await fail(words, { cwd: folder }, { code: 1, line: /r\.html: file exists \(use -f/ });
    const { html, htmlBytes } = JSON.parse(await succeed([...words, "-f", "--json"], folder));
    expect({ html, htmlBytes }).toEqual({ html: "r.html", htmlBytes: statSync(path).size });
    expect(readFileSync(path, "utf8")).not.toBe(page);
  });

  test("goes to stdout, the summary to stderr", async () => {
    const cwd = folderWithImages();
    const { code, stdout, stderr } = await pagefold(["inspect", "one.raw", "--html", "-"], { cwd });
    expect(code).toBe(0);
    expect(stdout.toString("utf8")).toMatch(/^<!doctype html>.*<\/html>\n$/s);
    expect(stderr).toMatch(/^1 image, /);
  });

  test.each([
    [["one.raw", "--html", "-", "--json"], 2, /cannot both go to stdout$/],
    [["one.raw", "--html", "one.raw", "-f"], 2, /one\.raw: is both an input and the output$/],
    [["A.pfa", "--html", "r.html"], 2, /A\.pfa: is an archive; --html and --details are/],
    [["one.raw", "--html", "no/r.html"], 1, /no\/r\.html: no such file or directory$/],
    [["gone.raw", "--html", "r.html"], 1, /gone\.raw: no such file or directory$/],
  ])("refuses %j", async (words, code, line) => {
    const folder = folderWithImages();
    writeFileSync(join(folder, "A.pfa"), "PAGEFOLD");
    await fail(["inspect", ...words], { cwd: folder }, { code, line });
    expect(() => statSync(join(folder, "r.html"))).toThrow(/ENOENT/);
    expect(readFileSync(join(folder, "one.raw")).equals(ONE)).toBe(true);
  });

  test("explains at most 128 images together", async () => {
    const folder = temporaryFolder();
    const names = Array.from({ length: 129 }, (_, i) => `${i}.raw`);
    writeFiles(folder, Object.fromEntries(names.map((name) => [name, "x"])));
    const line = /129 images: at most 128 are explained together$/;
    await fail(["inspect", ...names, "--details"], { cwd: folder }, { code: 1, line });
  });
});
