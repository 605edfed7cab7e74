// The manual page, as its readers take it.
import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";

const PAGE = "dist/man/pagefold.1";

test.each([
  ["mandoc", ["-Tlint", "-W", "style"]],
  ["groff", ["-man", "-ww", "-z", "-Tutf8"]],
])("%s has no complaint", (command, words) => {
  const { status, stdout, stderr } = spawnSync(command, [...words, PAGE], { encoding: "utf8" });
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "", stderr: "" });
});

test("fits 80 columns", () => {
  // Old devices strike bold text over; the options of the device make it plain.
  const words = ["-Tutf8", "-man", "-rLL=80n", "-P-cbou", PAGE];
  const { stdout } = spawnSync("groff", words, { encoding: "utf8" });
  const lines = stdout.split("\n");
  expect(lines.length).toBeGreaterThan(300);
  expect(lines.filter((line) => line.length > 80)).toEqual([]);
});
