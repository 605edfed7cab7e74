// Words of the command line become values, or are refused with a reason.
import { describe, expect, test } from "vitest";
import { parseBase, parseNote, parsePid, parseSize, parseThreads } from "../../src/cli/args.ts";

describe("sizes", () => {
  test.each([
    ["0", 0],
    ["4096", 4096],
    ["4096B", 4096],
    ["0x1000", 4096],
    ["0XfF", 255],
    ["1K", 1024],
    ["1k", 1024],
    ["64KiB", 65536],
    ["64 KiB", 65536],
    ["512MiB", 536870912],
    ["1.5G", 1610612736],
    ["3GiB", 3221225472],
    ["2T", 2199023255552],
    ["2TiB", 2199023255552],
  ])("%s is %i bytes", (word, byteCount) => expect(parseSize(word)).toBe(byteCount));

  test.each([
    "",
    "-1",
    "1.5",
    "1.0001K",
    "K",
    "0x",
    "0x1G",
    "12Q",
    "1KB",
    "1e3",
    "1_000",
    "9007199254740993",
    "9999999T",
    "NaN",
  ])("%s is refused", (word) => expect(() => parseSize(word)).toThrow(/A size is/));
});

test("threads: 0 leaves the number to the engine", () => {
  expect(parseThreads("0")).toBeUndefined();
  expect(parseThreads("3")).toBe(3);
  for (const word of ["-1", "two", "1.5", ""]) expect(() => parseThreads(word)).toThrow(/counted/);
});

test("a process id is a positive number", () => {
  expect(parsePid("4711")).toBe(4711);
  for (const word of ["0", "-1", "0x10", "self"]) expect(() => parsePid(word)).toThrow(/number/);
});

test("notes add up, keep what follows the first =, and refuse a key twice", () => {
  expect(parseNote("b=c=d", parseNote("a="))).toEqual({ a: "", b: "c=d" });
  expect(Object.keys(parseNote("__proto__=x"))).toEqual(["__proto__"]);
  expect(() => parseNote("a=2", { a: "1" })).toThrow(/a is given twice/);
  for (const word of ["a", "=b", ""]) expect(() => parseNote(word)).toThrow(/KEY=VALUE/);
});

test("a base is a file or an image of an archive", () => {
  expect(parseBase("old.raw")).toEqual({ path: "old.raw" });
  expect(parseBase("A.pfa::a/b::c")).toEqual({ archive: "A.pfa", name: "a/b::c" });
  for (const word of ["::a", "A.pfa::"]) expect(() => parseBase(word)).toThrow(/ARCHIVE::NAME/);
});
