// The text of a progress bar for terminals of any width.
import { expect, test } from "vitest";
import { formatLeft, progressLine, Speed } from "../../src/cli/progressline.ts";

const MIB = 1 << 20;
const progress = {
  image: "memory/of/vm12.raw",
  doneBytes: 246 * MIB,
  totalBytes: 1024 * MIB,
  writtenBytes: 60 * MIB,
};
const at = (columns: number) => progressLine(progress, 100 * MIB, columns);

test("says all where there is room, and cuts a name in front", () => {
  const long = "#####................... ";
  const said = " 24% | 246.0 MiB / 1.0 GiB | 100.0 MiB/s |  4.1x |  8 s left";
  expect(at(120)).toBe(`${long}${said} | memory/of/vm12.raw`);
  expect(at(100)).toBe(`${long}${said} | …f/vm12.raw`);
});

test("gives up what matters least", () => {
  const usual = "##........  24% | 246.0 MiB / 1.0 GiB | 100.0 MiB/s |  8 s left";
  expect(at(80)).toBe(`${usual} | …/of/vm12.raw`);
  expect(at(70)).toBe(usual);
  expect(at(50)).toBe("##........  24% | 100.0 MiB/s |  8 s left");
  expect(at(40)).toBe(" 24% | 100.0 MiB/s |  8 s left");
  expect(at(20)).toBe(" 24% |  8 s left");
  expect(at(10)).toBe(" 24%");
});

test("leaves the last column free at any width", () => {
  for (const totalBytes of [undefined, 0, 1, 1024 * MIB, 2 ** 50]) {
    for (let columns = 1; columns < 200; columns++) {
      const line = progressLine({ ...progress, totalBytes }, 1, columns);
      expect(line.length).toBeLessThan(columns);
    }
  }
});

test("without a total there is no percentage and no end", () => {
  const line = progressLine({ ...progress, totalBytes: undefined }, undefined, 60);
  expect(line).toBe(" 246.0 MiB |           - |  4.1x | memory/of/vm12.raw");
});

test("a name cannot move the cursor", () => {
  const line = progressLine({ ...progress, image: "a\x1b[2Jb" }, 1, 120);
  expect(line).toMatch(/\| a\\u001b\[2Jb$/);
});

test.each([
  [0, "0 s left"],
  [1, "1 s left"],
  [59.5, "1:00 left"],
  [125, "2:05 left"],
  [3725, "1:02:05 left"],
  [1e9, "-"],
])("%d seconds are %s", (seconds, text) => {
  expect(formatLeft(seconds * 1000, 1000).trim()).toBe(text);
  expect(formatLeft(seconds * 1000, undefined).trim()).toBe("-");
});

test("speed is that of the last five seconds, and unknown at first", () => {
  const speed = new Speed();
  expect(speed.at(0, 0)).toBeUndefined();
  expect(speed.at(100, 50)).toBeUndefined();
  expect(speed.at(1000, 1000)).toBe(1000);
  for (let s = 2; s <= 10; s++) speed.at(s * 1000, 1000 + (s - 1) * 200);
  expect(speed.at(11_000, 3000)).toBe(200);
});
