// Numbers, names and tables as people read them.
import { expect, test } from "vitest";
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatPercent,
  formatRate,
  formatRatio,
  formatTime,
  printable,
} from "../../src/cli/format.ts";
import { formatTable } from "../../src/cli/table.ts";

test.each([
  [0, "0 B"],
  [1023, "1023 B"],
  [1024, "1.0 KiB"],
  [1048523, "1023.9 KiB"],
  [1048570, "1.0 MiB"],
  [263297434, "251.1 MiB"],
  [2 ** 30, "1.0 GiB"],
  [2 ** 53, "8.0 PiB"],
])("%i bytes are %s", (byteCount, text) => expect(formatBytes(byteCount)).toBe(text));

test.each([
  [0, "0.00 s"],
  [9994, "9.99 s"],
  [9996, "10.0 s"],
  [59949, "59.9 s"],
  [59999, "1:00 min"],
  [125_000, "2:05 min"],
  [3_725_000, "1:02:05 h"],
])("%i ms are %s", (elapsedMs, text) => expect(formatDuration(elapsedMs)).toBe(text));

test("parts of nothing and speeds in no time are a dash", () => {
  expect(formatPercent(0, 0)).toBe("-");
  expect(formatRatio(5, 0)).toBe("-");
  expect(formatRate(5, 0)).toBe("-");
  expect(formatTime(Number.NaN)).toBe("-");
});

test("parts, ratios, speeds and counts", () => {
  expect(formatPercent(1, 3)).toBe("33.3 %");
  expect(formatRatio(410, 100)).toBe("4.1x");
  expect(formatRate(1024, 500)).toBe("2.0 KiB/s");
  expect(formatCount(1, "image")).toBe("1 image");
  expect(formatCount(0, "image")).toBe("0 images");
});

test("names cannot command the terminal", () => {
  expect(printable("a\u001b[2Jb\n\u202ec\u009b")).toBe("a\\u001b[2Jb\\n\\u202ec\\u009b");
  expect(printable("für \\ é.raw")).toBe("für \\ é.raw");
});

test("tables: numbers to the right, words to the left, no blanks at the end", () => {
  const columns = [
    { title: "size", align: "right" },
    { title: "name", align: "left" },
  ] as const;
  const rows = [
    ["1.0 MiB", "a"],
    ["12 B", "longer"],
  ];
  expect(formatTable(columns, rows)).toBe("   size  name\n1.0 MiB  a\n   12 B  longer\n");
});

test("tables without titles have no head", () => {
  expect(formatTable([{ title: "", align: "left" }], [["a"]])).toBe("a\n");
});
