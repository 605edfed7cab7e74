// Names of images: given to inputs, refused from archives, turned into places below a directory.
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { assertSafeName, imageNames, resolveInside } from "../../src/image/names.ts";
import { temporaryFolder } from "../support/folder.ts";

const zstd = (...paths: string[]) => new Map(paths.map((path) => [path, ["zstd"] as const]));

describe("names: of inputs", () => {
  test.each([
    [
      ["a/mem.raw", "b/mem.raw"],
      ["a/mem.raw", "b/mem.raw"],
    ],
    [
      ["x/a/mem.raw", "x/b/mem.raw"],
      ["a/mem.raw", "b/mem.raw"],
    ],
    [
      ["x/a.raw", "x/b.raw"],
      ["a.raw", "b.raw"],
    ],
    [
      ["x/a.raw", "x/y/b.raw"],
      ["a.raw", "y/b.raw"],
    ],
    [
      ["/x/a/deep/m", "/x/ab/m"],
      ["a/deep/m", "ab/m"],
    ],
    [
      ["/a", "/b/c"],
      ["a", "b/c"],
    ],
    [
      ["./x/../a.raw", "b.raw"],
      ["a.raw", "b.raw"],
    ],
    [["some/where/only.raw"], ["only.raw"]],
    [[], []],
  ])("%j are %j", (paths, names) => {
    expect(imageNames(paths)).toEqual(names);
  });

  test("the content of compressed files has no .zst in its name", () => {
    const paths = ["x/a.raw.zst", "x/b.raw.zst", "x/c.zst/d", "x/.zst", "x/y/.zst"];
    const names = ["a.raw", "b.raw.zst", "c.zst/d", ".zst", "y/.zst"];
    const others = paths.filter((path) => path !== paths[1]);
    expect(imageNames(paths, zstd(...others))).toEqual(names);
    expect(imageNames(["x/a.zst.zst"], zstd("x/a.zst.zst"))).toEqual(["a.zst"]);
    const twice = new Map([["x/a.zst.zst", ["zstd", "zstd"] as const]]);
    expect(imageNames(["x/a.zst.zst"], twice)).toEqual(["a"]);
    const both = ["x/a.raw", "x/a.raw.zst"];
    expect(imageNames(both)).toEqual(["a.raw", "a.raw.zst"]);
    expect(() => imageNames(both, zstd("x/a.raw.zst"))).toThrow(
      "x/a.raw and x/a.raw.zst are both the image a.raw",
    );
  });

  test("the same file twice is refused, naming both", () => {
    expect(() => imageNames(["x/a.raw", "b.raw", "./x/../x/a.raw"])).toThrow(
      "x/a.raw and ./x/../x/a.raw are both the image x/a.raw",
    );
  });

  test("different files never get the same name, and every name is safe", () => {
    const part = fc.constantFrom("a", "b", "c", "d.raw");
    const path = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
    const paths = fc.uniqueArray(path, { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(paths, (list) => {
        const names = imageNames(list);
        expect(new Set(names).size).toBe(list.length);
        for (const [i, name] of names.entries())
          expect(`/${list[i]}`.endsWith(`/${name}`)).toBe(true);
      }),
    );
  });
});

describe("names: that are refused", () => {
  test.each([
    ["", "empty"],
    ["/etc/passwd", "absolute"],
    ["../x", '".."'],
    ["a/../../x", '".."'],
    ["..", '".."'],
    ["./a", '"."'],
    ["a/.", '"."'],
    ["a//b", "empty part"],
    ["a/", "empty part"],
    ["a\0b", "control character"],
    ["a\nb", "control character"],
    ["a\x1b[31mb", "control character"],
    ["a\x7f", "control character"],
    ["a\x9bb", "control character"],
    ["\ud800", "Unicode"],
    ["ä".repeat(2049), "4098 bytes of at most 4096"],
  ])("%j", (name, why) => {
    const check = () => assertSafeName(name);
    expect(check).toThrow(expect.objectContaining({ code: "RANGE" }));
    expect(check).toThrow(why);
    // The message goes to a terminal: one line, nothing that steers it.
    expect(check).toThrow(/^[^\p{Cc}]{1,250}$/u);
  });

  test.each(["a", "a/b", "...", "..a", "a b", "-o", "a\\b", "ä/日本", "😀", "a".repeat(4096)])(
    "not %j",
    (name) => {
      expect(() => assertSafeName(name)).not.toThrow();
    },
  );
});

describe("names: as places below a directory", () => {
  test("new and existing ones", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "a"));
    writeFileSync(join(folder, "a", "file"), "");
    for (const name of ["new", "a/new", "a/file", "b/c/d"]) {
      expect(await resolveInside(folder, name)).toBe(join(folder, name));
    }
  });

  test("never lead through a symbolic link, or to one", async () => {
    const folder = temporaryFolder();
    const outside = temporaryFolder();
    symlinkSync(outside, join(folder, "link"));
    symlinkSync(join(outside, "nothing"), join(folder, "dangling"));
    mkdirSync(join(folder, "a"));
    symlinkSync("..", join(folder, "a", "up"));
    for (const name of ["link/x", "link", "dangling", "a/up/x", "a/up"]) {
      await expect(resolveInside(folder, name)).rejects.toMatchObject({
        code: "OUTPUT",
        message: expect.stringContaining("is a symbolic link"),
      });
    }
  });

  test("the directory itself may be a symbolic link", async () => {
    const folder = temporaryFolder();
    symlinkSync(temporaryFolder(), join(folder, "link"));
    expect(await resolveInside(join(folder, "link"), "x")).toBe(join(folder, "link", "x"));
  });

  test("never lead through a file, nor out", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "file"), "");
    const through = resolveInside(folder, "file/x");
    await expect(through).rejects.toThrow(`${folder}/file: is not a directory`);
    await expect(resolveInside(folder, "../x")).rejects.toMatchObject({ code: "RANGE" });
  });
});
