// Numbers and names as the report page writes them.
import { expect, test } from "vitest";
import {
  axisUnit,
  bytesText,
  countText,
  nameText,
  shareText,
  shortName,
  tickText,
} from "../../../src/report/page/words.ts";

test("bytes have three digits, or none behind the point", () => {
  const texts = [
    0,
    1,
    1023,
    1024,
    1536,
    10 * 1024 + 100,
    2 ** 21,
    1.25 * 2 ** 30,
    -(2 ** 20) * 313.4,
  ];
  expect(texts.map(bytesText)).toEqual([
    ...["0 B", "1 B", "1023 B", "1 KiB", "1.50 KiB", "10.1 KiB", "2 MiB", "1.25 GiB", "−313 MiB"],
  ]);
});

test("axes have whole numbers", () => {
  expect(axisUnit(2 ** 30)).toEqual({ unit: "MiB", size: 2 ** 20 });
  expect(axisUnit(2 ** 34)).toEqual({ unit: "GiB", size: 2 ** 30 });
  expect([0, 200, 1000, 0.5, 0.30000000000000004].map(tickText)).toEqual([
    ...["0", "200", "1,000", "0.5", "0.3"],
  ]);
  expect([0, 999, 1000, 1234567].map(countText)).toEqual(["0", "999", "1,000", "1,234,567"]);
});

test("a share of something is never nothing", () => {
  expect([0, 1, 30, 500, 10_000].map((part) => shareText(part, 1_000_000))).toEqual([
    ...["0.0 %", "< 0.01 %", "< 0.01 %", "0.05 %", "1.0 %"],
  ]);
  expect(shareText(0, 0)).toBe("–");
});

test("every character of a name can be seen", () => {
  expect(nameText("vm 0/ü.raw")).toBe("vm 0/ü.raw");
  expect(nameText("a\u202eb\u0000\n\u200d")).toBe("a\\u{202e}b\\u{0}\\u{a}\\u{200d}");
  expect(shortName("vm0.raw", 10)).toBe("vm0.raw");
  expect(shortName("a-long-name-of-an-image.raw", 11)).toBe("a-lon…e.raw");
  expect([...shortName("\u{1f4a9}".repeat(30), 11)]).toHaveLength(11);
});
