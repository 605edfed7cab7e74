// Checksum lists, as sha256sum writes and reads them.
import { expect, test } from "vitest";
import { formatSum, parseSums, sumsOfInputs } from "../../src/cli/sums.ts";

const A = "a".repeat(64);
const B = "b".repeat(64);

test("reads text, binary and tagged lines", () => {
  const text = `${A}  one\n${A.toUpperCase()} *two words\r\n\n# said\nSHA256 (a (b).raw) = ${B}\n`;
  expect(Object.fromEntries(parseSums(text, "S"))).toEqual({
    one: A,
    "two words": A,
    "a (b).raw": B,
  });
});

test("undoes and makes the escapes of sha256sum", () => {
  expect(formatSum(A, "a\\b\nc")).toBe(`\\${A}  a\\\\b\\nc\n`);
  expect([...parseSums(formatSum(A, "a\\b\nc\r"), "S")]).toEqual([["a\\b\nc\r", A]]);
  expect(formatSum(B, "plain")).toBe(`${B}  plain\n`);
});

test("names the line that is no sum", () => {
  expect(() => parseSums(`${A}  one\nnonsense\n`, "SUMS")).toThrow("SUMS: line 2 is not");
  expect(() => parseSums(`${A.slice(1)}  one\n`, "SUMS")).toThrow("line 1");
  expect(() => parseSums(`MD5 (one) = ${A}\n`, "SUMS")).toThrow("line 1");
});

test("refuses two different sums of one name, takes the same one twice", () => {
  expect(parseSums(`${A}  one\n${A}  one\n`, "S").size).toBe(1);
  expect(() => parseSums(`${A}  one\n${B}  one\n`, "S")).toThrow("line 2: a second, different sum");
});

test("finds images by name and by path, and names the one that is left out", () => {
  const sums = parseSums(`${A}  vms/one.raw\n${B}  ./two.raw\n`, "S");
  const one = { name: "one.raw", path: "vms/one.raw" };
  const two = { name: "two.raw" };
  expect([...sumsOfInputs(sums, [one, two], "S")]).toEqual([
    ["one.raw", A],
    ["two.raw", B],
  ]);
  expect(() => sumsOfInputs(sums, [{ name: "three.raw" }], "S")).toThrow("S: has no sum of three");
});
